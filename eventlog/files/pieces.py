"""The pieces of the log in order: its sealed segments, plain or compressed, and then the file that is appended to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import msgspec

from eventlog.disk import Disk
from eventlog.failures import explained
from eventlog.files.pack import unpacked
from eventlog.files.read import blocks, damaged, head_at, open_log, open_plain
from eventlog.files.segments import KEPT, Segment, has_expired, parts
from eventlog.files.tail import first_seq
from eventlog.lines import layout
from statemachine.errors import LogDamagedError, LogError

_TRIES: Final = 20


class Place(msgspec.Struct, frozen=True, gc=False):
    """A place between two lines of the log."""

    base: int
    """Seq of the last line before the piece it is in."""
    offset: int
    """In that piece."""
    head: str
    """Hash of the line before the place: shows whether the log is still the same up to there."""


START: Final = Place(0, 0, layout.GENESIS)


class Piece(Protocol):
    """A file of the log."""

    path: Path
    base: int
    """Seq of the line before its first."""

    def blocks(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Whole lines in large pieces, each with its offset. Raises LogError, LogDamagedError."""
        ...

    def size(self) -> int:
        """Bytes on the disk. Raises LogError."""
        ...

    def head_at(self, offset: int) -> str:
        """The hash of the line that ends at an offset; any other text when none does."""
        ...

    def damaged(self, offset: int, reason: str) -> LogDamagedError:
        """The error for the line at an offset."""
        ...


