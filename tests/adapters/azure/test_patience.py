"""What is waited out, what is believed, and what is no reason to give a group up."""

from __future__ import annotations

import time

import msgspec
import pytest

from adapters.azure.goals import until_running
from adapters.azure.observed import observe
from adapters.azure.wait import Look
from statemachine.errors import AzureError
from statemachine.events import GroupRef
from statemachine.ports import Presence
from tests.adapters.azure.conftest import order

GET, DELETE, STOP = "ContainerGroups_Get", "ContainerGroups_Delete", "ContainerGroups_Stop"
OPERATION = "Operations_Get"


def test_a_look_that_is_throttled_for_long_is_no_end_of_waiting(line, ref: GroupRef) -> None:
    one = line(retry_deadline=1)
    one.groups.look(ref)
    one.control.set_fault(GET, status=429, code="TooManyRequests", message="later", headers={"Retry-After": "3"})
    one.groups.create(order(ref))
    assert one.groups.look(ref).presence is Presence.RUNNING


@pytest.mark.parametrize(("asked", "lines"), [("1", 0), ("6", 1)])
def test_who_waits_for_long_is_told_once_what_for(line, ref: GroupRef, asked: str, lines: int) -> None:
    said: list[str] = []
    one = line(say=said.append, retry_deadline=60)
    one.groups.look(ref)
    busy = {"status": 503, "code": "ServerBusy", "message": "busy", "headers": {"Retry-After": asked}}
    one.control.set_fault(GET, count=2, **busy)
    one.groups.look(ref)
    assert len(said) == lines
    assert all("yet (server error); trying again for up to " in text for text in said)


def test_an_operation_that_cannot_be_followed_costs_little(line, ref: GroupRef) -> None:
    one = line()
    one.control.change("timings", provision=3.0)
    one.control.set_fault(OPERATION, count=None, status=503, code="ServerBusy", message="busy")
    try:
        before = time.monotonic()
        one.groups.create(order(ref))
        assert time.monotonic() - before < 15
    finally:
        one.control.change("timings", provision=0.02)


def test_an_operation_that_fails_by_its_status_says_why(line, ref: GroupRef) -> None:
    one = line(poll_interval=0.3)
    one.groups.create(order(ref))
    one.control.change("timings", delete=10.0)
    one.control.change("control", delete_async=True)
    one.control.set_fault(OPERATION, count=None, status=400, code="ScopeLocked", message="a lock forbids it")
    try:
        with pytest.raises(AzureError, match="a lock forbids it") as caught:
            one.groups.delete(ref)
        assert caught.value.code == "ScopeLocked"
    finally:
        one.control.change("timings", delete=0.0)
        one.control.change("control", delete_async=False)


@pytest.mark.parametrize(
    ("operation", "verb"), [(DELETE, "delete"), (STOP, "stop"), ("ContainerGroups_Start", "start")]
)
def test_a_conflict_without_a_name_is_waited_out(line, ref: GroupRef, operation: str, verb: str) -> None:
    one = line(retry_deadline=60, deadline=60)
    one.groups.create(order(ref))
    if verb == "start":
        one.groups.stop(ref)
    one.control.set_fault(operation, count=5, status=409, body="")
    getattr(one.groups, verb)(ref)
    assert one.control.faults()[-1]["hits"] == 5


def test_to_be_stopped_already_is_no_reason_to_refuse_a_stop(line, ref: GroupRef) -> None:
    one = line()
    one.groups.create(order(ref))
    one.groups.stop(ref)
    one.control.set_fault(STOP, status=409, code="ContainerGroupStopped", message="it is stopped")
    assert one.groups.stop(ref).request_id
    assert one.control.faults()[-1]["hits"] == 1


def test_a_group_is_looked_for_in_the_subscription_it_is_in(line, ref: GroupRef) -> None:
    elsewhere = "11111111-2222-4333-8444-555555555555"
    with pytest.raises(AzureError, match=f"The subscription '{elsewhere}' could not be found"):
        line().groups.look(msgspec.structs.replace(ref, subscription=elsewhere))


def test_a_group_that_said_nothing_before_its_start_is_not_believed_at_once(line, ref: GroupRef) -> None:
    before = observe({"properties": {"provisioningState": "Succeeded"}}, ref.container)
    with line(settle=45).groups._open() as session:
        judge = until_running(session, ref, "start it", before=before)
    assert not judge(Look(before, None), 1)
    assert judge(Look(before, None), 6), "some groups never say more"


def test_half_a_character_in_azures_words_is_no_end() -> None:
    group = {"properties": {"provisioningState": "Failed", "instanceView": {"state": "half \ud800"}}}
    assert observe(group, "dev").group.encode() == b"half ?"
