"""A workspace's history, event by event: the state after each, the time between, what was asked and answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from eventlog.audit.story import Words, spec, told
from eventlog.audit.walk import Step
from eventlog.history import why
from statemachine.fold import Workspace
from statemachine.states import State


class Moment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of a replay."""

    seq: int
    time: datetime
    type: str
    state: State
    """After it."""
    was: State | None = None
    """Before it, where it changed."""
    seconds: float | None = None
    """Since the event before; negative where a clock stepped back."""
    user: str
    host: str
    azure: str = ""
    correlation: str = ""
    words: Words


def moments(steps: Iterable[Step]) -> Iterator[tuple[Moment, Workspace]]:
    """One workspace's events, each with the workspace after it."""
    last: datetime | None = None
    for record, event, before, after, _ in steps:
        yield (
            Moment(
                seq=record.seq,
                time=record.time,
                type=record.type,
                state=after.state,
                was=before.state if before.state is not after.state else None,
                seconds=None if last is None else (record.time - last).total_seconds(),
                user=record.actor.user,
                host=record.actor.host,
                azure=record.actor.azure,
                correlation=record.correlation,
                words=told(event, before),
            ),
            after,
        )
        last = record.time


def up_to(steps: Iterable[Step], *, seq: int | None = None, moment: datetime | None = None) -> Iterator[Step]:
    """The events up to and including a seq, or a moment."""
    for step in steps:
        if (seq is None or step.record.seq <= seq) and (moment is None or step.record.time <= moment):
            yield step


def facts_of(workspace: Workspace) -> dict[str, str]:
    """What is known of a workspace, by name, as text: what a replay ends with and a diff compares."""
    facts, group, intent, failure = workspace.facts, workspace.group, workspace.intent, workspace.failure
    found: dict[str, object] = {
        "name": facts.name if facts else "",
        "state": workspace.state,
        "since": _time(workspace.since),
        "created": _time(workspace.created),
        "started": _time(workspace.started),
        "group": f"{group.resource_group}/{group.name}" if group else "",
        "container": group.container if group else "",
        "asked for": spec(facts) if facts else "",
        "restart policy": facts.restart_policy if facts else "",
        "ports": ", ".join(str(port) for port in facts.ports) if facts else "",
        "environment": ", ".join(facts.environment) if facts else "",
        "mode": facts.mode if facts else "",
        "open intent": f"{type(intent.event).__name__} of {_time(intent.time)} (seq {intent.seq})" if intent else "",
        "last failure": why(failure) if failure else "",
        "open commands": str(len(workspace.commands)) if workspace.commands else "",
        "version": str(workspace.version) if workspace.version else "",
    }
    return {name: str(value) for name, value in found.items() if value}


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
