"""Why it failed: the last failure, what was tried before, what became of it since."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from eventlog.audit.explain import Explanation, explain, nothing_failed
from eventlog.audit.operations import operations
from eventlog.audit.story import told
from eventlog.audit.walk import walk
from statemachine import events as e
from statemachine.fold import empty
from statemachine.states import State
from tests.eventlog.audit.story import BOB, OWNER, Story, refused


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "events.jsonl")


NO_ROOM = refused("ServiceUnavailable", "no room", error="CapacityError", status=409)
NO_IMAGE = refused("InaccessibleImage", "no image", error="ImageError")


def explained(story: Story) -> Explanation | None:
    records = story.records()
    return explain("shop", list(walk(records)), operations(records))


def paragraph(story: Story) -> str:
    found = explained(story)
    assert found is not None
    return found.paragraph


def test_nothing_failed(story: Story) -> None:
    assert explained(story.creates("shop").stops("shop")) is None


def test_who_asked_for_what_and_how_long_it_took(story: Story) -> None:
    text = paragraph(story.fails_to_create("shop", NO_IMAGE, seconds=12))
    assert text.startswith(
        "At 2026-11-16 09:00:00 UTC ada@laptop (ada@contoso.example) asked to create workspace shop: "
    )
    assert "2 vCPU, 4 GB, eastus; after 12.0 s it failed (InaccessibleImage, HTTP 400, request id eastus:req-0)" in text
    assert "Nothing was asked for since; the workspace is failed." in text


def test_attempts_in_a_row_are_counted(story: Story) -> None:
    for failure in (NO_IMAGE, NO_ROOM, NO_ROOM):
        story.fails_to_create("shop", failure).wait(minutes=5)
    assert (
        "attempt 3 in a row since 2026-11-16 09:00:00 UTC, which ended in InaccessibleImage, ServiceUnavailable."
        in paragraph(story)
    )


def test_requests_that_were_repeated_are_told(story: Story) -> None:
    failure = msgspec.structs.replace(NO_IMAGE, attempts=3)
    text = paragraph(story.fails_to_create("shop", failure).wait(minutes=5).fails_to_create("shop", failure))
    assert "The request was sent 3 times before it was given up. It was attempt 2 in a row since" in text
    answered = told(e.CreateFailed(failure=failure), empty("shop")).answered
    assert answered == "InaccessibleImage: no image (asked 3 times)"


def test_a_success_in_between_starts_the_count_again(story: Story) -> None:
    story.fails_to_create("shop", NO_IMAGE).creates("shop").stops("shop").deletes("shop").fails_to_create(
        "shop", NO_ROOM
    )
    assert "in a row" not in paragraph(story)


def test_what_became_of_it(story: Story) -> None:
    story.fails_to_create("shop", NO_IMAGE).wait(hours=1).call(BOB).creates("shop")
    assert (
        "Since then, at 2026-11-16 10:00:03 UTC, bob@desk (bob@contoso.example) asked to create it: ok."
        in paragraph(story)
    )


def test_the_last_failure_is_explained_and_not_an_older_one(story: Story) -> None:
    story.fails_to_create("shop", NO_IMAGE).fails_to_create("shop", NO_ROOM)
    assert "no room" in paragraph(story)
    assert "no image" not in paragraph(story)


def test_a_container_that_ended_by_itself(story: Story) -> None:
    text = paragraph(story.creates("shop").wait(hours=1).says("shop", e.Exited(exit_code=137)))
    assert "last known to be running: the container ended with status 137" in text
    assert "ACI_MEMORY_GB" in text


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "nothing more to do"), (127, "does not exist in the image"), (139, "crashed"), (7147, "maintenance")],
)
def test_an_exit_code_says_why_it_ended(story: Story, code: int, words: str) -> None:
    assert words in paragraph(story.creates("shop").says("shop", e.Exited(exit_code=code)))


def test_an_exit_code_nobody_knows_is_explained_as_an_end(story: Story) -> None:
    assert "main process ended, or the platform" in paragraph(
        story.creates("shop").says("shop", e.Exited(exit_code=42))
    )


def test_what_is_over_needs_nothing_to_be_done(story: Story) -> None:
    text = paragraph(story.fails_to_create("shop", NO_ROOM).wait(hours=1).creates("shop"))
    assert "There is nothing to do now; should it come back: Try later" in text
    assert "Trying again" not in text
    found = explained(story)
    assert found is not None
    assert found.mended


def test_a_stop_that_failed_is_not_mended_by_a_command(story: Story) -> None:
    failure = refused("ScopeLocked", "locked", status=409)
    story.creates("shop").says("shop", e.StopRequested(owner=OWNER), e.StopFailed(failure=failure), e.Drifted())
    assert "What to do: Ask who manages" in paragraph(story.runs("shop", 5))
    assert "There is nothing to do now" in paragraph(story.deletes("shop"))


def test_who_is_quoted(story: Story) -> None:
    assert "Azure said: no room" in paragraph(story.fails_to_create("shop", NO_ROOM))
    lost = e.Failure(error="UnavailableError", message="management.azure.com cannot be reached")
    assert "The error: management.azure.com cannot be reached" in paragraph(story.fails_to_create("shop", lost))


def test_what_nobody_saw_the_end_of_is_no_failure_but_is_told(story: Story) -> None:
    story.creates("shop").says("shop", e.StopRequested(owner=OWNER))
    found = operations(story.records())
    text = nothing_failed("shop", State.STOPPING, found)
    assert "asked to stop it at 2026-11-16 09:00:40 UTC, and that has not ended" in text
    story.says("shop", e.Vanished())
    assert "its process ended before" in nothing_failed("shop", State.ABSENT, operations(story.records()))
    assert nothing_failed("shop", State.RUNNING, found[:1]) == "nothing of workspace shop failed; it is running"


def test_what_a_failure_leaves_behind_does_not_hide_it(story: Story) -> None:
    story.fails_to_create("shop", NO_IMAGE).says("shop", e.Vanished(detail="not found"))
    assert "InaccessibleImage" in paragraph(story)


def test_a_tunnel_that_broke(story: Story) -> None:
    story.creates("shop").says("shop", e.CommandOpened(owner=OWNER, command="1"))
    failure = e.Failure(error="TunnelLostError", message="the socket closed", exit_status=95)
    text = paragraph(story.says("shop", e.CommandClosed(command="1", reason="failed", failure=failure)))
    assert "asked to run a command in workspace shop" in text
    assert "The session broke and could not be resumed" in text
    assert "Trying again may be enough." in text


def test_a_command_that_ended_with_a_status_of_its_own_is_no_failure(story: Story) -> None:
    assert explained(story.creates("shop").runs("shop", 5, exit_status=1)) is None


def test_a_process_that_died(story: Story) -> None:
    failure = e.Failure(error="Interrupted", code="Interrupted", message="the process ended")
    assert "was killed, or the computer went down" in paragraph(story.fails_to_create("shop", failure))
