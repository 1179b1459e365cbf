"""Gaps in a log, and the tombstones that explain them: asked by ``verify`` where the chain skips lines.

A log from which events expired begins with the lines that are kept of them, with gaps in between, and goes on whole
behind the last that expired. That is so in the log's own folder, and in one file that was exported from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import msgspec

from eventlog.files.pieces import Kept, Piece, Sealed
from eventlog.lines import layout
from eventlog.lines.codec import UNREADABLE
from eventlog.lines.tombstone import SegmentFacts, SegmentsArchived, SegmentsExpired
from eventlog.replay import Entry
from eventlog.retention.expired import Told, readable_tombstones
from eventlog.retention.measure import entries, measure
from statemachine.errors import LogDamagedError

_KINDS: Final[dict[str, type[SegmentsArchived | SegmentsExpired]]] = {
    kind.__name__: kind for kind in (SegmentsArchived, SegmentsExpired)
}


class Gaps:
    """The gaps of one log, and what its own events say of segments."""

    def __init__(self, pieces: list[Piece], *, kept: Kept | None, archived: list[Sealed]) -> None:
        self._pieces = pieces
        self._kept = kept
        self._archived = archived
        self._segment: Sealed | None = None
        self._told: list[Told] | None = None
        self._ends: dict[int, str] = {}
        """Hashes of the lines that segments end with."""
        self.aside: set[str] = set()
        """Files that expired along with the event that told of them."""
        self.missing = 0
        """Seq of the last line that is missing so far."""
        self.unexplained = False
        """Whether something is missing of which no tombstone speaks that can be read."""
        self.found: Told | None = None
        """The tombstone for all that is missing, once ``verdict`` found it in order."""

    def enter(self, piece: Piece) -> None:
        """The next lines are of this piece."""
        self._segment = piece if isinstance(piece, Sealed) and not isinstance(piece, Kept) else None

    def refusal(self, before: int, seq: int, line: bytes) -> str:
        """What is wrong with a line that jumps ahead to ``seq``; nothing if some tombstone allows it.

        Segments go as a whole: there are gaps between them, and in what is kept, but none in one.
        """
        upto = 0
        if self._segment is None or self._segment.base == seq - 1:
            upto = max((one.event.last for one in self._tombstones()), default=0)
        if seq - 1 > upto:
            self.unexplained = True
            if not before:
                return f"is not the first line of a log: the beginning is missing, {_events(1, seq - 1)}"
            covered = f", and tombstones cover no more than event {upto}" if upto else ""
            were = "was" if seq - before == 2 else "were"
            return f"does not follow the line before: {_events(before + 1, seq - 1)} {were} removed here{covered}"
        self.missing = seq - 1
        if any(one.event.last == seq - 1 and one.event.head != layout.prev_in(line) for one in self._tombstones()):
            return f"does not follow event {seq - 1} as the tombstone has it"
        return ""

    def ends(self, seq: int, head: str) -> None:
        """A segment ends with this line."""
        self._ends[seq] = head

    def look(self, entry: Entry) -> str:
        """What is wrong with an event of the log's own about segments; nothing if nothing is, or it is another."""
        kind = _KINDS.get(entry.type)
        if kind is None or entry.schema > kind.VERSION:
            return ""
        try:
            event = msgspec.json.decode(entry.data, type=kind)
        except UNREADABLE as error:
            return f"is no record of this program: {error}"
        if isinstance(event, SegmentsExpired):
            self.aside.update(event.aside)
            if not event.segments or (event.segments[-1].last, event.segments[-1].head) != (event.last, event.head):
                return "is a tombstone that contradicts itself"
        for one in event.segments:
            if one.last >= entry.seq or one.events != one.last - one.first + 1:
                return "is a tombstone that contradicts itself"
            if self._ends.get(one.last, one.head) != one.head:
                return f"speaks of other events {one.first} to {one.last} than those that are there"
        return ""

    def verdict(self) -> str:
        """What is wrong with the beginning of the log, now that all lines were seen; nothing if nothing is.

        Raises LogError, LogDamagedError.
        """
        if not self.missing and self._kept is None:
            return ""
        last = self._kept.segment.last if self._kept else self.missing
        told = [one for one in self._tombstones() if one.event.last >= last]
        if not told:
            self.unexplained = True
            return f"is missing, with everything up to event {last}, and no tombstone says why"
        reasons = [self._against(one) for one in told]
        if all(reasons):
            return reasons[-1]
        self.found = told[reasons.index("")]
        return self._wrong_facts(told)

    def _tombstones(self) -> list[Told]:
        """All there are in the log, in front of and behind the place that was reached, oldest first."""
        if self._told is None:
            self._told = readable_tombstones(self._pieces)
        return self._told

    def _against(self, told: Told) -> str:
        """Why the lines that are kept are not those of which a tombstone speaks; nothing if they are."""
        event = told.event
        if self._kept and (self._kept.segment.last, self._kept.segment.head) != (event.last, event.head):
            return f"is in a file whose name says otherwise than the tombstone, event {told.record.seq}"
        digest, count, head = sha256(), 0, event.head
        try:
            for line, entry in self._upto(event.last):
                digest.update(line + b"\n")
                count += 1
                head = layout.hash_in(line) if entry.seq == event.last else head
        except LogDamagedError as error:
            return f"cannot be read: {error.message}"
        said = f"the tombstone, event {told.record.seq},"
        if count != event.kept:
            return f"is the first of {count} that are kept of expired events, where {said} speaks of {event.kept}"
        if (count and digest.hexdigest() != event.kept_sha256) or head != event.head:
            return f"is the first of {count} that are kept of expired events; {said} speaks of others"
        return ""

    def _upto(self, last: int) -> Iterable[tuple[bytes, Entry]]:
        """The lines that are here of events up to one."""
        for piece in [self._kept] if self._kept else self._pieces:
            for _, line, entry in entries(piece):
                if entry.seq > last:
                    return
                yield line, entry

    def _wrong_facts(self, told: list[Told]) -> str:
        """What the tombstones say of segments, against those that an archive has."""
        facts: dict[tuple[int, int], SegmentFacts] = {
            (one.first, one.last): one for each in told for one in each.event.segments
        }
        for piece in self._archived:
            said = facts.get((piece.segment.first, piece.segment.last))
            if said is not None and measure(piece) != said:
                return f"begins a log whose tombstone describes other events {said.first} to {said.last}"
        return ""


def _events(first: int, last: int) -> str:
    return f"event {first}" if first == last else f"events {first} to {last}"
