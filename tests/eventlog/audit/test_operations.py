"""Operations with who and what; filters; and the same seen bit by bit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventlog.audit.operations import Follower, operations
from eventlog.audit.query import Query, chosen, newest
from eventlog.history import Ended
from statemachine import events as e
from tests.eventlog.audit.story import ADA, BOB, OWNER, Story, refused, week


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def test_the_azure_identity_comes_from_the_outcome_of_the_same_call(log: Path) -> None:
    story = Story(log).call(ADA).creates("shop")
    assert not story.records()[0].actor.azure
    (one,) = operations(story.records())
    assert (one.who, one.http_status, one.closed_by) == ("ada@laptop (ada@contoso.example)", 201, "")


def test_somebody_elses_identity_is_never_given_to_who_asked(log: Path) -> None:
    story = Story(log).call(ADA).says("shop", e.StopRequested(owner=OWNER)).wait(seconds=9)
    story.call(BOB).says("other", e.CommandClosed(command="x")).says("shop", e.Stopped())
    one = operations(story.records())[0]
    assert (one.who, one.closed_by) == ("ada@laptop", "bob@desk")


def test_a_failure_keeps_what_support_asks_for(log: Path) -> None:
    failure = refused("InaccessibleImage", "no", error="ImageError", number=9)
    (one,) = operations(Story(log).fails_to_create("ml", failure).records())
    assert (one.error, one.code, one.http_status, one.request_id) == (
        "ImageError",
        "InaccessibleImage",
        400,
        "eastus:req-9",
    )
    assert one.outcome is Ended.FAILED


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        (Query(workspaces=("ml",)), [7, 9, 11]),
        (Query(workspaces=("N*", "api")), [15, 17, 19, 28, 30]),
        (Query(actors=("bob",), verbs=("stop",)), [5]),
        (Query(actors=("ada@contoso.example",), verbs=("stop",)), [26]),
        (Query(actors=("*@runner-7",), outcomes=("failed",)), [17]),
        (Query(outcomes=("seen",)), [21, 30]),
        (Query(correlation="ci-0009"), [15]),
        (Query(since=datetime(2026, 11, 19, tzinfo=UTC)), [28, 30, 31]),
        (Query(until=datetime(2026, 11, 16, 10, 15, tzinfo=UTC)), [1, 3]),
        (Query(workspaces=("ml",), actors=("ada",)), []),
    ],
)
def test_all_filters_must_agree(log: Path, query: Query, seqs: list[int]) -> None:
    assert [one.seq for one in chosen(operations(week(log).records()), query)] == seqs


def test_a_query_says_what_it_asked_for() -> None:
    query = Query(workspaces=("a", "b"), actors=("ada",), since=datetime(2026, 11, 16, tzinfo=UTC), correlation="ab")
    assert str(query) == "workspace a or b, actor ada, since 2026-11-16 00:00:00, correlation ab…"


def test_following_shows_each_operation_when_it_begins_and_when_it_ends(log: Path) -> None:
    records = week(log).records()
    follower = Follower()
    seen = [one for record in records for one in follower.feed([record])]
    whole = operations(records)
    assert [one for one in seen if one.outcome is not Ended.OPEN] == sorted(
        whole, key=lambda one: one.closed or one.seq
    )
    assert [one.seq for one in seen if one.outcome is Ended.OPEN] == [one.seq for one in whole if one.closed]


@pytest.mark.parametrize("limit", [1, 3, 100])
@pytest.mark.parametrize(
    "query", [Query(), Query(workspaces=("shop",)), Query(outcomes=("failed",)), Query(actors=("no",))]
)
def test_the_newest_are_the_same_however_the_log_is_cut(
    log: Path, monkeypatch: pytest.MonkeyPatch, query: Query, limit: int
) -> None:
    records = week(log).records()
    whole = chosen(operations(records), query)
    for chunk in (1, 2, 7, 1000):
        monkeypatch.setattr("eventlog.audit.query.CHUNK", chunk)
        assert newest(Follower(), records, query, limit) == (whole[-limit:], max(0, len(whole) - limit))


def test_following_keeps_only_what_is_open(log: Path) -> None:
    follower = Follower()
    list(follower.feed(week(log).records()))
    assert not follower._open
