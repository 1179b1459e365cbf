"""What this process already read of a subject, so that the next question starts there and not at line 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from eventlog import layout
from eventlog.disk import Disk
from statemachine.ports import Recorded

KEPT_EVENTS: Final = 2_000
"""A subject with more events than this is read again rather than kept in memory."""


class Known(msgspec.Struct, frozen=True):
    """One subject up to an offset in the log."""

    offset: int
    head: str
    """Hash of the line that ends at the offset: shows whether the log is still the same up to there."""
    version: int
    """Seq of the subject's last event before the offset; 0 if there is none."""
    kept: list[Recorded] | None
    """Begins with the subject's events; None when there are too many to keep. Only ever added to."""
    count: int
    """How many events of the list were known then; those behind them belong to later knowledge."""

    def events(self) -> list[Recorded]:
        """The subject's events, if they are kept."""
        return [] if self.kept is None else self.kept[: self.count]


def nothing() -> Known:
    """What is known of a subject nobody asked for yet."""
    return Known(0, layout.GENESIS, 0, [], 0)


def head_at(disk: Disk, fd: int, offset: int) -> str:
    """The hash of the line that ends at an offset."""
    if offset == 0:
        return layout.GENESIS
    start = max(0, offset - layout.MIN_LINE)
    return layout.hash_in(disk.read_at(fd, offset - 1 - start, start))


def grown(known: Known, found: Sequence[Recorded], offset: int, head: str) -> Known:
    """What is known after more events of the subject were read."""
    kept, count = known.kept, known.count + len(found)
    if count > KEPT_EVENTS:
        kept = None
    elif kept is not None and found:
        if len(kept) > known.count:
            kept = kept[: known.count]
        kept += found
    return Known(offset, head, found[-1].seq if found else known.version, kept, count)
