"""What a workspace's events add up to.

``CHANGES`` is the only definition of that, beside the table of states. Two readings of it: ``evolve`` makes the
workspace after one more event; a ``Folding`` goes through a long history, remembers for each field the one
event it comes from, and looks into those events only when it is asked for the workspace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from statemachine import events as e
from statemachine.errors import LogDamagedError
from statemachine.ports import Recorded
from statemachine.states import State
from statemachine.table import TABLE

HELD: Final = frozenset({State.PROVISIONING, State.STARTING, State.STOPPING, State.DELETING})
"""The states an intent leads to; only an outcome or an observation leads out of them."""

T = TypeVar("T")


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


def _opened(recorded: Recorded) -> OpenIntent:
    event = recorded.event
    if not isinstance(event, e.Intent):
        raise TypeError(f"a {recorded.type} is no intent")
    return OpenIntent(recorded.seq, recorded.time, event)


def _of_event(name: str) -> Callable[[Recorded], Any]:
    return lambda recorded: getattr(recorded.event, name)


_VALUES: Final[dict[str, Callable[[Recorded], Any]]] = {
    "since": _time,
    "created": _time,
    "started": _time,
    "intent": _opened,
    "group": _of_event("group"),
    "facts": _of_event("facts"),
    "failure": _of_event("failure"),
}
"""How a field's value is taken from the event that set it."""


class _Rule(NamedTuple):
    """All about one type of event, looked up at once."""

    moves: dict[State, State]
    sets: tuple[str, ...]
    cleared: dict[str, None]


RULES: Final[dict[type[e.Event], _Rule]] = {
    kind: _Rule(moves, CHANGES[kind].sets, dict.fromkeys(CHANGES[kind].clears)) for kind, moves in TABLE.items()
}


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
    moves, sets, cleared = RULES[type(event)]
    state = moves.get(workspace.state)
    if state is None:
        raise _impossible(workspace.subject, workspace.state, recorded)
    changed: dict[str, Any] = {"version": recorded.seq, **cleared}
    if state is not workspace.state:
        changed["state"] = state
        changed["since"] = recorded.time
    for name in sets:
        changed[name] = _VALUES[name](recorded)
    if isinstance(event, e.CommandOpened):
        changed["commands"] = {**workspace.commands, event.command: _opened(recorded)}
    elif isinstance(event, e.CommandClosed) and event.command in workspace.commands:
        changed["commands"] = {key: value for key, value in workspace.commands.items() if key != event.command}
    return msgspec.structs.replace(workspace, **changed)


class Folding(Generic[T]):
    """One workspace's history on its way to a Workspace.

    ``T`` is whatever stands for an event, such as its line in the log; ``read`` makes an event of it. Most
    events are never read, because later ones replace all they changed.
    """

    __slots__ = ("_base", "_commands", "_fields", "_last", "_read", "state")

    def __init__(self, base: Workspace, read: Callable[[T], Recorded]) -> None:
        self._base = base
        self._read = read
        self._fields: dict[str, T | None] = {}
        self._commands: dict[str, OpenIntent] | None = None
        self._last: T | None = None
        self.state = base.state

    def add(self, kind: type[e.Event] | None, item: T) -> None:
        """Take the next event; ``kind`` is None for a type this version does not know. Raises as ``evolve``."""
        self._last = item
        if kind is None:
            return
        moves, sets, cleared = RULES[kind]
        state = moves.get(self.state)
        if state is None:
            raise _impossible(self._base.subject, self.state, self._read(item))
        fields = self._fields
        if state is not self.state:
            self.state = state
            fields["since"] = item
        for name in sets:
            fields[name] = item
        if cleared:
            fields.update(cleared)
        elif kind is e.CommandOpened or kind is e.CommandClosed:
            self._command(self._read(item))

    def _command(self, recorded: Recorded) -> None:
        if self._commands is None:
            self._commands = dict(self._base.commands)
        if isinstance(recorded.event, e.CommandOpened):
            self._commands[recorded.event.command] = _opened(recorded)
        elif isinstance(recorded.event, e.CommandClosed):
            self._commands.pop(recorded.event.command, None)

    def workspace(self) -> Workspace:
        """What the events so far add up to."""
        if self._last is None:
            return self._base
        changed: dict[str, Any] = {
            name: None if item is None else _VALUES[name](self._read(item)) for name, item in self._fields.items()
        }
        if self._commands is not None:
            changed["commands"] = dict(self._commands)
        return msgspec.structs.replace(self._base, version=self._read(self._last).seq, state=self.state, **changed)


def fold(subject: str, history: Iterable[Recorded]) -> Workspace:
    """The workspace its whole history adds up to. Raises what ``evolve`` raises."""
    folding = Folding(empty(subject), _itself)
    add = folding.add
    for recorded in history:
        event = recorded.event
        add(None if event is None else type(event), recorded)
    return folding.workspace()


def _itself(recorded: Recorded) -> Recorded:
    return recorded


def _impossible(subject: str, state: State, recorded: Recorded) -> LogDamagedError:
    return LogDamagedError(
        f"event {recorded.seq} of the log says {recorded.type} for workspace {subject}, "
        f"which cannot happen while it is {state}"
    )
