"""Replays records step by step, each with the workspace before and after it: the base of who, cost and replay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from eventlog.audit.stream import Stream, stream_of
from eventlog.codec import LOG_SUBJECT
from eventlog.record import Record
from statemachine.errors import LogDamagedError
from statemachine.events import Event
from statemachine.fold import Workspace, empty, evolve
from statemachine.ports import Recorded


class Step(NamedTuple):
    """One event, and what it changed."""

    record: Record
    event: Event | None
    """None for a type that a newer version of this program wrote."""
    before: Workspace
    after: Workspace
    stream: Stream


def walk(records: Iterable[Record], damage: Sequence[object] = ()) -> Iterator[Step]:
    """The events of all workspaces in order; the logs' own events are left out.

    Raises LogDamagedError for a history that no version of this program ever wrote; once ``damage`` was noted,
    an event that cannot have happened is left out instead.
    """
    workspaces: dict[Stream, Workspace] = {}
    for record in records:
        if record.subject == LOG_SUBJECT:
            continue
        stream = stream_of(record)
        before = workspaces.get(stream) or empty(record.subject)
        event = record.event
        try:
            after = evolve(before, Recorded(record.seq, record.time, record.subject, event, record.type))
        except LogDamagedError:
            if damage:
                continue
            raise
        workspaces[stream] = after
        yield Step(record, event, before, after, stream)
