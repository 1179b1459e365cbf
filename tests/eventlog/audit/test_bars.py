"""Bars where there is no room for all of them, and counts of what was up."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.audit.bars import Bar, Fleet, condensed, most_at_once
from statemachine.states import State
from tests.eventlog.audit.story import MONDAY

DAY = timedelta(days=1)


def bars(*parts: tuple[State, float, float]) -> list[Bar]:
    """Bars in hours from the beginning."""
    return [Bar("shop", state, MONDAY + timedelta(hours=a), MONDAY + timedelta(hours=b)) for state, a, b in parts]


def drawn(found: list[Bar], cells: int = 24) -> list[tuple[State, float, float]]:
    return [
        (one.state, (one.since - MONDAY) / timedelta(hours=1), (one.until - MONDAY) / timedelta(hours=1))
        for one in condensed(found, MONDAY, MONDAY + DAY, cells)
    ]


def test_a_failure_of_seconds_among_days_is_seen() -> None:
    assert drawn(bars((State.RUNNING, 0, 12.5), (State.FAILED, 12.5, 12.501), (State.RUNNING, 12.501, 24))) == [
        (State.RUNNING, 0, 12),
        (State.FAILED, 12, 13),
        (State.RUNNING, 13, 24),
    ]


def test_what_lasted_longest_stands_for_a_cell() -> None:
    assert drawn(bars((State.PROVISIONING, 3, 3.1), (State.RUNNING, 3.1, 3.9), (State.STOPPED, 3.9, 4))) == [
        (State.RUNNING, 3, 4)
    ]


def test_gaps_stay_gaps_and_neighbours_become_one() -> None:
    assert drawn(bars((State.RUNNING, 1, 2), (State.RUNNING, 2, 3), (State.RUNNING, 5, 6))) == [
        (State.RUNNING, 1, 3),
        (State.RUNNING, 5, 6),
    ]


def test_a_bar_knows_what_it_stands_for() -> None:
    many = bars(*((State.RUNNING if at % 2 else State.STOPPED, at / 10, (at + 1) / 10) for at in range(10)))
    (one,) = condensed(many, MONDAY, MONDAY + DAY, 24)
    assert list(one.bars) == many


@given(
    st.lists(st.tuples(st.sampled_from(list(State)), st.integers(0, 86_399), st.integers(1, 40_000)), max_size=30),
    st.integers(1, 200),
)
def test_a_row_is_in_order_without_overlap_and_leaves_out_nothing(
    parts: list[tuple[State, int, int]], cells: int
) -> None:
    found, at = [], 0
    for state, start, length in sorted(parts, key=lambda part: part[1]):
        since, until = max(at, start), min(86_400, max(at, start) + length)
        if since < until:
            found.append(Bar("w", state, MONDAY + timedelta(seconds=since), MONDAY + timedelta(seconds=until)))
            at = until
    row = condensed(found, MONDAY, MONDAY + DAY, cells)
    assert len(row) <= cells
    assert all(MONDAY <= one.since < one.until <= MONDAY + DAY + timedelta(seconds=1) for one in row)
    assert all(one.until <= other.since for one, other in itertools.pairwise(row))
    assert {bar for one in row for bar in one.bars} == set(found)


def test_the_fleet_counts_what_is_up_on_average() -> None:
    fleet = Fleet(MONDAY, MONDAY + DAY, 4)
    for bar in bars(
        (State.RUNNING, 0, 6), (State.RUNNING, 3, 12), (State.STOPPED, 0, 24), (State.PROVISIONING, 18, 21)
    ):
        fleet.add(bar)
    assert fleet.mean(State.RUNNING) == pytest.approx([1.5, 1, 0, 0])
    assert fleet.mean(State.STARTING) == pytest.approx([0, 0, 0, 0.5])
    assert fleet.mean(State.FAILED) == [0, 0, 0, 0]
    assert fleet.begins[1] == datetime.fromisoformat("2026-11-16T06:00:00+00:00")


def test_the_most_at_once() -> None:
    assert most_at_once([]) == 0
    assert most_at_once(bars((State.RUNNING, 0, 2), (State.RUNNING, 2, 4), (State.STOPPED, 0, 9))) == 1
    assert most_at_once(bars((State.RUNNING, 0, 3), (State.RUNNING, 2, 4), (State.RUNNING, 2.5, 9))) == 3
