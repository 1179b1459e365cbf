"""What this process already read of a subject, so that the next question starts there and not at line 1."""

from __future__ import annotations

from typing import Final

import msgspec

from eventlog.disk import Disk
from statemachine.ports import Recorded

KEPT_EVENTS: Final = 2_000
"""A subject with more events than this is read again rather than kept in memory."""

_ANCHOR: Final = 80
"""Bytes before an offset that show the file is still the same up to there: the hash of the line above."""


class Known(msgspec.Struct, frozen=True):
    """One subject up to an offset in the log."""

    offset: int
    anchor: bytes
    version: int
    """Seq of the subject's last event before the offset; 0 if there is none."""
    events: tuple[Recorded, ...] | None
    """None when there are too many to keep."""


NOTHING: Final = Known(0, b"", 0, ())


def anchor_at(disk: Disk, fd: int, offset: int) -> bytes:
    """The bytes just before an offset."""
    start = max(0, offset - _ANCHOR)
    return disk.read_at(fd, offset - start, start)


def still_true(disk: Disk, fd: int, known: Known) -> bool:
    """Whether the file still has, up to the offset, what was read; a log that was replaced has not."""
    return anchor_at(disk, fd, known.offset) == known.anchor
