"""The end of the log, which an append has to know: read from the last few kilobytes, however long the log is."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from eventlog.disk import Disk
from eventlog.lines import layout
from eventlog.lines.codec import UNREADABLE
from statemachine.errors import LogDamagedError, LogError

_FIRST_READ: Final = 4096
_FIRST_LINE: Final = (1 << 10, 1 << 14, layout.MAX_LINE)
"""Bytes that hold a whole line: most, nearly all, and any."""
_SEQ_IN: Final = re.compile(rb'","seq":(\d{1,18}),"schema":')
TOO_LONG: Final = f"longer than {layout.MAX_LINE} bytes, which no line of an event log is"
_MOVE_AWAY: Final = "Set ACI_EVENT_LOG to another path, or move that file away."


class Tail(msgspec.Struct, frozen=True, gc=False):
    """Where the log ends."""

    seq: int
    """Of the last complete line; 0 in an empty log."""
    hash: str
    end: int
    """Offset behind the last complete line."""
    size: int
    """Of the file; what is between ``end`` and ``size`` was never finished."""
    base: int = 0
    """Seq of the last line before the file's first; negative where that line does not say, for it was changed."""


class _Seq(msgspec.Struct, gc=False):
    seq: int


_seq: Final = msgspec.json.Decoder(_Seq)


def seq_in(line: bytes) -> int:
    """The position a line says it has. Raises what is ``UNREADABLE``."""
    return _seq.decode(line).seq


def not_ours(path: Path) -> LogError:
    """The error for a file that something else wrote."""
    return LogError(f"{path} is not an event log of this program", remedy=_MOVE_AWAY)


def read_tail(disk: Disk, fd: int, path: Path) -> Tail:
    """The end of the log.

    An unfinished last line is one without a newline, or one with a NUL, which no line has, but which a file
    system puts where a page never reached the disk. Raises LogError for a file that is no event log and
    LogDamagedError when the last complete line is not what was written.
    """
    size = os.fstat(fd).st_size
    if size == 0:
        return Tail(0, layout.GENESIS, 0, 0)
    if not layout.starts_like_ours(disk.read_at(fd, len(layout.START) + layout.MIN_LINE, 0)):
        raise not_ours(path)
    line, end = _last_line(disk, fd, path, size)
    while b"\0" in line:
        line, end = _last_line(disk, fd, path, end - len(line) - 1)
    if not end:
        return Tail(0, layout.GENESIS, 0, size)
    if layout.is_whole(line):
        with suppress(*UNREADABLE):
            return Tail(seq_in(line), layout.hash_in(line), end, size, first_seq(disk, fd) - 1)
    number = line_number(disk, fd, end - 1)
    raise LogDamagedError(f"{path}, line {number}: the last event was changed after it was written")


def first_seq(disk: Disk, fd: int) -> int:
    """The seq of a file's first line; 0 when that is not there yet, or was changed: it tells which file this is."""
    for size in _FIRST_LINE:
        data = disk.read_at(fd, size, 0)
        line, newline, _ = data.partition(b"\n")
        if newline:
            match = _SEQ_IN.search(line) if layout.is_whole(line) else None
            return int(match[1]) if match else 0
        if len(data) < size:
            break
    return 0


def line_number(disk: Disk, fd: int, offset: int) -> int:
    """The number of the line that holds the byte at ``offset``, by counting: for errors only."""
    number, at = 1, 0
    while at < offset and (data := disk.read_at(fd, min(layout.MAX_LINE, offset - at), at)):
        number += data.count(b"\n")
        at += len(data)
    return number


def _last_line(disk: Disk, fd: int, path: Path, size: int) -> tuple[bytes, int]:
    """The last complete line before ``size`` and the offset behind it; an empty one at 0 if there is none."""
    want = _FIRST_READ
    while True:
        start = max(0, size - want)
        data = disk.read_at(fd, size - start, start)
        last = data.rfind(b"\n")
        before = data.rfind(b"\n", 0, max(0, last))
        whole = before >= 0 or start == 0
        if len(data) - last > layout.MAX_LINE or (last - before > layout.MAX_LINE and last >= 0):
            number = line_number(disk, fd, start + (before if len(data) - last <= layout.MAX_LINE else last) + 1)
            raise LogDamagedError(f"{path}, line {number}: {TOO_LONG}")
        if whole:
            return (data[before + 1 : last], start + last + 1) if last >= 0 else (b"", 0)
        want *= 4
