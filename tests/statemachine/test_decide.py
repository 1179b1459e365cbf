"""Every command in every state gets one decision, and every decision to act is legal in the table."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product

import msgspec
import pytest

from statemachine import events as e
from statemachine.decide import RULES, Command, Decision, Tenure, decide
from statemachine.fold import HELD, OpenIntent, Workspace, empty
from statemachine.lifecycle import outcome
from statemachine.states import State
from statemachine.table import TABLE
from tests.statemachine.worlds import intent

INTENT_OF = {
    Command.CREATE: e.CreateRequested,
    Command.START: e.StartRequested,
    Command.STOP: e.StopRequested,
    Command.DELETE: e.DeleteRequested,
    Command.OPEN: e.CommandOpened,
}
LEADS_TO = {
    State.PROVISIONING: e.CreateRequested,
    State.STARTING: e.StartRequested,
    State.STOPPING: e.StopRequested,
    State.DELETING: e.DeleteRequested,
}


def workspace_in(state: State, tenure: Tenure) -> Workspace:
    opened = None
    if tenure is not Tenure.NONE:
        opened = OpenIntent(1, datetime(2026, 1, 1, tzinfo=UTC), intent(LEADS_TO[state]))
    return msgspec.structs.replace(empty("demo"), state=state, intent=opened)


def possible() -> list[tuple[State, Tenure]]:
    """An intent is open exactly in the states one leads to; an eviction also leads to starting."""
    return [
        (state, tenure)
        for state, tenure in product(State, Tenure)
        if (tenure is not Tenure.NONE) == (state in HELD) or (state, tenure) == (State.STARTING, Tenure.NONE)
    ]


@pytest.mark.parametrize("command", Command)
@pytest.mark.parametrize(("state", "tenure"), possible())
def test_every_command_is_decided_and_acting_is_legal(state: State, tenure: Tenure, command: Command) -> None:
    rule = decide(workspace_in(state, tenure), command, tenure)
    match rule.decision:
        case Decision.ACT:
            assert state in TABLE[INTENT_OF[command]]
        case Decision.RESUME:
            assert tenure in (Tenure.RECENT, Tenure.ORPHANED)
            done, failed = outcome(state, command)
            assert state in TABLE[done]
            assert state in TABLE[failed]
        case Decision.REFUSE:
            assert rule.why, "a refusal says why and what to do"
        case Decision.WAIT:
            assert state in HELD, "only a transition is worth waiting for"
        case Decision.ALREADY:
            assert state not in HELD


@pytest.mark.parametrize(("state", "tenure"), possible())
def test_delete_is_never_refused(state: State, tenure: Tenure) -> None:
    assert decide(workspace_in(state, tenure), Command.DELETE, tenure).decision is not Decision.REFUSE


@pytest.mark.parametrize("state", sorted(HELD))
@pytest.mark.parametrize("command", [Command.CREATE, Command.START, Command.STOP])
def test_a_living_owners_intent_is_left_to_it(state: State, command: Command) -> None:
    rule = decide(workspace_in(state, Tenure.HELD), command, Tenure.HELD)
    assert rule.decision is Decision.WAIT


def test_rules_cover_every_pair() -> None:
    assert set(RULES) == set(State)
    assert all(set(row) == set(Command) for row in RULES.values())
