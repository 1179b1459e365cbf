"""Checks each line of a segment that is to be archived or to expire, and describes the segment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

import msgspec

from eventlog.files.pieces import Active, Piece, Sealed
from eventlog.lines import layout
from eventlog.lines.codec import UNREADABLE, timestamp
from eventlog.lines.tombstone import SegmentFacts
from eventlog.replay import BROKEN, Entry, decode_entry
from statemachine.errors import LogDamagedError


class Cut(msgspec.Struct, frozen=True, gc=False):
    """A place between two lines of the file that is appended to."""

    offset: int
    seq: int
    """Of the line before it."""
    head: str
    """Its hash."""


class Prefix:
    """The lines of the file up to a cut, as the segment they are to become. Satisfies ``pieces.Piece``."""

    def __init__(self, active: Active, cut: Cut) -> None:
        self.path = active.path
        self.base = active.base
        self._active = active
        self._cut = cut

    def blocks(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """As ``Piece``."""
        for at, data in self._active.blocks(start):
            if at >= self._cut.offset:
                return
            yield at, data[: self._cut.offset - at]

    def size(self) -> int:
        """As ``Piece``."""
        return self._cut.offset

    def head_at(self, offset: int) -> str:
        """As ``Piece``."""
        return self._active.head_at(offset)

    def damaged(self, offset: int, reason: str) -> LogDamagedError:
        """As ``Piece``."""
        return self._active.damaged(offset, reason)


def measure(piece: Piece, prev: str | None = None) -> SegmentFacts:
    """Check every line of a segment, and that it is as its name says; ``prev`` is the hash before it, where known.

    Raises LogError, LogDamagedError.
    """
    digest, seq, head, size = sha256(), piece.base, prev or "", 0
    earliest = latest = None
    for offset, line, entry in entries(piece):
        if seq == piece.base:
            head = prev = prev or layout.prev_in(line)
        head = layout.follows(line, head)
        if not head or entry.seq != seq + 1:
            raise piece.damaged(offset, BROKEN)
        digest.update(line)
        digest.update(b"\n")
        earliest = entry.time if earliest is None else min(earliest, entry.time)
        latest = entry.time if latest is None else max(latest, entry.time)
        seq, size = entry.seq, offset + len(line) + 1
    if prev is None or earliest is None or latest is None:
        raise LogDamagedError(f"{piece.path} is empty")
    if isinstance(piece, Sealed) and (seq, head) != (piece.segment.last, piece.segment.head):
        raise LogDamagedError(f"{piece.path} does not hold what its name says")
    return SegmentFacts(
        first=piece.base + 1,
        last=seq,
        prev=prev,
        head=head,
        events=seq - piece.base,
        size=size,
        sha256=digest.hexdigest(),
        began=timestamp(earliest),
        ended=timestamp(latest),
    )


def is_late(facts: SegmentFacts, moment: datetime) -> bool:
    """Whether something in a segment happened at a moment or later, by the clocks of those who wrote it."""
    return datetime.fromisoformat(facts.ended) >= moment


def entries(piece: Piece) -> Iterator[tuple[int, bytes, Entry]]:
    """Every line of a piece with its offset and its parts; no hash is checked. Raises LogError, LogDamagedError."""
    for at, data in piece.blocks():
        offset = at
        for line in data.split(b"\n")[:-1]:
            try:
                line.decode()
                yield offset, line, decode_entry(line)
            except UNREADABLE as error:
                raise piece.damaged(offset, f"is not a record: {error}") from error
            offset += len(line) + 1


def cut_before(active: Active, moment: datetime) -> Cut | None:
    """The place before the first line that happened at a moment or later, by the clock of whoever wrote it.

    None when that is the first line of all.
    """
    found = None
    for offset, line, entry in entries(active):
        if entry.time >= moment:
            break
        found = Cut(offset + len(line) + 1, entry.seq, layout.hash_in(line))
    return found
