"""Reading the log front to back in constant memory, and finding one subject's lines without parsing the rest."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eventlog.disk import Disk
from eventlog.failures import explained, log_error, not_a_file
from eventlog.files.tail import TOO_LONG, line_number, not_ours
from eventlog.lines import layout
from eventlog.lines.codec import encode
from statemachine.errors import LogDamagedError

BLOCK: Final = 1 << 16
"""Bytes read at once; what fits into the processor's cache is gone through fastest."""


@contextmanager
def open_plain(disk: Disk, path: Path) -> Iterator[int | None]:
    """A descriptor to read a file, whatever is in it; None when there is no such file. Raises LogError."""
    with explained(path, "read"):
        try:
            fd = disk.open_read(str(path))
        except FileNotFoundError:
            fd = -1
        except IsADirectoryError:
            raise not_a_file(path) from None
    if fd < 0:
        yield None
        return
    try:
        with explained(path, "read"):
            status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise not_a_file(path)
        yield fd
    finally:
        disk.close(fd)


@contextmanager
def open_log(disk: Disk, path: Path) -> Iterator[int | None]:
    """A descriptor to read the log; None when there is no log yet. Raises LogError for what is no event log."""
    with open_plain(disk, path) as fd:
        if fd is not None:
            with explained(path, "read"):
                head = disk.read_at(fd, len(layout.START) + layout.MIN_LINE, 0)
            if not layout.starts_like_ours(head):
                raise not_ours(path)
        yield fd


def blocks(disk: Disk, fd: int, path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Whole lines in large pieces, each with its offset, from the start of a line on.

    What is behind the last newline is not given out: somebody is writing it, or died doing so. It is read
    again each time rather than kept, for it may meanwhile have been set aside and written over.
    """
    at, want = start, BLOCK
    while True:
        try:
            data = disk.read_at(fd, want, at)
        except OSError as error:
            raise log_error(path, "read", error) from error
        whole = data.rfind(b"\n") + 1
        if whole:
            yield at, data if whole == len(data) else data[:whole]
            at, want = at + whole, BLOCK
        elif len(data) < want:
            return
        elif want < layout.MAX_LINE:
            want = layout.MAX_LINE
        else:
            raise damaged(disk, fd, path, at, TOO_LONG)


def next_line(disk: Disk, fd: int, offset: int) -> int | None:
    """Where the first line at or behind an offset begins; None where none does."""
    data = disk.read_at(fd, layout.MAX_LINE + 1, offset - 1)
    found = data.find(b"\n")
    return offset + found if found >= 0 else None


def head_at(disk: Disk, fd: int, offset: int) -> str:
    """The hash of the line that ends at an offset."""
    if offset == 0:
        return layout.GENESIS
    start = max(0, offset - layout.MIN_LINE)
    return layout.hash_in(disk.read_at(fd, offset - 1 - start, start))


def needle(subject: str) -> bytes:
    """What every line of a subject contains. Other lines may too, deep in their data; so decode and compare."""
    return b'"subject":' + encode(subject)


def lines_with(wanted: bytes, data: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines of a block that contain some bytes, with their offsets in it; the others cost only the search."""
    found = data.find(wanted)
    while found >= 0:
        first = data.rfind(b"\n", 0, found) + 1
        end = data.index(b"\n", found)
        yield first, data[first:end]
        found = data.find(wanted, end)


def damaged(disk: Disk, fd: int, path: Path, offset: int, reason: str) -> LogDamagedError:
    """The error for the line at an offset."""
    return LogDamagedError(f"{path}, line {line_number(disk, fd, offset)}: {reason}")
