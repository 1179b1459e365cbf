"""The fold: what a workspace's events add up to.

``CHANGES`` and the table of states define it, and nothing else does. Two modules apply them: ``evolve`` here makes the
workspace after one more event; ``statemachine.folding`` folds a long history without decoding most of its events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from statemachine import events as e
from statemachine.errors import LogDamagedError
from statemachine.ports import Recorded
from statemachine.states import State
from statemachine.table import TABLE

HELD: Final = frozenset({State.PROVISIONING, State.STARTING, State.STOPPING, State.DELETING})
"""The states an intent leads to; only an outcome or an observation leads out of them."""


class OpenIntent(msgspec.Struct, frozen=True, gc=False):
    """An intent without its outcome."""

    seq: int
    time: datetime
    event: e.Intent


class Workspace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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


class Change(NamedTuple):
    """What an event does to a workspace besides moving its state."""

    sets: tuple[str, ...] = ()
    """Fields that take their value from it."""
    clears: tuple[str, ...] = ()
    """Fields that are None after it."""


_INTENT: Final = Change(sets=("intent",))
_FAILED: Final = Change(sets=("failure",), clears=("intent",))
_SETTLED: Final = Change(clears=("intent",))

CHANGES: Final[dict[type[e.Event], Change]] = {
    e.CreateRequested: Change(sets=("intent", "group", "facts")),
    e.StartRequested: _INTENT,
    e.StopRequested: _INTENT,
    e.DeleteRequested: _INTENT,
    e.Created: Change(sets=("created", "started"), clears=("intent", "failure")),
    e.Started: Change(sets=("started",), clears=("intent", "failure")),
    e.Stopped: _SETTLED,
    e.Deleted: Change(clears=("intent", "failure", "created", "started")),
    e.CreateFailed: _FAILED,
    e.StartFailed: _FAILED,
    e.StopFailed: _FAILED,
    e.DeleteFailed: _FAILED,
    e.Adopted: Change(sets=("group", "facts", "created", "started"), clears=("intent", "failure")),
    e.Drifted: Change(sets=("started",), clears=("intent", "failure")),
    e.Exited: _SETTLED,
    e.Evicted: Change(),
    e.Vanished: Change(clears=("intent", "created", "started")),
    # These two change ``commands``, which holds more than one event.
    e.CommandOpened: Change(),
    e.CommandClosed: Change(),
}


def _time(recorded: Recorded) -> datetime:
    return recorded.time


def opened(recorded: Recorded) -> OpenIntent:
    """The intent in an event. Raises TypeError when it is none."""
    event = recorded.event
    if not isinstance(event, e.Intent):
        raise TypeError(f"a {recorded.type} is no intent")
    return OpenIntent(recorded.seq, recorded.time, event)


def _of_event(name: str) -> Callable[[Recorded], object]:
    return lambda recorded: getattr(recorded.event, name)


VALUES: Final[dict[str, Callable[[Recorded], object]]] = {
    "since": _time,
    "created": _time,
    "started": _time,
    "intent": opened,
    "group": _of_event("group"),
    "facts": _of_event("facts"),
    "failure": _of_event("failure"),
}
"""How a field's value is taken from the event that set it."""


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
    kind, state = type(event), workspace.state
    target = TABLE[kind].get(state) if kind in TABLE else None
    if target is None:
        raise _impossible(workspace.subject, state, recorded)
    change = CHANGES[kind]
    changed: dict[str, object] = {"version": recorded.seq, "state": target, **dict.fromkeys(change.clears)}
    if target is not state:
        changed["since"] = recorded.time
    for name in change.sets:
        changed[name] = VALUES[name](recorded)
    if isinstance(event, e.CommandOpened):
        changed["commands"] = {**workspace.commands, event.command: opened(recorded)}
    elif isinstance(event, e.CommandClosed) and event.command in workspace.commands:
        changed["commands"] = {key: value for key, value in workspace.commands.items() if key != event.command}
    return msgspec.structs.replace(workspace, **changed)


def fold(subject: str, history: Iterable[Recorded]) -> Workspace:
    """The workspace its whole history adds up to. Raises what ``evolve`` raises."""
    return fold_on(empty(subject), history)


def fold_on(workspace: Workspace, history: Iterable[Recorded]) -> Workspace:
    """The workspace after more events. Raises what ``evolve`` raises."""
    for recorded in history:
        workspace = evolve(workspace, recorded)
    return workspace


def _impossible(subject: str, state: State, recorded: Recorded) -> LogDamagedError:
    return LogDamagedError(
        f"event {recorded.seq} of the log says {recorded.type} for workspace {subject}, "
        f"which cannot happen while it is {state}",
        remedy="If a newer version of this program wrote to the log, install that one; else restore it from a copy.",
    )
