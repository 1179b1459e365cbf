"""Two people's workspaces of one name stay two, whatever is worked out from logs that were read together."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from eventlog import Record
from eventlog.audit.cost import bill
from eventlog.audit.meter import metered
from eventlog.audit.operations import Follower, operations
from eventlog.audit.prices import shipped
from eventlog.audit.query import Query, newest
from eventlog.audit.stream import Stream, labels, of_writer
from eventlog.audit.summary import summarise
from eventlog.audit.walk import walk
from eventlog.audit.who import runs
from statemachine.states import State
from tests.eventlog.audit.story import ADA, BOB, Story, refused

ADAS, BOBS = "laptop.ada.0000000000000001", "desk.bob.0000000000000002"


def shared(*logs: tuple[str, Story]) -> list[Record]:
    """Records as what reads many logs gives them: in the order of time, each with its writer's name."""
    found = [of_writer(record, writer) for writer, story in logs for record in story.records()]
    return sorted(found, key=lambda record: record.time)


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Ada and Bob each have a workspace named shop, at the same time; seqs of both logs begin with 1."""
    ada = Story(tmp_path / "ada").call(ADA).at("2026-11-16T09:00:00").creates("shop", 40)
    bob = Story(tmp_path / "bob").call(BOB).at("2026-11-16T09:00:10")
    bob.fails_to_create("shop", refused("InaccessibleImage", "no", error="ImageError"), cpu=4.0)
    bob.wait(minutes=5).creates("shop", 60, cpu=4.0, memory_gb=8.0)
    ada.at("2026-11-16T10:00:00").call(ADA).stops("shop", 5)
    return shared((ADAS, ada), (BOBS, bob))


NOW = datetime.fromisoformat("2026-11-16T12:00:00+00:00")


def test_a_history_that_mixed_them_would_not_even_fold(records: list[Record]) -> None:
    ends = {step.stream: step.after.state for step in walk(records)}
    assert ends == {Stream(ADAS, "shop"): State.STOPPED, Stream(BOBS, "shop"): State.RUNNING}


def test_operations_end_with_their_own_outcome(records: list[Record]) -> None:
    found = operations(records)
    assert [(one.writer, one.verb, str(one.outcome), one.user) for one in found] == [
        (ADAS, "create", "ok", "ada"),
        (BOBS, "create", "failed", "bob"),
        (BOBS, "create", "ok", "bob"),
        (ADAS, "stop", "ok", "ada"),
    ]
    assert [one.seconds for one in found] == [40, 3, 60, 5]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_following_bit_by_bit_ends_the_same(records: list[Record], size: int) -> None:
    follower, last = Follower(), {}
    for at in range(0, len(records), size):
        for one in follower.feed(records[at : at + size]):
            last[one.key] = one
    assert sorted(last.values(), key=lambda one: one.time) == operations(records)


def test_the_newest_are_kept_in_the_order_they_began(records: list[Record]) -> None:
    found, older = newest(Follower(), records, Query(), 2)
    assert ([one.verb for one in found], older) == (["create", "stop"], 2)


def test_runs_and_costs_are_each_ones_own(records: list[Record]) -> None:
    assert [(run.writer, run.by.user, run.ended is None) for run in runs(walk(records))] == [
        (ADAS, "ada", False),
        (BOBS, "bob", True),
    ]
    found = bill(metered(walk(records), NOW), shipped(), ("workspace",))
    assert [(line.writer, line.workspace, line.running) for line in found.lines] == [
        (BOBS, "shop", True),
        (ADAS, "shop", False),
    ]
    by_writer = bill(metered(walk(records), NOW), shipped(), ("writer",))
    assert {line.writer: line.seconds for line in by_writer.lines} == {
        ADAS: timedelta(hours=1, seconds=5).total_seconds(),
        BOBS: timedelta(hours=2, minutes=54, seconds=47).total_seconds(),
    }


def test_a_report_calls_each_by_its_own_name(records: list[Record]) -> None:
    found = summarise(records, Query(), shipped(), NOW)
    assert {life.workspace: life.state for life in found.lives} == {
        "shop (laptop.ada)": State.STOPPED,
        "shop (desk.bob)": State.RUNNING,
    }
    assert set(found.bars) == {life.workspace for life in found.lives}
    assert [one.workspace for one in found.failures] == ["shop (desk.bob)"]
    assert {person.name: person.workspaces for person in found.people} == {
        "ada@contoso.example": ("shop (laptop.ada)",),
        "bob@contoso.example": ("shop (desk.bob)",),
    }


def test_labels_say_no_more_than_is_needed() -> None:
    one, other, second = Stream(ADAS, "shop"), Stream(BOBS, "shop"), Stream("laptop.ada.3", "shop")
    assert labels([one, Stream(BOBS, "ml")]) == {one: "shop", Stream(BOBS, "ml"): "ml"}
    assert labels([one, other]) == {one: "shop (laptop.ada)", other: "shop (desk.bob)"}
    assert labels([one, second]) == {one: f"shop ({ADAS})", second: "shop (laptop.ada.3)"}
    assert labels([one, one]) == {one: "shop"}
