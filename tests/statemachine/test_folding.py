"""Reading only the events that the result depends on gives the same workspace as reading all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachine import events as e
from statemachine.errors import LogDamagedError
from statemachine.fold import CHANGES, Folding, Workspace, empty, evolve
from statemachine.ports import Recorded
from statemachine.table import TABLE
from tests.statemachine.test_fold import histories


def test_every_event_of_the_table_has_its_change() -> None:
    assert CHANGES.keys() == TABLE.keys()
    for change in CHANGES.values():
        assert not set(change.sets) & set(change.clears)
        assert set(change.sets) | set(change.clears) <= set(Workspace.__struct_fields__)


@given(histories(), st.data())
def test_a_folding_can_begin_anywhere_and_be_asked_at_any_time(history: list[Recorded], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(history)))
    expected = empty("demo")
    for recorded in history[:start]:
        expected = evolve(expected, recorded)
    folding = Folding(expected, lambda seq: history[seq - 1], lambda _: "c1")
    assert folding.workspace() is expected
    for recorded in history[start:]:
        expected = evolve(expected, recorded)
        folding.add(type(recorded.event) if recorded.event else None, recorded.seq)
        assert folding.state is expected.state
        if data.draw(st.booleans()):
            assert folding.workspace() == expected
    assert folding.workspace() == expected


@given(histories())
def test_most_events_are_never_read(history: list[Recorded]) -> None:
    asked: list[int] = []

    def read(seq: int) -> Recorded:
        asked.append(seq)
        return history[seq - 1]

    folding = Folding(empty("demo"), read, lambda _: "c1")
    for recorded in history:
        folding.add(type(recorded.event) if recorded.event else None, recorded.seq)
    assert asked == []
    folding.workspace()
    assert len(asked) <= len(Workspace.__struct_fields__)


def test_what_cannot_happen_is_refused() -> None:
    started = Recorded(7, None, "demo", e.Started(), "Started")  # type: ignore[arg-type]  # the time is not looked at
    with pytest.raises(LogDamagedError, match=r"event 7 of the log says Started .* cannot happen while it is absent"):
        Folding(empty("demo"), lambda _: started, str).add(e.Started, 7)
