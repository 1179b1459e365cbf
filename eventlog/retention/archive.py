"""Archiving: copies of sealed segments in another folder, compressed, read back, and told of in the log.

A copy has the name of its segment, which says which events are in it and how it ends, so one folder can hold the
segments of many logs, and ``verify`` can put them back in front of what is left of a log.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from eventlog.disk import Disk
from eventlog.files.pack import pack
from eventlog.files.pieces import Piece, Sealed, View, open_view
from eventlog.files.segments import DRAFT, KEPT, PACKED, Segment, folder, listed, named
from eventlog.folding.recall import rebuild
from eventlog.lines import layout
from eventlog.lines.tombstone import SegmentFacts, SegmentsArchived
from eventlog.log import EventLog
from eventlog.retention.expired import own_events, readable_tombstones
from eventlog.retention.measure import Cut, Prefix, cut_before, is_late, measure
from eventlog.retention.steps import cut
from eventlog.writing.roll import compress
from statemachine.errors import LogError

_BLOCK: Final = 1 << 20


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be archived."""

    segments: tuple[SegmentFacts, ...] = ()
    cut: Cut | None = None
    """Where the log's own file is to be cut, if some of it is to be archived; the last of the segments is made so."""


def select(disk: Disk, log: Path, *, before: datetime | None = None, keep: int = 0) -> Selection:
    """All sealed segments but the newest ``keep``; or all lines from before a moment. Changes nothing.

    Raises LogError, LogDamagedError.
    """
    with open_view(disk, log) as view:
        chosen = [measure(piece) for piece in view.sealed[: len(view.sealed) - keep]]
        if before is None:
            return Selection(segments=tuple(chosen))
        old = [facts for facts in chosen if not is_late(facts, before)]
        place = cut_before(view.active, before) if view.active and len(old) == len(view.sealed) else None
        if place is None or view.active is None:
            return Selection(segments=tuple(old))
        return Selection(segments=(*old, measure(Prefix(view.active, place))), cut=place)


def archive(log: EventLog, disk: Disk, target: Path, selection: Selection, *, reason: str = "") -> list[SegmentFacts]:
    """Copy segments into a folder; those that were not there yet. Call it ``steps.alone``.

    What was copied, or is there unrecorded because a process died behind its copy, is recorded in the log by one
    signed event. Raises LogError, LogDamagedError, BusyError, ImportError without ``cryptography``.
    """
    from eventlog.sealing.seal import ensure_signable, sign

    if os.path.realpath(target) == os.path.realpath(folder(log.path)):
        raise LogError(f"{target} is where the log itself keeps its segments", remedy="Name another folder.")
    ensure_signable(log.path)
    with _explained(target):
        disk.make_folder(target)
    if selection.cut is not None:
        log.ensure_writable()
        cut(disk, log.path, selection.cut)
        # The old one speaks of a place in the file as it was, and would be refused with a warning.
        with suppress(LogError):
            rebuild(disk, log.path)
    with open_view(disk, log.path) as view:
        recorded = {(str(one), facts) for one, facts in _recorded(view)}
        here = {piece.segment.first: piece for piece in view.sealed}
    fresh: list[SegmentFacts] = []
    with _explained(target):
        for facts in selection.segments:
            copied = _copy(disk, here[facts.first], target, facts)
            if copied or (str(target), facts) not in recorded:
                fresh.append(facts)
    compress(disk, log.path)
    if fresh:
        sign(log, SegmentsArchived(segments=tuple(fresh), place=str(target), reason=reason))
    return fresh


class Copies:
    """What was archived, and is to be there still; ``elsewhere`` is where the copies are now, if they were moved."""

    def __init__(self, disk: Disk, log: Path, elsewhere: Path | None = None) -> None:
        """Raises LogError, LogDamagedError."""
        self.lost = ""
        """A copy that is not there any more, or is another one, as a sentence; nobody can rely on that archive."""
        self._disk = disk
        self._places: dict[SegmentFacts, list[Path]] = {}
        with open_view(disk, log) as view:
            for place, facts in _recorded(view):
                self._places.setdefault(facts, []).append(elsewhere or place)

    def has(self, facts: SegmentFacts) -> bool:
        """Whether a copy of a segment was recorded, and still is what it was."""
        places = self._places.get(facts, [])
        if any(_is_there(self._disk, place, facts) for place in places):
            return True
        if places:
            self.lost = _lost(places[-1], facts)
        return False


