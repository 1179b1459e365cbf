"""Reading events and end states as the reason a group does not come up."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.azure.answer import Answer
from adapters.azure.observed import ContainerEvent, Observed
from adapters.azure.verdict import of_events, of_group
from adapters.azure.wait import raise_if_failed
from statemachine.errors import AzureError, CapacityError, ImageError, ProvisioningError, QuotaError


def event(name: str, message: str, type: str = "Warning", count: int = 1, last: str = "1") -> ContainerEvent:  # noqa: A002  as Azure calls it
    return ContainerEvent(name, message, type, count, last, last)


def seen(**changes: Any) -> Observed:
    words: dict[str, Any] = {"provisioning": "Creating", "group": "Pending", "container": "Waiting", **changes}
    return Observed(**words)


@pytest.mark.parametrize(
    ("happened", "error"),
    [
        (event("InsufficientCapacity.", "The requested resource is not available"), CapacityError),
        (event("QuotaReached", "over"), QuotaError),
        (event("Failed", 'Failed to pull image "x:1": rpc error: code = NotFound: x:1: not found'), ImageError),
        (event("Failed", "Failed to pull image: pull access denied, repository does not exist"), ImageError),
        (event("Failed", "Failed to pull image: unauthorized: authentication required"), ImageError),
        (event("Failed", "Failed to pull image: i/o timeout", count=2), ImageError),
        (event("BackOff", 'Back-off pulling image "x"'), ImageError),
        (event("ErrImagePull", "failed to pull", count=3), ImageError),
        (event("FailedMount", "MountVolume.SetUp failed: mount error(13): Permission denied"), ProvisioningError),
        (event("Failed", "Failed to pull image: i/o timeout", count=1), None),
        (event("Pulling", "pulling image x", type="Normal"), None),
        (event("Pulled", "Successfully pulled image", type="Normal"), None),
        (event("Failed", "Error: context deadline exceeded"), None),
        (event("Killing", "Killing container with id x"), None),
    ],
)
def test_telling_events(happened: ContainerEvent, error: type[AzureError] | None) -> None:
    reason = of_events([happened], "create it")
    assert type(reason) is (error or type(None))
    if reason:
        assert happened.message in str(reason)


def test_the_code_is_said_once() -> None:
    """The log keeps code and message beside each other."""
    reason = of_events([event("InsufficientCapacity.", "no room")], "create it")
    assert reason is not None
    assert (reason.code, reason.azure_message) == ("InsufficientCapacity", "no room")
    assert str(reason).count("InsufficientCapacity") == 1


def test_the_newest_telling_event_counts() -> None:
    events = [event("FailedMount", "old", last="1"), event("BackOff", "Back-off pulling image", last="2")]
    assert isinstance(of_events(events, "create it"), ImageError)


def test_old_news_is_no_reason() -> None:
    assert of_group(seen(), (), "start it") is None


def test_a_running_container_has_no_reason() -> None:
    running = seen(provisioning="Succeeded", group="Running", container="Running")
    assert of_group(running, (event("FailedMount", "once"),), "create it") is None


def test_an_ended_container_tells_its_exit_and_output() -> None:
    ended = seen(provisioning="Succeeded", group="Failed", container="Terminated", exit_code=3, detail_status="Error")
    reason = of_group(ended, (event("Killing", "x"),), "create it", log="line one\nline two\n" + "x" * 5000)
    assert isinstance(reason, ProvisioningError)
    line = str(reason)
    assert "exit code 3" in line
    assert "Error" in line
    assert "\n" not in line
    assert len(line) < 1200


@pytest.mark.parametrize("changes", [{"restarts": 3}, {"detail_status": "CrashLoopBackOff: back-off 10s"}])
def test_a_crash_loop(changes: dict[str, Any]) -> None:
    looping = seen(provisioning="Succeeded", group="Running", previous_exit_code=1, **changes)
    reason = of_group(looping, (), "create it")
    assert isinstance(reason, ProvisioningError)
    assert "exit code 1" in str(reason)


def test_failed_for_no_known_reason() -> None:
    assert isinstance(of_group(seen(provisioning="Failed"), (), "create it"), ProvisioningError)


def operation(body: Any) -> Answer:
    return Answer(200, "id", body)


@pytest.mark.parametrize("body", [None, [], {}, {"status": "Pending"}, {"status": "Succeeded"}, {"status": "NewWord"}])
def test_operations_that_have_not_failed(body: Any) -> None:
    raise_if_failed(operation(body), "create it")
    raise_if_failed(None, "create it")


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (
            {"properties": {"events": [{"name": "InsufficientCapacity.", "message": "no", "type": "Warning"}]}},
            CapacityError,
            "no",
        ),
        ({"properties": {"events": [{"name": "New", "message": "word"}]}}, ProvisioningError, "New: word"),
        ({"error": {"code": "C", "message": "m"}}, ProvisioningError, r"create it: m \(C\)"),
        ({"error": {"code": "InaccessibleImage", "message": "m"}}, ImageError, r"create it: m \(InaccessibleImage\)"),
        ({"error": {"code": "ServiceUnavailable", "message": "m"}}, CapacityError, "m"),
        (
            {"error": {"code": "DeploymentFailed", "details": [{"code": "QuotaExceeded", "message": "m"}]}},
            QuotaError,
            r"m \(QuotaExceeded\)",
        ),
        ({"error": {}}, ProvisioningError, "no reason"),
        ({"properties": {"events": None}}, ProvisioningError, "no reason"),
        ({"properties": {"events": 3}}, ProvisioningError, "no reason"),
        ({"properties": 3}, ProvisioningError, "no reason"),
    ],
)
def test_operations_that_have(body: dict[str, Any], error: type[AzureError], words: str) -> None:
    with pytest.raises(error, match=words):
        raise_if_failed(operation({"status": "Failed", **body}), "create it")
