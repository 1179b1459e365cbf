"""Lost answers, silence, throttling, late reads: how the adapter goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from adapters.azure import GroupOrder
from statemachine.errors import (
    CapacityError,
    DeadlineError,
    ImageError,
    ThrottledError,
    UnavailableError,
)
from statemachine.events import GroupRef
from statemachine.ports import Presence
from tests.waiting import until

PUT = "ContainerGroups_CreateOrUpdate"
Order = Callable[..., GroupOrder]


def test_resuming_what_never_arrived_creates_it(line, ref: GroupRef, order: Order) -> None:
    one = line()
    assert one.groups.create(order(ref), resume=True).http_status == 201


def test_a_put_whose_answer_is_lost_is_not_sent_twice(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.groups.look(ref)
    mark = one.control.mark()
    one.control.set_fault(PUT, stage="response", drop="reset")
    receipt = one.groups.create(order(ref))
    assert one.calls(PUT, mark) == 1
    assert receipt.request_id
    assert one.groups.look(ref).presence is Presence.RUNNING


def test_a_put_that_never_arrived_is_sent_again(line, ref: GroupRef, order: Order, monkeypatch) -> None:
    from adapters.azure import lifecycle

    monkeypatch.setattr(lifecycle, "APPEAR", 0.2)
    one = line()
    mark = one.control.mark()
    one.control.set_fault(PUT, stage="request", drop="reset")
    assert one.groups.create(order(ref)).http_status == 201
    assert one.calls(PUT, mark) == 2


def test_a_gateway_error_after_the_put_was_accepted(line, ref: GroupRef, order: Order) -> None:
    one = line()
    mark = one.control.mark()
    one.control.set_fault(PUT, stage="response", status=504, code="GatewayTimeout", message="late")
    one.groups.create(order(ref))
    assert one.calls(PUT, mark) == 1


@pytest.mark.parametrize("operation", ["ContainerGroups_Stop", "ContainerGroups_Start", "Containers_ExecuteCommand"])
@pytest.mark.parametrize("stage", ["request", "response"])
def test_other_calls_survive_a_lost_connection(line, ref: GroupRef, order: Order, operation: str, stage: str) -> None:
    one = line()
    one.groups.create(order(ref))
    if operation == "ContainerGroups_Start":
        one.groups.stop(ref)
    one.control.set_fault(operation, stage=stage, drop="reset")
    verb = {
        "ContainerGroups_Stop": one.groups.stop,
        "ContainerGroups_Start": one.groups.start,
        "Containers_ExecuteCommand": one.groups.open_exec,
    }[operation]
    verb(ref)
    assert one.control.faults()[-1]["hits"] == 1
    running = Presence.STOPPED if operation == "ContainerGroups_Stop" else Presence.RUNNING
    assert one.groups.look(ref).presence is running


def test_a_group_that_appears_late(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.control.set_fault("ContainerGroups_Get", status=404, code="ResourceNotFound", message="was not found", count=5)
    one.groups.create(order(ref))
    assert one.groups.look(ref).presence is Presence.RUNNING


def test_a_deleted_group_that_lingers(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.control.change("timings", delete=0.3)
    one.control.change("control", delete_async=True)
    try:
        one.groups.create(order(ref))
        one.groups.delete(ref)
        assert one.groups.look(ref).presence is Presence.ABSENT
    finally:
        one.control.change("timings", delete=0.0)
        one.control.change("control", delete_async=False)


def test_a_revoked_token_is_replaced(line, ref: GroupRef) -> None:
    one = line()
    one.groups.look(ref)
    one.control.set_fault("ContainerGroups_Get", status=401, code="InvalidAuthenticationToken", message="revoked")
    mark = one.control.mark()
    one.groups.look(ref)
    assert one.calls("Entra_Token", mark) == 1


def test_throttling_waits_as_long_as_azure_asks(line, ref: GroupRef) -> None:
    one = line()
    one.groups.look(ref)
    one.control.set_fault(
        "ContainerGroups_Get", status=429, code="TooManyRequests", message="slow", headers={"Retry-After": "1"}
    )
    begun = time.monotonic()
    one.groups.look(ref)
    assert time.monotonic() - begun >= 1.0


def test_throttling_past_the_deadline_is_not_waited_for(line, ref: GroupRef) -> None:
    one = line(deadline=100, retry_deadline=100)
    one.control.set_fault(
        "ContainerGroups_Get",
        status=429,
        code="TooManyRequests",
        message="slow",
        headers={"Retry-After": "3600"},
        count=None,
    )
    begun = time.monotonic()
    with pytest.raises(ThrottledError) as caught:
        one.groups.look(ref)
    assert time.monotonic() - begun < 50, "not even until the deadline"
    assert "3600 s" in str(caught.value)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_pass(line, ref: GroupRef, status: int) -> None:
    one = line()
    one.control.set_fault("ContainerGroups_Get", status=status, body="<html>oops</html>", count=1)
    assert one.groups.look(ref).presence is Presence.ABSENT


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/json", "text/xml", "image/png", "nonsense"])
@pytest.mark.parametrize("body", ["<html>oops", "", '{"error": {"code": "ResourceNotFound"}}'])
def test_an_error_is_one_whatever_kind_of_text_it_comes_with(line, ref: GroupRef, kind: str, body: str) -> None:
    one = line()
    headers = {"Content-Type": kind}
    one.control.set_fault("ContainerGroups_Get", status=503, body=body, headers=headers)
    one.control.set_fault("ContainerGroups_Get", status=404, body=body, headers=headers)
    mark = one.control.mark()
    assert one.groups.look(ref).presence is Presence.ABSENT
    assert one.calls("ContainerGroups_Get", mark) == 2


def test_logs_are_read_whatever_kind_of_text_they_are_called(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.groups.create(order(ref))
    headers = {"Content-Type": "text/plain"}
    one.control.set_fault("Containers_ListLogs", status=200, body='{"content": "hello"}', headers=headers)
    assert one.groups.logs(ref) == "hello"


def test_server_errors_that_do_not_pass(line, ref: GroupRef) -> None:
    one = line(retry_deadline=1.0)
    one.control.set_fault("ContainerGroups_Get", status=503, code="X", message="down", count=None)
    with pytest.raises(UnavailableError):
        one.groups.look(ref)


@pytest.mark.parametrize("drop", ["reset", "close", "truncate"])
def test_a_broken_read_is_repeated(line, ref: GroupRef, drop: str) -> None:
    one = line()
    one.control.set_fault("ContainerGroups_Get", drop=drop)
    assert one.groups.look(ref).presence is Presence.ABSENT


@pytest.mark.parametrize(
    "fault", [{"drop": "reset"}, {"status": 429, "headers": {"Retry-After": "0"}}, {"status": 500}]
)
def test_the_token_endpoint_is_asked_again(line, ref: GroupRef, fault: dict[str, object]) -> None:
    one = line()
    one.control.set_fault("Entra_Token", **fault)
    mark = one.control.mark()
    one.groups.look(ref)
    assert one.calls("Entra_Token", mark) == 2


def test_a_long_wait_for_a_token_is_told(line, ref: GroupRef, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.azure.retry.time.sleep", lambda _: None)
    said: list[str] = []
    one = line(say=said.append)
    one.control.set_fault("Entra_Token", status=503, headers={"Retry-After": "6"})
    one.groups.look(ref)
    assert [text.partition(" for up to ")[0] for text in said] == [
        "cannot get a token yet (server error); trying again"
    ]


def test_the_token_endpoint_stays_down(line, ref: GroupRef) -> None:
    one = line(retry_deadline=1.0)
    one.control.set_fault("Entra_*", status=503, count=None)
    with pytest.raises(UnavailableError):
        one.groups.look(ref)


@pytest.mark.parametrize("operation", ["ContainerGroups_Get", "Entra_Token"])
def test_a_silent_server_does_not_hold_us(line, ref: GroupRef, operation: str) -> None:
    one = line(retry_deadline=1.0)
    one.control.set_fault(operation, drop="hang", count=None)
    with pytest.raises(UnavailableError) as caught:
        one.groups.look(ref)
    assert "127.0.0.1 did not answer" in str(caught.value)


def test_a_provisioning_that_never_ends(line, ref: GroupRef, order: Order) -> None:
    one = line(deadline=2.0)
    one.groups.look(ref)  # signs in: there is time for what follows
    one.control.set_fault("ContainerGroups_Provision", stage="provision", drop="hang")
    with pytest.raises(DeadlineError) as caught:
        one.groups.create(order(ref))
    assert "provisioning" in str(caught.value)


def test_a_failure_only_the_operation_tells_of(line, ref: GroupRef, order: Order) -> None:
    one = line(settle=10.0)
    one.control.set_fault("ContainerGroups_Provision", stage="provision")
    one.control.set_fault("ContainerGroups_Get", status=404, code="ResourceNotFound", message="none", count=None)
    with pytest.raises(CapacityError):
        one.groups.create(order(ref))


def test_losing_sight_of_azure_leaves_the_end_open(line, ref: GroupRef, order: Order) -> None:
    one = line(retry_deadline=1.0)
    one.control.set_fault("ContainerGroups_Get", status=503, count=None)
    with pytest.raises(DeadlineError, match="lost sight"):
        one.groups.create(order(ref))
    one.control.clear()
    one.groups.create(order(ref), resume=True)


WORDLESS = {"name": "ws", "location": "westeurope", "properties": {"provisioningState": "Succeeded", "containers": []}}


def test_answers_without_any_view_end_the_wait_all_the_same(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.groups.create(order(ref))
    one.control.set_fault("ContainerGroups_Get", status=200, body=json.dumps(WORDLESS), count=None)
    assert one.groups.look(ref).presence is Presence.RUNNING
    one.groups.stop(ref)


def test_a_start_tells_what_azure_tries_in_vain(line, ref: GroupRef) -> None:
    pulling = {
        "count": 1,
        "lastTimestamp": "2026-11-29T02:48:50Z",
        "name": "Failed",
        "type": "Warning",
        "message": 'Failed to pull image "no/such:1": rpc error: manifest unknown',
    }
    view = {"currentState": {"state": "Waiting"}, "events": [pulling]}
    trying = {
        "provisioningState": "Pending",
        "instanceView": {"state": "Pending"},
        "containers": [{"name": "dev", "properties": {"instanceView": view}}],
    }
    one = line()
    body = json.dumps({**WORDLESS, "properties": trying})
    one.control.set_fault("ContainerGroups_Get", status=200, body=body, count=None)
    with pytest.raises(ImageError, match="manifest unknown") as caught:
        one.groups.start(ref)
    assert "Delete the workspace" in str(caught.value)


def _ended(word: str, exit_code: int, detail: str) -> str:
    state = {"state": "Terminated", "startTime": "2026-11-29T02:48:50Z", "exitCode": exit_code, "detailStatus": detail}
    view = {"currentState": state, "events": [{"name": detail, "type": "Normal", "message": word}]}
    properties = {
        "provisioningState": "Succeeded",
        "instanceView": {"state": word},
        "containers": [{"name": "dev", "properties": {"instanceView": view}}],
    }
    return json.dumps({**WORDLESS, "properties": properties})


ENDED = _ended("Failed", 1, "Error")
STOPPED = _ended("Stopped", 137, "Container stopped per client request")


@pytest.mark.parametrize("lagging", [(ENDED, STOPPED), (STOPPED, ENDED), (STOPPED, STOPPED, ENDED, STOPPED)])
def test_a_look_that_lags_behind_a_start_is_no_failure_of_it(
    line, ref: GroupRef, order: Order, lagging: tuple[str, ...]
) -> None:
    one = line(settle=10.0)
    one.groups.create(order(ref))
    one.control.world.kill(ref.name)
    until(lambda: one.groups.look(ref).presence is Presence.STOPPED)
    for body in lagging:
        # Behind two looks: one at what there is to start, one at whether it has been stopped.
        one.control.set_fault("ContainerGroups_Get", skip=2, status=200, body=body, count=1)
    one.groups.start(ref)
    assert one.groups.look(ref).presence is Presence.RUNNING


def test_a_field_of_another_type_than_the_sdk_expects_is_no_failure(line, ref: GroupRef) -> None:
    strange = {
        "provisioningState": "Succeeded",
        "instanceView": {"state": "Running", "events": [{"count": "many", "firstTimestamp": "yesterday"}]},
        "containers": [
            {"name": "dev", "properties": {"instanceView": {"currentState": {"state": "Running", "startTime": "now"}}}}
        ],
    }
    one = line()
    one.control.set_fault("ContainerGroups_Get", status=200, body=json.dumps({**WORDLESS, "properties": strange}))
    assert one.groups.look(ref).presence is Presence.RUNNING


@pytest.mark.parametrize("operation", ["ContainerGroups_Stop", "ContainerGroups_Start", "ContainerGroups_Delete"])
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_one(line, ref: GroupRef, order: Order, operation: str, status: int) -> None:
    one = line()
    one.groups.create(order(ref))
    if operation == "ContainerGroups_Start":
        one.groups.stop(ref)
    one.control.set_fault(operation, stage="response", status=status, body="")
    verb = {
        "ContainerGroups_Stop": one.groups.stop,
        "ContainerGroups_Start": one.groups.start,
        "ContainerGroups_Delete": one.groups.delete,
    }[operation]
    assert verb(ref).http_status == status
