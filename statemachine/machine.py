"""The ``transitions`` machine built from the table: it guards every append.

``transitions`` does not roll back when a callback fails after the state change, so the append happens in
``before``: a disk that refuses leaves the machine where it was. Replay folds the table itself, which is a
hundred times faster than firing triggers.
"""

from __future__ import annotations

from collections.abc import Callable

from statemachine import events as e
from statemachine.errors import RefusedError
from statemachine.fold import Workspace, evolve
from statemachine.ports import Recorded
from statemachine.states import State
from statemachine.table import TABLE


class Tracker:
    """The model the machine moves: one workspace's state, and how its events are made durable."""

    state: str

    def __init__(self, append: Callable[[e.Event], Recorded]) -> None:
        self._append = append
        self.recorded: Recorded | None = None

    def persist(self, event: e.Event) -> None:
        """Called by the machine before the state changes."""
        self.recorded = self._append(event)


def _transitions() -> list[dict[str, str]]:
    """The table as ``transitions`` wants it: one row for each (event, state) pair."""
    return [
        {"trigger": kind.__name__, "source": source.value, "dest": dest.value, "before": "persist"}
        for kind, moves in TABLE.items()
        for source, dest in moves.items()
    ]


def advance(workspace: Workspace, event: e.Event, append: Callable[[e.Event], Recorded]) -> Workspace:
    """Make ``event`` durable through ``append`` and return the workspace after it.

    Raises RefusedError, with nothing written, when the table has no such transition, and whatever
    ``append`` raises.
    """
    from transitions import Machine, MachineError

    tracker = Tracker(append)
    machine = Machine(
        tracker,
        states=[state.value for state in State],
        transitions=_transitions(),
        initial=workspace.state.value,
        auto_transitions=False,
    )
    try:
        machine.events[e.name_of(event)].trigger(tracker, event)
    except MachineError as error:
        raise RefusedError(
            f"workspace {workspace.subject} is {workspace.state}: {e.name_of(event)} cannot happen now"
        ) from error
    if tracker.recorded is None:
        raise RuntimeError("a transition ran without its append")
    return evolve(workspace, tracker.recorded)
