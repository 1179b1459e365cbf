"""Following the moves and reading the few events that matter gives the same workspace as taking in every event."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachine import events as e
from statemachine.errors import LogDamagedError
from statemachine.fold import CHANGES, Workspace, empty, evolve
from statemachine.folding import Folding, moves_always
from statemachine.ports import Recorded
from statemachine.states import State
from statemachine.table import TABLE
from tests.statemachine.test_fold import histories


def test_every_event_of_the_table_has_its_change() -> None:
    assert CHANGES.keys() == TABLE.keys()
    for change in CHANGES.values():
        assert not set(change.sets) & set(change.clears)
        assert set(change.sets) | set(change.clears) <= set(Workspace.__struct_fields__)


def test_every_event_leads_to_one_state_or_can_happen_anywhere_and_changes_none() -> None:
    for kind, ways in TABLE.items():
        stays = [source is target for source, target in ways.items()]
        assert all(stays) or not any(stays), kind
        assert moves_always(kind) is not all(stays)
        assert len(set(ways.values())) == 1 or ways == {state: state for state in State}, kind


@st.composite
def commanded(draw: st.DrawFn) -> list[Recorded]:
    """A legal history with several commands, unknown types, and, sometimes, one event that cannot have happened."""
    found = []
    for recorded in draw(histories()):
        event = recorded.event
        if isinstance(event, e.CommandOpened | e.CommandClosed):
            event = msgspec.structs.replace(event, command=draw(st.sampled_from("abc")))
        if draw(st.integers(0, 9)) == 0:
            event = None
        found.append(Recorded(recorded.seq, recorded.time, "demo", event, recorded.type))
    return found


def told(base: Workspace, history: list[Recorded]) -> Workspace | None:
    """What evolving one by one says; None for a history that cannot be."""
    try:
        for recorded in history:
            base = evolve(base, recorded)
    except LogDamagedError:
        return None
    return base


def feed(folding: Folding, history: list[Recorded]) -> Folding:
    for recorded in history:
        event = recorded.event
        folding.add(None if event is None else type(event), recorded.seq, getattr(event, "command", ""))
    return folding


def answer(folding: Folding, history: list[Recorded]) -> Workspace | None:
    asked: set[int] = set()

    def read(at: int) -> Recorded:
        asked.add(at)
        return next(recorded for recorded in history if recorded.seq == at)

    if folding.is_lost:
        return None
    found = folding.workspace(read)
    assert asked <= folding.needed()
    assert folding.state is found.state
    return found


@given(commanded(), st.data())
def test_a_folding_can_begin_anywhere_and_be_asked_at_any_time(history: list[Recorded], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(history)))
    base = told(empty("demo"), history[:start])
    if base is None:
        return
    folding = Folding(base)
    assert folding.workspace(lambda _: history[0]) is base
    for count, recorded in enumerate(history[start:], start + 1):
        feed(folding, [recorded])
        if data.draw(st.booleans()):
            assert answer(folding, history) == told(empty("demo"), history[:count])
    assert answer(folding, history) == told(empty("demo"), history)


@given(commanded(), st.data())
def test_histories_that_were_folded_apart_can_be_joined(history: list[Recorded], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(history)), max_size=4)))
    edges = [0, *cuts, len(history)]
    parts = [history[one:other] for one, other in pairwise(edges)]
    whole = feed(Folding(empty("demo")), parts[0])
    apart = [feed(Folding(None), part) for part in parts[1:]]
    if data.draw(st.booleans()) and len(apart) > 1:
        later = apart.pop()
        apart[-1].join(later)
    for part in apart:
        whole.join(part)
    assert answer(whole, history) == told(empty("demo"), history)


@given(histories())
def test_few_events_are_read(history: list[Recorded]) -> None:
    folding = feed(Folding(empty("demo")), history)
    assert len(folding.needed() - set(folding.opened.values())) <= len(Workspace.__struct_fields__)


def test_what_cannot_happen_is_given_up() -> None:
    folding = Folding(empty("demo"))
    folding.add(e.Started, 7)
    assert folding.is_lost
    folding.add(e.CreateRequested, 8)
    assert (folding.is_lost, folding.state) == (True, None)
    with pytest.raises(ValueError, match="given up"):
        folding.workspace(lambda _: pytest.fail("read"))
    with pytest.raises(ValueError, match="no beginning"):
        feed(Folding(None), []).workspace(lambda _: pytest.fail("read"))


def test_a_command_opened_twice_is_closed_once() -> None:
    time = msgspec.json.decode('"2026-01-01T00:00:00Z"', type=datetime)
    owner = e.Owner("h", 1)
    opened = Recorded(1, time, "demo", e.CommandOpened(owner=owner, command="a"), "CommandOpened")
    base = msgspec.structs.replace(empty("demo"), state=State.RUNNING)
    base = evolve(base, opened)
    again = Recorded(2, time, "demo", opened.event, "CommandOpened")
    closed = Recorded(3, time, "demo", e.CommandClosed(command="a"), "CommandClosed")
    folding = feed(Folding(base), [again, closed])
    assert answer(folding, [again, closed]) == told(base, [again, closed])
    apart = Folding(base)
    apart.join(feed(Folding(None), [again, closed]))
    assert answer(apart, [again, closed]) == told(base, [again, closed])
