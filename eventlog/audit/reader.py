"""Reads a log from its first line, and with each further call what was appended since.

Lines are read by their place, across segments that are sealed or compressed meanwhile. The chain is checked on the
way; damage does not end the reading, because what happened is of most interest where a log is damaged; it is kept
and reported.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Final

import msgspec

from eventlog.disk import Disk
from eventlog.files.pieces import START, Kept, Piece, Place, Sealed, View, open_view
from eventlog.files.tail import seq_in
from eventlog.lines import layout
from eventlog.lines.codec import UNREADABLE
from eventlog.lines.record import Record
from eventlog.replay import BROKEN, Leap, Otherwise, chained, leaps, offset_of, told_otherwise, whole
from eventlog.retention.measure import entries
from statemachine.errors import LogDamagedError

PLACES: Final = 64
"""Places remembered: an append whose sync fails takes its line back, and the log is then followed from before it."""

REMEDY: Final = "`devpod-provider-aci verify` says more; what is told of later events may not be what was written."
MISSING: Final = "is the first that is there: those before it are gone, and no tombstone says that they expired"
CUT: Final = "The log was cut, or replaced by another one: begin again."

_NOTHING: Final = Otherwise("", untold=False)
_decode: Final = msgspec.json.Decoder(Record).decode


class LogReader:
    """One log's records, once and then as they come. ``damage`` is what was found wrong on the way."""

    def __init__(self, path: Path, *, disk: Disk | None = None) -> None:
        self.path = Path(os.path.realpath(path))
        self.damage: list[LogDamagedError] = []
        self._disk = disk or Disk()
        self._places = deque([START], PLACES)
        self._size: object = None
        self._whole = 0
        self._last = (0, layout.GENESIS)
        """Seq and hash of the last line that was read."""
        self._missing = 0
        """Seq before the last line behind a gap that is not at the beginning."""

    @property
    def logs(self) -> list[tuple[str, int, str]]:
        """The log that was read: its name, its whole events, and what is wrong behind them."""
        return [(str(self.path), self._whole, str(self.damage[0]) if self.damage else "")]

    def records(self) -> Iterator[Record]:
        """The records behind the last one that was read; what is no record ends them.

        Raises LogError, LogDamagedError where the log is not the one any more that was followed.
        """
        if self._places[-1] != START and self._looked() == self._size:
            return
        # Before anything is read: what is appended meanwhile is then seen as a change.
        self._size = self._looked()
        with open_view(self._disk, self.path) as view:
            behind, wrong = self._behind(view), _NOTHING
            try:
                for piece, start in behind:
                    if piece is view.kept:
                        wrong = told_otherwise(view)
                        # Where a line was changed, that is the one to name.
                        if all(whole(layout.lines_of(data))[0] for _, data in piece.blocks()):
                            self._note(view, wrong, untold=False)
                    yield from self._of_piece(view, piece, start)
                if self._missing and view.kept is None:
                    wrong = told_otherwise(view, self._missing)
                    self._note(view, wrong, untold=False)
                self._note(view, wrong, untold=True)
            except LogDamagedError as error:
                if not self.damage:
                    self.damage.append(error)

    def _note(self, view: View, wrong: Otherwise, *, untold: bool) -> None:
        """Take what is wrong with the kept lines for damage, if that is of this kind and the first there is."""
        if wrong.why and wrong.untold is untold and not self.damage:
            self.damage.append(_named(view.pieces[0], 0, wrong.why))

    def _behind(self, view: View) -> Iterator[tuple[Piece, int]]:
        """The pieces behind the last line that was read, or else behind the latest place that the log still has."""
        if self._places[-1] == START:
            return iter([(piece, 0) for piece in view.pieces])
        found = view.behind(self._places[-1]) or self._behind_last(view)
        while found is None and len(self._places) > 1:
            self._places.pop()
            found = view.behind(self._places[-1]) if self._places[-1] != START else None
        if found is not None:
            return found
        self._places.append(START)
        raise LogDamagedError(f"{self.path} is not the log any more that was followed", remedy=CUT)

    def _behind_last(self, view: View) -> Iterator[tuple[Piece, int]] | None:
        """The pieces behind the last line that was read, which is elsewhere once the log's file was cut.

        None when it is not in the log any more, for an append may take its line back.
        """
        seq, digest = self._last
        for number, piece in enumerate(view.pieces):
            if isinstance(piece, Sealed) and piece.segment.last < seq:
                continue
            if isinstance(piece, Kept):
                self._places.append(Place(piece.base, piece.size(), piece.segment.head))
                return iter([(behind, 0) for behind in view.pieces[number + 1 :]])
            for offset, line, entry in entries(piece):
                if entry.seq == seq and layout.hash_in(line) == digest:
                    start = offset + len(line) + 1
                    self._places.append(Place(piece.base, start, digest))
                    return iter([(piece, start), *((behind, 0) for behind in view.pieces[number + 1 :])])
            break
        return None

    def _of_piece(self, view: View, piece: Piece, start: int) -> Iterator[Record]:
        head, leap = self._places[-1].head, self._leaps(view)
        if start == 0 and view.kept is not None and piece.base == view.kept.segment.last:
            head = view.kept.segment.head
        for at, data in piece.blocks(start):
            lines = layout.lines_of(data)
            if not self.damage:
                kept = isinstance(piece, Kept)
                begins = piece is view.pieces[0] and at == 0 and piece.base > 0 and not kept
                # Of another's log the file that kept some may not have come along; somebody signed for what expired.
                cut = begins and not leaps(lambda: view)(lines[0])
                head, good = whole(lines) if kept else chained(lines, head, first=begins and not cut, leap=leap)
                self._whole += good
                if not head:
                    self.damage.append(_named(piece, offset_of(at, lines, good), MISSING if cut else BROKEN))
            for index, line in enumerate(lines):
                try:
                    record = _decode(line)
                except UNREADABLE as error:
                    if index:
                        self._places.append(_place(piece, offset_of(at, lines, index), lines[index - 1]))
                    raise piece.damaged(offset_of(at, lines, index), f"is not a record: {error}") from error
                if record.time.tzinfo is not UTC:
                    raise piece.damaged(offset_of(at, lines, index), "has a time that is not in UTC")
                yield record
                self._last = record.seq, record.hash
            self._places.append(_place(piece, at + len(data), lines[-1]))

    def _leaps(self, view: View) -> Leap:
        leap = leaps(lambda: view)

        def noted(line: bytes) -> bool:
            found = leap(line)
            if found:
                self._missing = seq_in(line) - 1
            return found

        return noted

    def _looked(self) -> object:
        """What changes with every append, for the price of one call."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns


def _place(piece: Piece, offset: int, line: bytes) -> Place:
    """The place behind a line."""
    return Place(piece.base, offset, layout.hash_in(line[:-1]))


def _named(piece: Piece, offset: int, what: str) -> LogDamagedError:
    error = piece.damaged(offset, what)
    return LogDamagedError(error.message, remedy=REMEDY)
