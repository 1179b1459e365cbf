"""What happened, for people: one row for each operation and each observation. Pure.

An operation is an intent joined with what closed it. The lifecycle's own table decides what that is, so a
row never says anything else than the fold does.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from eventlog.lines.codec import CheckpointSigned, TornTailSetAside, own_event_of
from eventlog.lines.record import Actor, Record
from eventlog.lines.tombstone import SegmentFacts, SegmentsArchived, SegmentsExpired
from statemachine import events as e
from statemachine.lifecycle import OUTCOME

VERBS: Final[dict[type[e.Event], str]] = {
    e.CreateRequested: "create",
    e.StartRequested: "start",
    e.StopRequested: "stop",
    e.DeleteRequested: "delete",
    e.CommandOpened: "command",
}
"""The operation each intent begins."""

OBSERVED: Final = tuple(kind.__name__.lower() for kind in e.OBSERVATIONS)
"""What a row of an observation has in the place of an operation."""

OWN: Final[dict[type[e.Event], str]] = {
    CheckpointSigned: "seal",
    SegmentsArchived: "archive",
    SegmentsExpired: "expire",
    TornTailSetAside: "set aside",
}
"""The same for what the log did itself."""

ENDS: Final[dict[type[e.Event], str]] = {kind: str(verb) for verb, kinds in OUTCOME.items() for kind in kinds}
"""The operation each outcome ends."""

SETTLES: Final[tuple[type[e.Event], ...]] = (e.Adopted, e.Drifted, e.Exited, e.Vanished)
"""Observations that show what became of an operation whose own outcome nobody recorded."""


class Ended(StrEnum):
    """How an operation stands."""

    OK = "ok"
    FAILED = "failed"
    OPEN = "open"
    ABANDONED = "abandoned"
    """Its process ended before the outcome was known, and nobody learned it later."""
    SEEN = "seen"
    """No operation: something that was observed, or that the log did itself."""


class Row(msgspec.Struct, kw_only=True):
    """One operation or observation."""

    seq: int
    """Of the event that began it."""
    time: datetime
    subject: str
    actor: Actor
    verb: str
    ended: Ended
    detail: str = ""
    """Why it failed, what was observed, or the exit status of a command."""
    seconds: float | None = None
    """From intent to outcome; None while it is open. Clocks that step make this wrong, never the order."""
    correlation: str = ""
    closed: int | None = None
    """Seq of the event that ended it."""
    request_id: str = ""
    """Azure's, of the request that ended it."""

    @property
    def outcome(self) -> str:
        """``ended`` and ``detail`` in one text."""
        return f"{self.ended}: {self.detail}" if self.detail else str(self.ended)


def rows(records: Iterable[Record], *, subject: str | None = None, limit: int | None = None) -> list[Row]:
    """The rows of some records, oldest first: of one subject if named, the newest ``limit`` if given.

    No more than those, and what is open, are kept in memory. Raises what ``Record.event`` raises.
    """
    found: deque[Row] = deque(maxlen=None if limit is None else min(max(0, limit), sys.maxsize))
    open_operations: dict[str, Row] = {}
    open_commands: dict[tuple[str, str], Row] = {}
    for record in records:
        if subject is not None and record.subject != subject:
            continue
        event = record.event
        if isinstance(event, e.CommandOpened):
            row = open_commands[record.subject, event.command] = _opened(record, event)
            row.detail = event.purpose
            found.append(row)
        elif isinstance(event, e.CommandClosed):
            _close_command(open_commands.pop((record.subject, event.command), None), record, event)
        elif isinstance(event, e.Intent):
            _abandon(open_operations.pop(record.subject, None), record)
            row = open_operations[record.subject] = _opened(record, event)
            found.append(row)
        elif isinstance(event, (e.Outcome, e.FailedOutcome)):
            begun = open_operations.get(record.subject)
            if begun is not None and begun.verb == ENDS.get(type(event)):
                _close(open_operations.pop(record.subject), record, event)
        else:
            if isinstance(event, SETTLES):
                _abandon(open_operations.pop(record.subject, None), record)
            found.append(_seen(record, event))
    return list(found)


def _opened(record: Record, event: e.Event) -> Row:
    return _row(record, VERBS[type(event)], Ended.OPEN)


def _close(row: Row, record: Record, event: e.Outcome | e.FailedOutcome) -> None:
    _end(row, record, Ended.OK)
    if isinstance(event, e.FailedOutcome):
        row.ended = Ended.FAILED
        row.detail = why(event.failure)
        row.request_id = event.failure.request_id
    else:
        row.request_id = event.receipt.request_id


def _close_command(row: Row | None, record: Record, event: e.CommandClosed) -> None:
    if row is None:
        return
    if event.reason == "abandoned":
        _end(row, record, Ended.ABANDONED)
        return
    _end(row, record, Ended.OK if event.reason == "exited" and not event.exit_status else Ended.FAILED)
    notes = [row.detail]
    if event.exit_status:
        notes.append(f"exit status {event.exit_status}")
    if event.failure is not None:
        notes.append(why(event.failure))
    row.detail = ", ".join(note for note in notes if note)


def _abandon(row: Row | None, record: Record) -> None:
    if row is not None:
        _end(row, record, Ended.ABANDONED)


def _end(row: Row, record: Record, ended: Ended) -> None:
    row.ended = ended
    row.closed = record.seq
    row.seconds = (record.time - row.time).total_seconds()


def _seen(record: Record, event: e.Event | None) -> Row:
    row = _row(record, record.type.lower(), Ended.SEEN)
    if isinstance(event, e.Observation):
        row.detail, row.request_id = what_was_seen(event), event.request_id
    elif own := own_event_of(record.type, record.schema, record.data, record.seq):
        row.verb, row.detail = OWN[type(own)], _own(own)
    else:
        row.detail = "written by a newer version of this program"
    return row


def what_was_seen(event: e.Observation) -> str:
    """What Azure showed, in its own words, and with the exit status where a container ended."""
    if isinstance(event, e.Exited) and event.exit_code is not None:
        return f"exit status {event.exit_code}" + (f", {event.detail}" if event.detail else "")
    return event.detail


def _own(event: e.Event) -> str:
    """What the log did itself, in detail."""
    match event:
        case TornTailSetAside():
            return f"an unfinished line of {event.size} bytes, kept in {event.file}"
        case CheckpointSigned():
            return f"all {event.count} events before, with key {event.key}"
        case SegmentsArchived():
            return f"{_span(event.segments)} to {event.place}{_because(event.reason)}"
        case SegmentsExpired():
            return f"{_span(event.segments)}, {event.kept} kept of all up to {event.last}{_because(event.reason)}"
        case _:
            return ""


def _span(segments: tuple[SegmentFacts, ...]) -> str:
    return f"events {segments[0].first} to {segments[-1].last}" if segments else "no events"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _row(record: Record, verb: str, ended: Ended) -> Row:
    return Row(
        seq=record.seq,
        time=record.time,
        subject=record.subject,
        actor=record.actor,
        verb=verb,
        ended=ended,
        correlation=record.correlation,
    )


def why(failure: e.Failure) -> str:
    """A failure in one line, without its numbers."""
    return f"{failure.code or failure.error}: {failure.message}"
