"""A look at Azure brings the log in line with what is, once, and never more than that."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest

from statemachine import events as e
from statemachine.decide import Tenure
from statemachine.fold import HELD, evolve
from statemachine.observe import BUILDERS, LEFT_OPEN, UNASKED, apparent, observe
from statemachine.ports import Presence
from statemachine.states import State
from tests.statemachine.test_decide import possible, workspace_in
from tests.statemachine.test_table import recorded
from tests.statemachine.worlds import seeing

SETTLED = {
    Presence.ABSENT: {State.ABSENT},
    Presence.RUNNING: {State.RUNNING},
    Presence.STOPPED: {State.STOPPED},
    Presence.FAILED: {State.STOPPED, State.FAILED},
}


@pytest.mark.parametrize(("state_and_tenure", "presence"), list(product(possible(), Presence)))
def test_every_look_in_every_state(state_and_tenure: tuple[State, Tenure], presence: Presence) -> None:
    state, tenure = state_and_tenure
    workspace = workspace_in(state, tenure)
    happened = observe(workspace, seeing(presence), tenure)
    for seq, event in enumerate(happened, start=2):
        workspace = evolve(workspace, recorded(event, seq))
    if tenure is Tenure.HELD:
        assert happened == (), "a living process closes its own intent"
    elif presence is not Presence.PENDING and tenure in (Tenure.NONE, Tenure.ORPHANED):
        assert workspace.state in SETTLED[presence], "the log now says what Azure shows"
    after = Tenure.NONE if workspace.intent is None else tenure
    assert observe(workspace, seeing(presence), after) == (), "looking again adds nothing"


def test_a_look_that_does_not_show_what_runs_leaves_a_stopped_workspace_stopped() -> None:
    said_nothing = msgspec.structs.replace(seeing(Presence.RUNNING), silent=True)
    assert observe(workspace_in(State.STOPPED, Tenure.NONE), said_nothing, Tenure.NONE) == ()


def test_a_failed_workspace_is_not_waited_for() -> None:
    assert apparent(State.STOPPED, Presence.PENDING) is State.STARTING
    assert apparent(State.FAILED, Presence.PENDING) is State.FAILED


@pytest.mark.parametrize("state", sorted(HELD))
def test_azure_gets_time_to_show_what_a_dead_process_asked(state: State) -> None:
    late = [presence for presence, close in LEFT_OPEN[state].items() if not close.at_once]
    assert late
    for presence in late:
        assert observe(workspace_in(state, Tenure.RECENT), seeing(presence), Tenure.RECENT) == ()
        assert observe(workspace_in(state, Tenure.ORPHANED), seeing(presence), Tenure.ORPHANED) != ()


def test_an_interrupted_operation_says_what_azure_shows() -> None:
    workspace = workspace_in(State.STOPPING, Tenure.ORPHANED)
    sighting = msgspec.structs.replace(seeing(Presence.RUNNING), detail="Running", request_id="r-9")
    failed, drifted = observe(workspace, sighting, Tenure.ORPHANED)
    assert isinstance(failed, e.StopFailed)
    assert failed.failure.request_id == "r-9"
    assert "StopRequested" in failed.failure.message
    assert isinstance(drifted, e.Drifted)


def test_every_event_the_tables_name_can_be_built() -> None:
    named = {kind for row in UNASKED.values() for kinds in row.values() for kind in kinds}
    named |= {kind for row in LEFT_OPEN.values() for close in row.values() for kind in close.kinds}
    assert named == set(BUILDERS)
