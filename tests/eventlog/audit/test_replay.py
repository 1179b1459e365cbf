"""Replay and diff: every event told, the state after it, and where two ways part."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlog.audit.diff import Point, diff, read_point
from eventlog.audit.replay import Moment, facts_of, moments, up_to
from eventlog.audit.story import TELLERS, told
from eventlog.audit.walk import Step, walk
from statemachine import events as e
from statemachine.fold import empty
from statemachine.states import State
from tests.eventlog.audit.story import OWNER, Story, facts, group, refused, week

EXAMPLES: dict[type[e.Event], e.Event] = {
    e.CreateRequested: e.CreateRequested(owner=OWNER, group=group("a"), facts=facts()),
    e.StartRequested: e.StartRequested(owner=OWNER),
    e.StopRequested: e.StopRequested(owner=OWNER),
    e.DeleteRequested: e.DeleteRequested(owner=OWNER),
    e.CommandOpened: e.CommandOpened(owner=OWNER, command="1", purpose="inject", user="dev", size=9),
    e.CommandClosed: e.CommandClosed(command="1", exit_status=3),
    e.Adopted: e.Adopted(group=group("a"), facts=facts(), detail="made elsewhere"),
    e.Exited: e.Exited(exit_code=137, detail="OOM"),
    **{kind: kind(detail="so it is") for kind in (e.Evicted, e.Vanished, e.Drifted)},
    **{
        kind: kind(receipt=e.Receipt(http_status=200, request_id="r"))
        for kind in (e.Created, e.Started, e.Stopped, e.Deleted)
    },
    **{kind: kind(failure=refused("X", "because")) for kind in e.FAILURES},
}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "events.jsonl")


def of(story: Story, workspace: str) -> list[Step]:
    return list(walk(record for record in story.records() if record.subject == workspace))


def replayed(story: Story, workspace: str) -> list[Moment]:
    return [one for one, _ in moments(of(story, workspace))]


@pytest.mark.parametrize("kind", e.EVENT_TYPES.values(), ids=lambda kind: kind.__name__)
def test_every_event_is_told_in_words_of_its_own(kind: type[e.Event]) -> None:
    words = told(EXAMPLES[kind], empty("a"))
    assert sum(bool(part) for part in (words.asked, words.answered, words.drifted)) == 1
    assert bool(words.asked) == issubclass(kind, e.Intent)
    assert bool(words.drifted) == issubclass(kind, e.Observation)
    assert kind in TELLERS


def test_an_event_of_a_newer_version_changes_nothing_and_is_told() -> None:
    assert "newer version" in told(None, empty("a")).answered


def test_state_time_between_request_id_and_status(story: Story) -> None:
    story.creates("shop", 40).wait(minutes=3).stops("shop")
    found = replayed(story, "shop")
    assert [one.state for one in found] == [State.PROVISIONING, State.RUNNING, State.STOPPING, State.STOPPED]
    assert [one.seconds for one in found] == [None, 40, 180, 5]
    assert (found[1].words.http_status, found[1].words.request_id) == (201, "eastus:req-1")
    assert (found[1].was, found[1].azure) == (State.PROVISIONING, "ada@contoso.example")


def test_commands_change_no_state(story: Story) -> None:
    story.creates("shop").runs("shop", 5, exit_status=2)
    assert [one.was for one in replayed(story, "shop")[2:]] == [None, None]
    assert replayed(story, "shop")[-1].words.answered == "the command exited with status 2"


def test_drift_shows_where_it_happened(tmp_path: Path) -> None:
    drifted = [one.words.drifted for one in replayed(week(tmp_path / "events.jsonl"), "shop") if one.words.drifted]
    assert drifted == ["the container ended with status 137, though nobody in this log stopped it (Terminated: Error)"]


def test_up_to_a_seq_or_a_moment(story: Story) -> None:
    story.creates("shop", 40).wait(minutes=3).stops("shop")
    steps = of(story, "shop")
    assert [step.record.seq for step in up_to(steps, seq=3)] == [1, 2, 3]
    assert [step.record.seq for step in up_to(steps, moment=steps[1].record.time)] == [1, 2]


def test_what_is_known_in_the_end(story: Story) -> None:
    story.creates("shop", 40).says("shop", e.StopRequested(owner=OWNER))
    known = facts_of(of(story, "shop")[-1].after)
    assert known["state"] == "stopping"
    assert known["open intent"].startswith("StopRequested of 2026-11-16 09:00:40 (seq 3)")
    assert known["asked for"] == "mcr.microsoft.com/devcontainers/python:3, 2 vCPU, 4 GB, eastus"


@pytest.mark.parametrize(
    ("text", "workspace", "found"),
    [
        ("12", "shop", ("shop", "12")),
        ("shop", None, ("shop", "")),
        ("shop@12", None, ("shop", "12")),
        ("api@2026-11-16", "shop", ("api", "2026-11-16")),
        ("@12", "shop", ("shop", "12")),
        ("2026-11-16T10:00", "shop", ("shop", "2026-11-16T10:00")),
        ("2h", "shop", ("shop", "2h")),
        ("1.5h ago", "shop", ("shop", "1.5h ago")),
        ("yesterday", "shop", ("shop", "yesterday")),
        ("2026-99-99", "shop", ("shop", "2026-99-99")),
        ("api", "shop", ("api", "")),
    ],
)
def test_points(text: str, workspace: str | None, found: tuple[str, str]) -> None:
    assert read_point(text, workspace) == found


@pytest.mark.parametrize("text", ["12", "@12"])
def test_a_point_without_a_workspace_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="which workspace; write WORKSPACE@12"):
        read_point(text, None)


def test_two_points_of_one_history(story: Story) -> None:
    story.creates("shop", 40).wait(minutes=3).stops("shop")
    steps = of(story, "shop")
    found = diff(Point("shop", seq=2), steps, Point("shop"), steps)
    assert {one.name: (one.left, one.right) for one in found.facts}["state"] == ("running", "stopped")
    assert found.same == 2
    (turn,) = found.turns
    assert (turn.left, len(turn.right)) == ((), 2)


def test_two_histories_part_where_one_failed(story: Story) -> None:
    story.creates("good").fails_to_create("bad", refused("InaccessibleImage", "no", error="ImageError"))
    found = diff(Point("good"), of(story, "good"), Point("bad"), of(story, "bad"))
    assert found.same == 1
    (turn,) = found.turns
    assert turn.left[0].endswith("Created -> running")
    assert turn.right[0].endswith("CreateFailed InaccessibleImage -> failed")
    assert "last failure" in {one.name for one in found.facts}


def test_a_point_is_the_same_as_itself(story: Story) -> None:
    steps = of(story.creates("shop"), "shop")
    found = diff(Point("shop"), steps, Point("shop"), steps)
    assert (found.facts, found.turns) == ((), ())
