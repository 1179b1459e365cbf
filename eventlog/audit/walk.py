"""Replays records step by step, each with the workspace before and after it: the base of who, cost and replay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from eventlog.audit.stream import Stream, stream_of
from eventlog.lines.codec import LOG_SUBJECT
from eventlog.lines.record import Record
from statemachine.errors import LogDamagedError
from statemachine.events import Event
from statemachine.fold import Workspace, empty, evolve
from statemachine.folding import moves_always
from statemachine.ports import Recorded
from statemachine.table import TABLE


class Step(NamedTuple):
    """One event, and what it changed."""

    record: Record
    event: Event | None
    """None for a type that a newer version of this program wrote."""
    before: Workspace
    after: Workspace
    stream: Stream


def walk(records: Iterable[Record], damage: list[LogDamagedError] | None = None) -> Iterator[Step]:
    """The events of all workspaces in order; the logs' own events are left out.

    Raises LogDamagedError for a history that no version of this program ever wrote. Where ``damage`` is given that is
    noted there, once a workspace: the event that cannot have happened is left out, and the history taken up again where
    the next one tells the state. A newer version, whose events are unknown here, leaves such a history.
    """
    workspaces: dict[Stream, Workspace] = {}
    noted: set[Stream] = set()
    for record in records:
        if record.subject == LOG_SUBJECT:
            continue
        stream = stream_of(record)
        before = workspaces.get(stream) or empty(record.subject)
        event = record.event
        recorded = Recorded(record.seq, record.time, record.subject, event, record.type)
        try:
            after = evolve(before, recorded)
        except LogDamagedError as error:
            if damage is None:
                raise
            if stream not in noted:
                noted.add(stream)
                whose = f"{stream.writer}: " if stream.writer else ""
                damage.append(LogDamagedError(f"{whose}{error.message}", remedy=error.hint))
            if event is None or not moves_always(type(event)):
                continue
            after = evolve(replace(before, state=next(iter(TABLE[type(event)]))), recorded)
        workspaces[stream] = after
        yield Step(record, event, before, after, stream)