class Active:
    """The file that is appended to."""

    def __init__(self, disk: Disk, fd: int, path: Path, base: int) -> None:
        self.path = path
        self.base = base
        self._disk = disk
        self.fd = fd

    def blocks(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """As ``Piece``; a last line that is not finished, or did not get to the disk, is not given out."""
        for at, data in blocks(self._disk, self.fd, self.path, start):
            whole = data
            while b"\0" in whole[whole.rfind(b"\n", 0, -1) + 1 :] and at + len(data) >= self.size():
                whole = whole[: whole.rfind(b"\n", 0, -1) + 1]
            if whole:
                yield at, whole

    def size(self) -> int:
        """As ``Piece``."""
        with explained(self.path, "read"):
            return os.fstat(self.fd).st_size

    def head_at(self, offset: int) -> str:
        """As ``Piece``."""
        with explained(self.path, "read"):
            return head_at(self._disk, self.fd, offset)

    def damaged(self, offset: int, reason: str) -> LogDamagedError:
        """As ``Piece``."""
        return damaged(self._disk, self.fd, self.path, offset, reason)


class Sealed:
    """A sealed segment; its file is opened when it is read, and may be compressed at any moment before that."""

    def __init__(self, disk: Disk, segment: Segment) -> None:
        self.segment = segment
        self.path = segment.path
        self.base = segment.first - 1
        self._disk = disk

    def blocks(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """As ``Piece``; every line of it is finished, or it is damaged."""
        with open_plain(self._disk, self.segment.path) as fd:
            if fd is not None:
                yield from self._whole(blocks(self._disk, fd, self.path, start), os.fstat(fd).st_size, start)
                return
        try:
            yield from unpacked(self.segment.packed, start)
        except FileNotFoundError:
            raise self._gone() from None

    def _gone(self) -> LogError:
        if has_expired(self.segment):
            return LogError(f"the segment {self.path} of the event log expired while it was read", remedy="Try again.")
        return LogError(
            f"the segment {self.path} of the event log is gone",
            remedy="Bring it back; without it the log has a hole.",
        )

    def _whole(self, found: Iterator[tuple[int, bytes]], size: int, start: int) -> Iterator[tuple[int, bytes]]:
        end = start
        for at, data in found:
            yield at, data
            end = at + len(data)
        if end < size:
            raise LogDamagedError(f"{self.path} ends in the middle of a line")

    def size(self) -> int:
        """As ``Piece``."""
        for path in (self.segment.path, self.segment.packed):
            with explained(self.path, "read"), suppress(FileNotFoundError):
                return path.stat().st_size
        return 0

    def head_at(self, offset: int) -> str:
        """As ``Piece``."""
        if offset == 0:
            return layout.GENESIS
        before = b""
        for at, data in self.blocks():
            if at + len(data) >= offset:
                piece = (before + data)[: len(before) + offset - at]
                return layout.hash_in(piece[-layout.MIN_LINE : -1])
            before = data[-layout.MIN_LINE :]
        return ""

    def damaged(self, offset: int, reason: str) -> LogDamagedError:
        """As ``Piece``."""
        number = 1
        for at, data in self.blocks():
            if at + len(data) > offset:
                number += data.count(b"\n", 0, offset - at)
                break
            number += data.count(b"\n")
        return LogDamagedError(f"{self.path}, line {number}: {reason}")


class Kept(Sealed):
    """What is left of the segments that expired: lines of theirs with gaps between them."""


class View:
    """The pieces of the log at one moment, oldest first."""

    def __init__(
        self, kept: Kept | None, segments: list[Sealed], active: Active | None, beside: Sequence[Segment] = ()
    ) -> None:
        self.beside = beside
        """Segments whose lines are elsewhere in the log too, as their names tell."""
        self.kept = kept
        self.sealed = segments
        self.active = active
        self.pieces: list[Piece] = [*([kept] if kept else []), *segments, *([active] if active else [])]

    def behind(self, place: Place) -> Iterator[tuple[Piece, int]] | None:
        """The pieces from a place on, each with the offset to begin at; None when the log has no such place."""
        at = next((index for index, piece in enumerate(self.pieces) if piece.base == place.base), None)
        if at is None:
            return iter(()) if place == START else None
        first = self.pieces[at]
        if isinstance(first, Sealed) and first.segment.head == place.head:
            # At its very end, as its name tells: no need to unpack it to find that out.
            return ((piece, 0) for piece in self.pieces[at + 1 :])
        if place.offset and first.head_at(place.offset) != place.head:
            return None
        return ((piece, 0 if piece is not first else place.offset) for piece in self.pieces[at:])

    @property
    def start(self) -> Place:
        """Before the first line that is still here."""
        return Place(self.pieces[0].base, 0, layout.GENESIS) if self.pieces else START

    @property
    def beginning(self) -> Place:
        """Before the first line, for whoever needs all of them. Raises LogDamagedError if a whole segment is missing.

        What expired is not missing in that sense: all that is still needed of it is kept.
        """
        last = 0
        for piece in self.pieces:
            if piece.base > last:
                raise LogDamagedError(
                    f"events {last + 1} to {piece.base} of the event log are missing: no segment before {piece.path}"
                    " has them",
                    remedy="Bring the segment back, from the archive if it is there.",
                )
            if isinstance(piece, Sealed):
                last = piece.segment.last
        return START


@contextmanager
def open_view(disk: Disk, path: Path, *, whatever: bool = False) -> Iterator[View]:
    """The log, to read. Raises LogError for what is no event log, unless asked to take ``whatever`` is there."""
    opener = open_plain if whatever else open_log
    for _ in range(_TRIES):
        with opener(disk, path) as fd:
            with explained(path, "read"):
                beside = parts(path)
                kept, found = beside.kept, beside.sealed
                first = 0 if fd is None else first_seq(disk, fd)
                # Opened while it was empty, or before there was one: it may have grown and been sealed meanwhile,
                # and would be gone through twice, or not at all.
                if (found or kept) and not first and not _is_still(fd, path):
                    continue
            upto = kept.last if kept else 0
            doubled = [one for one in beside.leftover if one.last > upto and one.path.suffix != KEPT]
            if first > 0:
                doubled += [segment for segment in found if segment.last >= first]
                if doubled and not _is_still(fd, path):
                    # Sealed meanwhile, perhaps more than once.
                    continue
                found = [segment for segment in found if segment.last < first]
                kept = kept if kept and kept.last < first else None
            base = first - 1 if first else found[-1].last if found else kept.last if kept else 0
            segments = [Sealed(disk, segment) for segment in found]
            active = None if fd is None else Active(disk, fd, path, base)
            yield View(Kept(disk, kept) if kept else None, segments, active, doubled)
            return
    raise LogError(f"the event log {path} changes faster than it can be read")


def _is_still(fd: int | None, path: Path) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return fd is None
    return fd is not None and os.path.samestat(status, os.fstat(fd))
