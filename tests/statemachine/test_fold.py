"""Folding: any legal history folds, in one go as event by event, and keeps what people ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from statemachine import events as e
from statemachine.fold import HELD, empty, evolve, fold
from statemachine.ports import Recorded
from statemachine.states import State
from statemachine.table import TABLE
from tests.statemachine.worlds import FACTS, REF, example


@st.composite
def histories(draw: st.DrawFn) -> list[Recorded]:
    """A random legal walk through the table."""
    state, walk = State.ABSENT, []
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for seq in range(1, draw(st.integers(0, 30)) + 1):
        kind = draw(st.sampled_from([kind for kind, moves in TABLE.items() if state in moves]))
        state = TABLE[kind][state]
        event = example(kind)
        walk.append(Recorded(seq, start + timedelta(seconds=seq), "demo", event, e.name_of(event)))
    return walk


@given(histories())
def test_folding_is_evolving_one_by_one(history: list[Recorded]) -> None:
    workspace = empty("demo")
    for recorded in history:
        workspace = evolve(workspace, recorded)
        assert workspace.state in State
        assert workspace.version == recorded.seq
        if workspace.intent is not None:
            assert workspace.state in HELD
        if workspace.state in (State.PROVISIONING, State.STOPPING, State.DELETING):
            assert workspace.intent is not None
    assert workspace == fold("demo", history)


@given(histories())
def test_the_group_is_known_once_it_was_asked_for(history: list[Recorded]) -> None:
    workspace = fold("demo", history)
    if workspace.state is not State.ABSENT:
        assert (workspace.group, workspace.facts) == (REF, FACTS)


@given(histories(), st.data())
def test_an_event_of_a_newer_version_changes_nothing_but_the_version(
    history: list[Recorded], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(history)))
    newer = Recorded(999, datetime(2026, 1, 2, tzinfo=UTC), "demo", None, "FromTheFuture")
    before = fold("demo", history[:at])
    after = evolve(before, newer)
    assert (after.state, after.version) == (before.state, 999)
