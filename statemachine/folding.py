"""The fold of a long history, without decoding most of its events; ``fold`` says what the result means.

Which events a workspace depends on follows from ``TABLE`` and ``CHANGES``: for each field the last of those that set
or clear it. So it is enough to follow the state and to remember the place of the last event of each type; those few
events are decoded at the end. Two histories that were folded apart, one the continuation of the other, can be
joined, because every event that moves a workspace leads to one state wherever it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from statemachine import events as e
from statemachine.fold import CHANGES, VALUES, Workspace, opened
from statemachine.ports import Recorded
from statemachine.states import State
from statemachine.table import TABLE

Moves: TypeAlias = "dict[type[e.Event] | None, Moves]"
"""What can happen in a state: each type of event with the moves after it; None stands for all unknown types."""


def moves_always(kind: type[e.Event]) -> bool:
    """Whether an event changes the state wherever it happens; the others never do."""
    return any(source is not target for source, target in TABLE[kind].items())


def _graph() -> dict[State, Moves]:
    graph: dict[State, Moves] = {state: {} for state in State}
    for state, moves in graph.items():
        moves[None] = moves
        moves.update({kind: graph[ways[state]] for kind, ways in TABLE.items() if state in ways})
    return graph


_GRAPH: Final = _graph()
_STATES: Final = {id(moves): state for state, moves in _GRAPH.items()}


def _anywhere() -> Moves:
    """The moves when the state is not known yet: an event that can happen in every state does not tell it."""
    moves: Moves = {}
    moves[None] = moves
    for kind, ways in TABLE.items():
        moves[kind] = moves if len(set(ways.values())) > 1 else _GRAPH[next(iter(ways.values()))]
    return moves


_ANYWHERE: Final = _anywhere()
_LOST: Final[Moves] = {}
_LOST.update(dict.fromkeys([None, *TABLE], _LOST))
"""The moves after an event that was impossible in its state: whatever follows, the history stays given up."""

_SETS: Final = {kind: (*change.sets, *(["since"] if moves_always(kind) else [])) for kind, change in CHANGES.items()}


class Seen:
    """Where a type of event was last seen in the history of one workspace."""

    __slots__ = ("at", "folding", "is_command", "kind", "opens")

    def __init__(self, folding: Folding, kind: type[e.Event] | None) -> None:
        self.folding = folding
        self.kind = kind
        self.opens = kind is e.CommandOpened
        self.is_command = self.opens or kind is e.CommandClosed
        self.at = -1


class Carried(msgspec.Struct, array_like=True):
    """A history without a base, in a form that another process can be sent."""

    state: State | None
    is_lost: bool
    seen: list[tuple[str, int]]
    """Types of events in the order they were first seen, each with its last place."""
    opened: dict[bytes, int]
    closed: set[bytes]


class Folding:
    """The history of one workspace while it is folded; an event is identified by its place, and places only grow.

    ``base`` is the workspace before its first event, None when that is not known yet. ``add`` takes one event. A loop
    over millions of events does the same itself with ``see``, ``moves`` and ``opened``, because a call for each event
    would cost more than the rest of the loop.
    """

    __slots__ = ("_base", "_left", "_seen", "closed", "looks_back", "moves", "opened")

    def __init__(self, base: Workspace | None) -> None:
        self._base = base
        self._left = {} if base is None else {name.encode(): intent for name, intent in base.commands.items()}
        self._seen: dict[type[e.Event] | None, Seen] = {}
        self.moves: Moves = _ANYWHERE if base is None else _GRAPH[base.state]
        self.opened: dict[bytes, int] = {}
        """Commands that were opened and not closed, by their identifier in UTF-8."""
        self.closed: set[bytes] = set()
        """In a history without a base: commands that were closed, and may have been opened before it."""
        self.looks_back = base is None or bool(self._left)
        """Whether a command that is closed may have been open before this history, so that ``close`` has to know."""

    @property
    def is_lost(self) -> bool:
        """Whether this history was given up."""
        return self.moves is _LOST

    @property
    def state(self) -> State | None:
        """The state so far; None when it is not known."""
        return _STATES.get(id(self.moves))

    def see(self, kind: type[e.Event] | None) -> Seen:
        """The one place for a type of event; None is for all types this version does not know."""
        seen = self._seen.get(kind)
        if seen is None:
            seen = self._seen[kind] = Seen(self, kind)
        return seen

    def add(self, kind: type[e.Event] | None, at: int, command: str = "") -> None:
        """Take the next event; ``command`` is the identifier in one that opens or closes a command."""
        seen = self.see(kind)
        seen.at = at
        self.moves = self.moves.get(kind, _LOST)
        if seen.opens:
            self.opened[command.encode()] = at
        elif seen.is_command:
            self.close(command.encode())

    def close(self, command: bytes) -> None:
        """A command ended."""
        self.opened.pop(command, None)
        self._left.pop(command, None)
        if self._base is None:
            self.closed.add(command)

    def give_up(self) -> None:
        """Mark this history as impossible: no version of this program ever wrote it."""
        self.moves = _LOST

    def carried(self) -> Carried:
        """This history, to be joined elsewhere. Raises ValueError for one with a base."""
        if self._base is not None:
            raise ValueError("only a history without a base can be carried elsewhere")
        seen = [(kind.__name__ if kind else "", seen.at) for kind, seen in self._seen.items()]
        return Carried(self.state, self.is_lost, seen, self.opened, self.closed)

    def join(self, later: Folding) -> None:
        """Take a history that was folded apart, without knowing its base, and that follows this one."""
        first = next((kind for kind in later._seen if kind is not None and _ANYWHERE[kind] is not _ANYWHERE), None)
        if later.is_lost or (first is not None and first not in self.moves):
            self.moves = _LOST
        elif first is not None and not self.is_lost:
            self.moves = later.moves
        for kind, seen in later._seen.items():
            self.see(kind).at = seen.at
        for command in later.closed:
            self.close(command)
        self.opened |= later.opened

    def needed(self) -> set[int]:
        """The places of the events that ``workspace`` reads."""
        fields = {at for at in self._fields().values() if at is not None}
        return fields | set(self.opened.values()) | ({self._last()} if self._seen else set())

    def workspace(self, read: Callable[[int], Recorded]) -> Workspace:
        """What the events so far add up to. Raises what ``read`` raises; ValueError when the base is not known."""
        base, state = self._base, self.state
        if base is None or state is None:
            raise ValueError("this history has no beginning, or was given up")
        if not self._seen:
            return base
        changed: dict[str, object] = {
            name: None if at is None else VALUES[name](read(at)) for name, at in self._fields().items()
        }
        commands = self._left | {command: opened(read(at)) for command, at in self.opened.items()}
        changed["commands"] = {command.decode(): intent for command, intent in commands.items()}
        return msgspec.structs.replace(base, version=read(self._last()).seq, state=state, **changed)

    def _last(self) -> int:
        return max(seen.at for seen in self._seen.values())

    def _fields(self) -> dict[str, int | None]:
        """Which event each field that was changed comes from; None: it was cleared."""
        found: dict[str, int | None] = {}
        for seen in sorted(self._seen.values(), key=_place):
            if seen.kind is not None:
                found.update(dict.fromkeys(_SETS[seen.kind], seen.at))
                found.update(dict.fromkeys(CHANGES[seen.kind].clears))
        return found


def arrived(carried: Carried) -> Folding:
    """A history that was folded elsewhere."""
    folding = Folding(None)
    folding.moves = _LOST if carried.is_lost else _ANYWHERE if carried.state is None else _GRAPH[carried.state]
    for name, at in carried.seen:
        folding.see(e.EVENT_TYPES.get(name)).at = at
    folding.opened, folding.closed = carried.opened, carried.closed
    return folding


def _place(seen: Seen) -> int:
    return seen.at
