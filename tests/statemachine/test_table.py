"""The table is a sound lifecycle: every pair is decided, nothing is a trap, nothing is out of reach."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import product

import msgspec
import pytest

from statemachine import events as e
from statemachine.errors import LogDamagedError, RefusedError
from statemachine.fold import empty, evolve
from statemachine.machine import advance
from statemachine.ports import Recorded
from statemachine.states import WORDS, State
from statemachine.table import TABLE
from tests.statemachine.worlds import example

PAIRS = list(product(State, e.EVENT_TYPES.values()))


def recorded(event: e.Event, seq: int = 1) -> Recorded:
    return Recorded(seq, datetime(2026, 1, 1, tzinfo=UTC), "demo", event, e.name_of(event))


@pytest.mark.parametrize(("state", "kind"), PAIRS)
def test_fold_and_machine_agree_with_the_table_on_every_pair(state: State, kind: type[e.Event]) -> None:
    workspace = msgspec.structs.replace(empty("demo"), state=state)
    event, appended = example(kind), []

    def append(happened: e.Event) -> Recorded:
        appended.append(happened)
        return recorded(happened)

    target = TABLE[kind].get(state)
    if target is None:
        with pytest.raises(LogDamagedError):
            evolve(workspace, recorded(event))
        with pytest.raises(RefusedError):
            advance(workspace, event, append)
        assert appended == [], "a refused event must not reach the disk"
    else:
        assert evolve(workspace, recorded(event)).state is target
        assert advance(workspace, event, append).state is target
        assert appended == [event]


def test_a_failing_append_leaves_the_state_where_it_was() -> None:
    def disk_full(_event: e.Event) -> Recorded:
        raise OSError("no space")

    workspace = msgspec.structs.replace(empty("demo"), state=State.RUNNING)
    with pytest.raises(OSError, match="no space"):
        advance(workspace, example(e.StopRequested), disk_full)
    assert workspace.state is State.RUNNING


def reachable(start: State, edges: Iterable[tuple[State, State]]) -> set[State]:
    found, frontier, arrows = {start}, [start], list(edges)
    while frontier:
        here = frontier.pop()
        for source, target in arrows:
            if source is here and target not in found:
                found.add(target)
                frontier.append(target)
    return found


def edges() -> list[tuple[State, State]]:
    return [(source, target) for moves in TABLE.values() for source, target in moves.items()]


def test_every_state_can_be_reached() -> None:
    assert reachable(State.ABSENT, edges()) == set(State)


@pytest.mark.parametrize("state", State)
def test_no_state_is_a_trap(state: State) -> None:
    assert State.ABSENT in reachable(state, edges()), "a delete must be able to end it"


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_word_devpod_knows(state: State) -> None:
    assert WORDS[state].machine in {"Running", "Busy", "Stopped", "NotFound"}
    assert WORDS[state].reason
    assert (WORDS[state].container == "") is (state is State.ABSENT)
    assert (WORDS[state].container == "running") is (WORDS[state].machine == "Running")
    assert (WORDS[state].container == "exited") is (WORDS[state].machine == "Stopped")


def test_the_table_covers_every_event_type() -> None:
    assert set(TABLE) == set(e.EVENT_TYPES.values())
