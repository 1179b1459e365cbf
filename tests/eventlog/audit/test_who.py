"""Who started and stopped: people where they are known, observations where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlog.audit.walk import walk
from eventlog.audit.who import Run, runs
from statemachine import events as e
from tests.eventlog.audit.story import ADA, BOB, OWNER, Story, facts, group, refused, week


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "events.jsonl")


def told(story: Story, workspace: str = "shop") -> list[str]:
    return [line(run) for run in runs(walk(story.records())) if run.workspace == workspace]


def line(run: Run) -> str:
    ended = f"{run.ended.how} by {run.ended.who}" if run.ended else "running"
    return f"{run.by.how} by {run.by.who}, {ended}"


ADA_IS = "ada@laptop (ada@contoso.example)"
BOB_IS = "bob@desk (bob@contoso.example)"


def test_a_week(tmp_path: Path) -> None:
    story = week(tmp_path / "events.jsonl")
    assert told(story) == [
        f"create by {ADA_IS}, stop by {BOB_IS}",
        f"start by {ADA_IS}, exited by nobody in this log",
        f"start by {ADA_IS}, stop by {ADA_IS}",
        f"start by {ADA_IS}, running",
    ]
    assert told(story, "api") == [f"create by {BOB_IS}, vanished by nobody in this log"]
    assert told(story, "ml") == [f"create by {BOB_IS}, delete by {BOB_IS}"]


def test_a_run_begins_when_it_was_asked_for_and_ends_when_it_was_done(story: Story) -> None:
    began = story.now
    story.creates("shop", 40).wait(minutes=10).stops("shop", 5)
    (run,) = runs(walk(story.records()))
    assert run.began == began
    assert run.seconds == 40 + 600 + 5


def test_what_was_found_running_was_started_by_nobody_known(story: Story) -> None:
    story.says("shop", e.Adopted(group=group("shop"), facts=facts())).wait(hours=1).deletes("shop")
    assert told(story) == [f"adopted by nobody in this log, delete by {ADA_IS}"]


def test_eviction_does_not_end_a_run(story: Story) -> None:
    story.creates("shop").wait(hours=1).says("shop", e.Evicted()).wait(minutes=2).says("shop", e.Drifted())
    assert told(story) == [f"create by {ADA_IS}, running"]


def test_a_stop_that_failed_leaves_it_up_until_it_is_started_again(story: Story) -> None:
    story.creates("shop").says("shop", e.StopRequested(owner=OWNER))
    story.says("shop", e.StopFailed(failure=refused("InternalServerError", "oops", status=500)))
    story.call(BOB).wait(hours=1).starts("shop")
    assert told(story) == [f"create by {ADA_IS}, start by nobody in this log", f"start by {BOB_IS}, running"]


def test_somebody_who_closes_an_others_intent_lends_no_identity(story: Story) -> None:
    story.creates("shop").call(ADA, asked_azure=False).says("shop", e.StopRequested(owner=OWNER))
    story.call(BOB).says("shop", e.Stopped())
    assert told(story) == [f"create by {ADA_IS}, stop by ada@laptop"]
