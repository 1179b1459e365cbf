"""What a workspace's events add up to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from statemachine import events as e
from statemachine.errors import LogDamagedError
from statemachine.ports import Recorded
from statemachine.states import State
from statemachine.table import next_state

HELD: Final = frozenset({State.PROVISIONING, State.STARTING, State.STOPPING, State.DELETING})
"""The states an intent leads to; only an outcome or an observation leads out of them."""


class OpenIntent(msgspec.Struct, frozen=True, gc=False):
    """An intent without its outcome."""

    seq: int
    time: datetime
    event: e.Intent


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """One workspace as its events tell it."""

    subject: str
    state: State = State.ABSENT
    version: int = 0
    """Seq of the subject's last event; 0 when there is none."""
    since: datetime | None = None
    """When the state was entered."""
    created: datetime | None = None
    started: datetime | None = None
    group: e.GroupRef | None = None
    """The group we last created or adopted; kept after it is gone."""
    facts: e.GroupFacts | None = None
    intent: OpenIntent | None = None
    failure: e.Failure | None = None
    """Why the last operation failed; None once one has succeeded."""
    commands: dict[str, OpenIntent] = {}
    """Commands that were opened and not closed, by their identifier."""


def empty(subject: str) -> Workspace:
    """A workspace nothing has happened to yet."""
    return Workspace(subject=subject)


def evolve(workspace: Workspace, recorded: Recorded) -> Workspace:
    """The workspace after one more event. Pure and total over the table.

    An event of an unknown (newer) type changes nothing but the version. Raises LogDamagedError for a
    transition the table does not have: no version of this program ever wrote such a history.
    """
    event = recorded.event
    if event is None:
        return msgspec.structs.replace(workspace, version=recorded.seq)
    state = next_state(workspace.state, event)
    if state is None:
        raise LogDamagedError(
            f"event {recorded.seq} of the log says {recorded.type} for workspace {workspace.subject}, "
            f"which cannot happen while it is {workspace.state}"
        )
    changed: dict[str, object] = {"version": recorded.seq, "state": state}
    if state is not workspace.state:
        changed["since"] = recorded.time
    changed |= _details(workspace, recorded, event, state)
    return msgspec.structs.replace(workspace, **changed)


def _details(workspace: Workspace, recorded: Recorded, event: e.Event, state: State) -> dict[str, object]:
    match event:
        case e.CommandOpened():
            opened = OpenIntent(recorded.seq, recorded.time, event)
            return {"commands": {**workspace.commands, event.command: opened}}
        case e.CommandClosed():
            left = {key: value for key, value in workspace.commands.items() if key != event.command}
            return {"commands": left}
        case e.Intent():
            details: dict[str, object] = {"intent": OpenIntent(recorded.seq, recorded.time, event)}
            if isinstance(event, e.CreateRequested):
                details |= {"group": event.group, "facts": event.facts}
            return details
        case e.FailedOutcome():
            return {"intent": None, "failure": event.failure}
        case e.Adopted():
            return {
                "group": event.group,
                "facts": event.facts,
                "intent": None,
                "failure": None,
                "created": recorded.time,
                "started": recorded.time,
            }
        case e.Created():
            return {"intent": None, "failure": None, "created": recorded.time, "started": recorded.time}
        case e.Started() | e.Drifted():
            return {"intent": None, "failure": None, "started": recorded.time}
        case e.Deleted() | e.Vanished():
            failure = workspace.failure if isinstance(event, e.Vanished) else None
            return {"intent": None, "failure": failure, "created": None, "started": None}
        case _:
            return {} if state in HELD else {"intent": None}


def fold(subject: str, history: Iterable[Recorded]) -> Workspace:
    """The workspace its whole history adds up to. Raises what ``evolve`` raises."""
    workspace = empty(subject)
    for recorded in history:
        workspace = evolve(workspace, recorded)
    return workspace
