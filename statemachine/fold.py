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


class _Move(NamedTuple):
    """All that an event does to a workspace in some state, looked up at once."""

    to: dict[type[e.Event], _Move]
    """The moves that are possible after it."""
    sets: tuple[str, ...]
    cleared: dict[str, None]


def _moves() -> dict[State, dict[type[e.Event], _Move]]:
    found: dict[State, dict[type[e.Event], _Move]] = {state: {} for state in State}
    for kind, moves in TABLE.items():
        change = CHANGES[kind]
        for source, target in moves.items():
            sets = change.sets if source is target else ("since", *change.sets)
            found[source][kind] = _Move(found[target], sets, dict.fromkeys(change.clears))
    return found


_MOVES: Final = _moves()
_STATES: Final = {id(moves): state for state, moves in _MOVES.items()}


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
    move = _MOVES[workspace.state].get(type(event))
    if move is None:
        raise _impossible(workspace.subject, workspace.state, recorded)
    changed: dict[str, Any] = {"version": recorded.seq, "state": _STATES[id(move.to)], **move.cleared}
    for name in move.sets:
        changed[name] = _VALUES[name](recorded)
    if isinstance(event, e.CommandOpened):
        changed["commands"] = {**workspace.commands, event.command: _opened(recorded)}
    elif isinstance(event, e.CommandClosed) and event.command in workspace.commands:
        changed["commands"] = {key: value for key, value in workspace.commands.items() if key != event.command}
    return msgspec.structs.replace(workspace, **changed)


class Folding(Generic[T]):
    """One workspace's history on its way to a Workspace.

    ``T`` is whatever stands for an event, such as its line in the log; ``read`` makes an event of it, ``command``
    tells the identifier in one that opens or closes a command. Most events are never read, because later ones
    replace all they changed.
    """

    __slots__ = ("_base", "_command", "_fields", "_last", "_left", "_moves", "_opened", "_read")

    def __init__(self, base: Workspace, read: Callable[[T], Recorded], command: Callable[[T], str]) -> None:
        self._base = base
        self._read = read
        self._command = command
        self._fields: dict[str, T | None] = {}
        self._left = dict(base.commands)
        self._opened: dict[str, T] = {}
        self._last: T | None = None
        self._moves = _MOVES[base.state]

    @property
    def state(self) -> State:
        """The state so far."""
        return _STATES[id(self._moves)]

    def add(self, kind: type[e.Event] | None, item: T) -> None:
        """Take the next event; ``kind`` is None for a type this version does not know. Raises as ``evolve``."""
        self._last = item
        if kind is None:
            return
        move = self._moves.get(kind)
        if move is None:
            raise _impossible(self._base.subject, self.state, self._read(item))
        self._moves, sets, cleared = move
        fields = self._fields
        for name in sets:
            fields[name] = item
        if cleared:
            fields.update(cleared)
        elif kind is e.CommandOpened:
            self._opened[self._command(item)] = item
        elif kind is e.CommandClosed:
            command = self._command(item)
            self._opened.pop(command, None)
            self._left.pop(command, None)

    def workspace(self) -> Workspace:
        """What the events so far add up to."""
        if self._last is None:
            return self._base
        changed: dict[str, Any] = {
            name: None if item is None else _VALUES[name](self._read(item)) for name, item in self._fields.items()
        }
        opened = {command: _opened(self._read(item)) for command, item in self._opened.items()}
        changed["commands"] = self._left | opened
        return msgspec.structs.replace(self._base, version=self._read(self._last).seq, state=self.state, **changed)


def fold(subject: str, history: Iterable[Recorded]) -> Workspace:
    """The workspace its whole history adds up to. Raises what ``evolve`` raises."""
    return fold_on(empty(subject), history)


def fold_on(workspace: Workspace, history: Iterable[Recorded]) -> Workspace:
    """The workspace after more events. Raises what ``evolve`` raises."""
    folding = Folding(workspace, _itself, _command)
    add = folding.add
    for recorded in history:
        event = recorded.event
        add(None if event is None else type(event), recorded)
    return folding.workspace()


def _command(recorded: Recorded) -> str:
    found: str = getattr(recorded.event, "command", "")
    return found


def _itself(recorded: Recorded) -> Recorded:
    return recorded


def _impossible(subject: str, state: State, recorded: Recorded) -> LogDamagedError:
    return LogDamagedError(
        f"event {recorded.seq} of the log says {recorded.type} for workspace {subject}, "
        f"which cannot happen while it is {state}"
    )
