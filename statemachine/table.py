"""The lifecycle: one table of (state, event) -> state. Everything else is derived from it."""

from __future__ import annotations

from typing import Final

from statemachine import events as e
from statemachine.states import State

_S = State

TABLE: Final[dict[type[e.Event], dict[State, State]]] = {
    # intents
    e.CreateRequested: {_S.ABSENT: _S.PROVISIONING, _S.FAILED: _S.PROVISIONING},
    e.StartRequested: {_S.STOPPED: _S.STARTING, _S.FAILED: _S.STARTING},
    e.StopRequested: {_S.RUNNING: _S.STOPPING, _S.STARTING: _S.STOPPING, _S.FAILED: _S.STOPPING},
    e.DeleteRequested: {state: _S.DELETING for state in State if state not in (_S.ABSENT, _S.DELETING)},
    e.CommandOpened: {_S.RUNNING: _S.RUNNING},
    # outcomes
    e.Created: {_S.PROVISIONING: _S.RUNNING},
    e.CreateFailed: {_S.PROVISIONING: _S.FAILED},
    e.Started: {_S.STARTING: _S.RUNNING},
    e.StartFailed: {_S.STARTING: _S.FAILED},
    e.Stopped: {_S.STOPPING: _S.STOPPED},
    e.StopFailed: {_S.STOPPING: _S.FAILED},
    e.Deleted: {_S.DELETING: _S.ABSENT},
    e.DeleteFailed: {_S.DELETING: _S.FAILED},
    e.CommandClosed: {state: state for state in State},
    # observations
    e.Adopted: {_S.ABSENT: _S.RUNNING},
    e.Drifted: {_S.STOPPED: _S.RUNNING, _S.STARTING: _S.RUNNING, _S.FAILED: _S.RUNNING},
    e.Exited: {_S.RUNNING: _S.STOPPED, _S.STARTING: _S.STOPPED, _S.FAILED: _S.STOPPED},
    e.Evicted: {_S.RUNNING: _S.STARTING},
    e.Vanished: dict.fromkeys((_S.RUNNING, _S.STOPPING, _S.STOPPED, _S.STARTING, _S.FAILED), _S.ABSENT),
}
"""A pair that is not here cannot happen: ``decide`` and ``observe`` never produce it, ``evolve`` refuses it."""
