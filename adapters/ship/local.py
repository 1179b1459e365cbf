"""The log on this computer, read up to a line that no failed append can take back any more."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from adapters.ship.line import Chain, ChainError, Line
from adapters.ship.writer import Name, name_of
from eventlog.disk import Disk
from eventlog.failures import explained
from eventlog.files.pieces import Active, Piece, Sealed, open_view
from eventlog.files.tail import Tail, read_tail, seq_in
from eventlog.lines import layout
from eventlog.lines.codec import UNREADABLE
from eventlog.lines.tombstone import SegmentsExpired
from eventlog.lock import PATIENCE, stillness
from eventlog.replay import ensure_as_told
from eventlog.retention.expired import identity, tombstones
from eventlog.retention.measure import entries
from eventlog.writing.roll import end_of
from eventlog.writing.turn import Turn
from statemachine.errors import LogDamagedError


class LocalLog:
    """A log up to where it ended when this was made.

    What is behind that end may still be taken back: an append whose sync fails removes its line again. So the end
    of one's ``own`` log is read under the append lock and synced before anything is sent anywhere; that of a file
    we may not be allowed to write is read at a moment when nobody appends. The end is a line's seq, because the file
    that the line is in changes when a segment is sealed; and, as long as that file begins as it did, its place.
    """

    def __init__(self, path: Path, *, own: bool = False) -> None:
        self.path = Path(os.path.realpath(path))
        self._disk = Disk()
        with explained(self.path, "read"):
            self._last = self._settled(own=own)

    def name(self) -> Name | None:
        """What the log is called, also when its first line has expired; None when it has no line.

        Raises LogError, LogDamagedError.
        """
        first = next(self.lines(), None)
        if first is None:
            return None
        with open_view(self._disk, self.path) as view:
            found = identity(view.pieces)
        return name_of(*found) if found else None

    def lines(self) -> Iterator[Line]:
        """Every line there is, its hash and its place in the chain checked. Raises LogError, LogDamagedError."""
        return self._from(0, Chain(later=self._later))

    def after(self, seq: int, head: str, log: str) -> Iterator[Line]:
        """The lines behind the one with that seq and hash; if that one has expired, those behind it that are left.

        Raises LogDamagedError when this log has another line there, or none.
        """
        if seq == 0:
            return self.lines()
        if self._has_expired(seq, head):
            return self._from(0, Chain(log, seq=seq, head=head, later=self._later))
        found = self._find(seq)
        if found is None or layout.hash_in(found[1]) != head:
            what = "ends before it" if found is None else "has another one in its place"
            raise LogDamagedError(f"event {seq} was shipped, but {self.path} {what}", remedy=DIVERGED)
        offset, line = found
        return self._from(offset + len(line) + 1, Chain(log, seq=seq, head=head, later=self._later))

    def _later(self) -> Iterable[SegmentsExpired]:
        with open_view(self._disk, self.path) as view:
            return [one.event for one in tombstones(view.pieces)]

    def _has_expired(self, seq: int, head: str) -> bool:
        """Whether a line expired. Raises LogDamagedError if it was another one, as far as what is left tells."""
        with open_view(self._disk, self.path) as view:
            if view.kept is None or seq > view.kept.segment.last:
                return False
            last = view.kept.segment
            known = (
                last.head
                if seq == last.last
                else next((layout.hash_in(line) for _, line, entry in entries(view.kept) if entry.seq == seq), head)
            )
        if known != head:
            raise LogDamagedError(
                f"event {seq} was shipped, but {self.path} has another one in its place", remedy=DIVERGED
            )
        return True

    def _from(self, start: int, chain: Chain) -> Iterator[Line]:
        """The lines behind the chain's seq; ``start`` is where they begin in the piece of the log they are in."""
        yield from self._followed(start, chain)
        if chain.missing:
            with open_view(self._disk, self.path) as view:
                ensure_as_told(view, chain.missing)

    def _followed(self, start: int, chain: Chain) -> Iterator[Line]:
        with open_view(self._disk, self.path) as view:
            if view.kept is not None and chain.seq < view.kept.segment.last:
                ensure_as_told(view)
            for piece in view.pieces:
                if isinstance(piece, Sealed) and piece.segment.last <= chain.seq:
                    # All of it is done with; behind its very last line the next piece is read from its start.
                    start = 0 if piece.segment.last == chain.seq else start
                    continue
                for at, data in piece.blocks(start):
                    behind = at
                    for raw in data.removesuffix(b"\n").split(b"\n"):
                        if chain.seq >= self._last.seq and self._is_end(piece, behind):
                            return
                        behind += len(raw) + 1
                        if piece is view.kept and _seq_of(raw, self.path) <= chain.seq:
                            continue
                        try:
                            yield chain.take(raw)
                        except ChainError as error:
                            raise LogDamagedError(f"{self.path}, line {chain.seq + 1}: {error}") from error
                start = 0

    def _is_end(self, piece: Piece, offset: int) -> bool:
        """Whether the log ended at a place behind a line with its last seq: such a line may be there once more."""
        return piece.base != self._last.base or offset >= self._last.end

    def _find(self, seq: int) -> tuple[int, bytes] | None:
        """A line by its seq, with its offset in the piece of the log it is in."""
        if seq > self._last.seq:
            return None
        with open_view(self._disk, self.path) as view:
            for piece in view.sealed:
                if piece.segment.first <= seq <= piece.segment.last:
                    return self._in_segment(piece, seq)
            return self._in_file(view.active, seq) if view.active else None

    def _in_segment(self, piece: Sealed, seq: int) -> tuple[int, bytes] | None:
        """By going through it, for it may be compressed."""
        left = seq - piece.segment.first
        for at, data in piece.blocks():
            lines = data.split(b"\n")
            lines.pop()
            if left < len(lines):
                return at + sum(len(line) + 1 for line in lines[:left]), lines[left]
            left -= len(lines)
        return None

    def _in_file(self, active: Active, seq: int) -> tuple[int, bytes] | None:
        """By halving, for seqs grow through the file."""
        low, high = 0, self._whole(active)
        while low < high:
            middle = (low + high) // 2
            at, line = self._line_at(active.fd, middle)
            found = _seq_of(line, self.path)
            if found == seq:
                return at, line
            if found < seq:
                low = at + len(line) + 1
            else:
                high = at
        return None

    def _line_at(self, fd: int, offset: int) -> tuple[int, bytes]:
        """The line that holds the byte at an offset, and where it begins."""
        reach = _REACH
        while True:
            start = max(0, offset - reach)
            data = self._disk.read_at(fd, offset - start + reach, start)
            first = data.rfind(b"\n", 0, offset - start) + 1
            end = data.find(b"\n", offset - start)
            if (first or start == 0) and end >= 0:
                return start + first, data[first:end]
            if reach > layout.MAX_LINE:
                raise LogDamagedError(f"{self.path}: longer than {layout.MAX_LINE} bytes is no line of an event log")
            reach *= 4

    def _whole(self, active: Active) -> int:
        """Bytes of a file up to its last newline."""
        size = active.size()
        start = max(0, size - 2 * layout.MAX_LINE)
        return start + self._disk.read_at(active.fd, size - start, start).rfind(b"\n") + 1

    def _settled(self, *, own: bool) -> Tail:
        """Behind the last line that is sure to stay."""
        with open_view(self._disk, self.path) as view:
            if view.active is None:
                last = view.sealed[-1].segment if view.sealed else None
                return Tail(last.last, last.head, 0, 0, last.last) if last else Tail(0, layout.GENESIS, 0, 0)
            if not own:
                with stillness(view.active.fd):
                    return self._tail(view.active.fd)
        with Turn(self.path, self._disk, PATIENCE) as turn:
            self._disk.sync(turn.fd)
            found = self._tail(turn.fd)
        turn.forget()
        return found

    def _tail(self, fd: int) -> Tail:
        try:
            tail = read_tail(self._disk, fd, self.path)
            if not tail.end:
                return end_of(self._disk, self.path, tail.size)
        except LogDamagedError:
            return _DAMAGED
        return tail if tail.seq > tail.base else _DAMAGED


_DAMAGED: Final = Tail(sys.maxsize, "", 0, 0)
"""The end of a log that cannot end so: whoever reads on finds the damage in its place, behind all whole lines."""

_REACH: Final = 2048
"""Bytes looked at on both sides of a place at first; most lines are shorter."""

DIVERGED: Final = (
    "The local log was cut, or restored from an older copy: move it away to begin a new one; what was shipped stays."
)


def _seq_of(line: bytes, path: Path) -> int:
    try:
        return seq_in(line)
    except UNREADABLE as error:
        raise LogDamagedError(f"{path}: a line is no record of this program: {error}") from error