def filled(disk: Disk, view: View, archive: Path) -> tuple[list[Piece], list[Sealed]]:
    """The log with what is missing from it put back from an archive; and what was put back.

    What the archive does not have either stays missing; how the segment before that ended, the tombstone says.
    Raises LogError, LogDamagedError.
    """
    if not archive.is_dir():
        raise LogError(f"there is no archive {archive}", remedy="Name the folder that `audit archive` copied to.")
    with _explained(archive, "read"):
        shelf = {(one.last, one.head): one for one in listed(archive).values() if one.path.suffix != KEPT}
    pieces: list[Piece] = []
    back: list[Sealed] = []
    here = [piece for piece in view.pieces if piece is not view.kept]
    ends = {piece.segment.last for piece in view.sealed}
    gone = {(one.last, one.head): one for each in readable_tombstones(here) for one in each.event.segments}
    for piece in reversed(here):
        pieces.append(piece)
        place = (piece.base, _prev(piece) or (view.kept.segment.head if view.kept else ""))
        while place[0] and place[0] not in ends:
            if place in shelf:
                found = Sealed(disk, shelf[place])
                pieces.append(found)
                back.append(found)
                place = (found.base, _prev(found))
            elif place in gone:
                place = (gone[place].first - 1, gone[place].prev)
            else:
                break
    return pieces[::-1], back[::-1]


def lacking(pieces: list[Piece]) -> list[tuple[int, int]]:
    """The first and last seq of each whole stretch of events that no piece has."""
    found: list[tuple[int, int]] = []
    last = 0
    for piece in pieces:
        if piece.base > last:
            found.append((last + 1, piece.base))
        last = piece.segment.last if isinstance(piece, Sealed) else last
    return found


def _recorded(view: View) -> Iterator[tuple[Path, SegmentFacts]]:
    """What was archived, and where to."""
    for event, _ in own_events(view.pieces, SegmentsArchived):
        for facts in event.segments:
            yield Path(event.place), facts


def _copy(disk: Disk, piece: Sealed, target: Path, facts: SegmentFacts) -> bool:
    """Copy a segment; False when it was there already, whole."""
    if _is_there(disk, target, facts):
        return False
    copy = target / piece.segment.path.name
    packed = copy.with_name(copy.name + PACKED)
    for source, final in ((piece.segment.path, packed), (piece.segment.packed, packed), (piece.segment.path, copy)):
        draft = final.with_name(f"{DRAFT}{final.name}")
        disk.unlink(draft)
        try:
            if source.suffix == final.suffix:
                _copy_bytes(disk, source, draft)
            elif not pack(disk, source, draft):
                continue
        except FileNotFoundError:
            # Compressed meanwhile, or not compressed yet.
            continue
        disk.rename(draft, final)
        disk.sync_folder(target)
        break
    if not _is_there(disk, target, facts):
        raise LogError(f"the copy of {copy.name} in {target} is not what was copied", remedy="Check that disk.")
    return True


def _copy_bytes(disk: Disk, source: Path, target: Path) -> None:
    with source.open("rb") as file:
        fd = disk.create(target)
        try:
            while data := file.read(_BLOCK):
                disk.write_all(fd, data)
            disk.sync(fd)
        finally:
            disk.close(fd)


def _is_there(disk: Disk, place: Path, facts: SegmentFacts) -> bool:
    """Whether a folder has a segment, byte for byte."""
    path = place / named(place, facts.first, facts.last, facts.head).path.name
    with suppress(LogError):
        return measure(Sealed(disk, Segment(path, facts.first, facts.last, facts.head))) == facts
    return False


def _lost(place: Path, facts: SegmentFacts) -> str:
    """What became of a copy."""
    path = place / named(place, facts.first, facts.last, facts.head).path.name
    there = path.exists() or path.with_name(path.name + PACKED).exists()
    what = "is not what was archived" if there else "is missing" if place.is_dir() else "is missing: no such folder"
    return f"the copy of events {facts.first} to {facts.last} in {place} {what}"


def _prev(piece: Piece) -> str:
    """The hash before a piece, as its first line says; empty when that cannot be read."""
    with suppress(LogError):
        for _, data in piece.blocks():
            line = data[: data.index(b"\n")]
            return layout.prev_in(line) if layout.is_shaped(line) else ""
    return ""


@contextmanager
def _explained(archive: Path, verb: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise LogError(
            f"the archive {archive} cannot be {verb}: {why}", remedy="Check that path and its disk."
        ) from error
