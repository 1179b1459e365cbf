"""What this process has already read of a subject, so that the next read starts there and not at line 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from eventlog.files.pieces import Place
from statemachine.ports import Recorded

KEPT_EVENTS: Final = 2_000
"""A subject with more events than this is read again rather than kept in memory."""


class Known(msgspec.Struct, frozen=True):
    """One subject up to a place in the log."""

    place: Place
    version: int
    """Seq of the subject's last event before the place; 0 if there is none."""
    kept: list[Recorded] | None
    """The subject's events, and perhaps later ones behind them; None when there are too many to keep. Append-only."""
    count: int
    """How many events at the start of the list belong to this state of knowledge."""

    def events(self) -> list[Recorded]:
        """The subject's events, if they are kept."""
        return [] if self.kept is None else self.kept[: self.count]


def nothing(start: Place) -> Known:
    """What is known of a subject nobody asked for yet, in a log that begins there."""
    return Known(start, 0, [], 0)


def grown(known: Known, found: Sequence[Recorded], place: Place) -> Known:
    """What is known after more events of the subject were read."""
    kept, count = known.kept, known.count + len(found)
    if count > KEPT_EVENTS:
        kept = None
    elif kept is not None and found:
        if len(kept) > known.count:
            kept = kept[: known.count]
        kept += found
    return Known(place, found[-1].seq if found else known.version, kept, count)
