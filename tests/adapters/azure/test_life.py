"""The whole adapter against the emulator when all goes well."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from adapters.azure import EmptyDir, GroupOrder
from emulator.testing import Running
from statemachine.errors import (
    DeadlineError,
)
from statemachine.events import GroupRef
from statemachine.ports import Presence
from statemachine.secret import Secret
from tests.waiting import until

PUT = "ContainerGroups_CreateOrUpdate"
Order = Callable[..., GroupOrder]


def test_a_whole_life(line, ref: GroupRef, order: Order) -> None:
    azure = line().groups
    assert azure.identity() == ""
    assert azure.look(ref).presence is Presence.ABSENT
    labels = b'{"dev.containers.id": "x"}' * 40
    wanted = order(
        ref,
        labels=labels,
        secure_environment={"LANG": Secret("C"), "TOKEN": Secret("hush")},
        tags={"devpod-workspace": "w"},
        facts={"ports": (8080,), "dns_label": f"label-{ref.name}"},
        volumes=(EmptyDir(name="scratch", mount_path="/scratch"),),
    )
    receipt = azure.create(wanted)
    assert receipt.http_status == 201
    assert receipt.request_id
    assert receipt.ip
    assert receipt.fqdn == f"label-{ref.name}.westeurope.azurecontainer.io"
    assert azure.identity().startswith("app:")
    seen = azure.look(ref)
    assert seen.presence is Presence.RUNNING
    assert seen.group == ref
    assert seen.labels == labels
    assert seen.tags["devpod-workspace"] == "w"
    assert seen.facts is not None
    assert seen.facts.environment == ("LANG", "TOKEN")
    assert (seen.facts.image, seen.facts.cpu, seen.facts.memory_gb) == ("alpine:3.19", 1.0, 1.5)
    assert seen.facts.ports == (8080,)
    assert seen.started
    assert seen.created
    assert azure.logs(ref) == "ready\n"
    assert azure.logs(ref, tail=1, timestamps=True).endswith("ready\n")
    address, password = azure.open_exec(ref)
    assert address.startswith("wss://")
    assert password.reveal().endswith("[[EOM]]")
    for _ in range(2):
        assert azure.stop(ref).http_status == 204
        assert azure.look(ref).presence is Presence.STOPPED
    for _ in range(2):
        azure.start(ref)
        assert azure.look(ref).presence is Presence.RUNNING
    for _ in range(2):
        azure.delete(ref)
        assert azure.look(ref).presence is Presence.ABSENT


def test_starting_what_runs_asks_azure_for_nothing(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.groups.create(order(ref))
    mark = one.control.mark()
    one.groups.start(ref)
    assert one.calls("ContainerGroups_Start", mark) == 0


def test_the_resource_group_is_made_once_and_tagged(line, clean, order: Order) -> None:
    one = line()
    first = GroupRef(clean.subscription_id, "made-by-us", "ws-a", "dev")
    second = GroupRef(clean.subscription_id, "made-by-us", "ws-b", "dev")
    mark = one.control.mark()
    one.groups.create(order(first))
    one.groups.create(order(second))
    assert one.calls("ResourceGroups_CreateOrUpdate", mark) == 1
    for ref in (first, second):
        one.groups.delete(ref)


def test_a_role_on_groups_alone_is_enough(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.control.permissions(denied=["Microsoft.Resources/*"])
    one.groups.create(order(ref))
    assert one.groups.look(ref).presence is Presence.RUNNING


def test_looking_into_a_missing_resource_group(line, clean) -> None:
    ref = GroupRef(clean.subscription_id, "nowhere", "ws", "dev")
    assert line().groups.look(ref).presence is Presence.ABSENT
    line().groups.delete(ref)


def test_a_second_process_continues_a_create(line, ref: GroupRef, order: Order) -> None:
    one, other = line(), line()
    slow = order(ref, facts={"image": "alpine:slow"})
    mark = one.control.mark()
    one.control.change("timings", provision=4.0)
    try:
        dies = line(deadline=1.0)
        for each in (dies, other):
            each.groups.look(ref)  # signs in: there is time for what follows
        with pytest.raises(DeadlineError) as caught:
            dies.groups.create(slow)
        assert caught.value.retryable
        assert other.groups.look(ref).presence is Presence.PENDING
        receipt = other.groups.create(slow, resume=True)
    finally:
        one.control.change("timings", provision=0.02)
    assert receipt.http_status == 200
    assert one.calls(PUT, mark) == 1
    assert other.groups.look(ref).presence is Presence.RUNNING


def test_a_second_process_waits_for_what_the_first_has_asked_for_to_show(line, ref: GroupRef, order: Order) -> None:
    dies, other = line(deadline=1.0, settle=9.0), line(settle=9.0)
    for each in (dies, other):
        each.groups.look(ref)
    mark = dies.control.mark()
    dies.control.change("timings", eventual_404=3.0)
    try:
        with pytest.raises(DeadlineError, match="does not show the group"):
            dies.groups.create(order(ref))
        assert other.groups.look(ref).presence is Presence.ABSENT
        other.groups.create(order(ref), resume=True)
    finally:
        dies.control.change("timings", eventual_404=0.0)
    assert dies.calls(PUT, mark) == 1


@pytest.mark.parametrize("readback", ["terminated", "vanished"])
def test_both_ways_a_stopped_group_reads(line, ref: GroupRef, order: Order, readback: str) -> None:
    one = line()
    one.control.change("control", stop_readback=readback)
    try:
        one.groups.create(order(ref))
        one.groups.stop(ref)
        assert one.groups.look(ref).presence is Presence.STOPPED
        one.groups.start(ref)
    finally:
        one.control.change("control", stop_readback="terminated")


def test_a_start_that_never_arrived_is_sent_again_where_a_stopped_group_says_nothing(line, ref, order: Order) -> None:
    one = line(settle=0.5)
    one.control.change("control", stop_readback="bare")
    try:
        one.groups.create(order(ref))
        one.groups.stop(ref)
        assert one.groups.look(ref).silent
        mark = one.control.mark()
        one.control.set_fault("ContainerGroups_Start", stage="request", status=502, code="BadGateway", message="oops")
        one.groups.start(ref)
    finally:
        one.control.change("control", stop_readback="terminated")
    assert one.calls("ContainerGroups_Start", mark) == 2
    seen = one.groups.look(ref)
    assert (seen.presence, seen.silent) == (Presence.RUNNING, False)


def test_an_ended_container_is_stopped_and_starts_again(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.groups.create(order(ref))
    one.control.world.kill(ref.name)
    until(lambda: one.groups.look(ref).presence is Presence.STOPPED)
    seen = one.groups.look(ref)
    assert seen.presence is Presence.STOPPED
    assert seen.exit_code == 137
    one.groups.stop(ref)
    one.groups.start(ref)
    assert one.groups.look(ref).presence is Presence.RUNNING


def test_two_processes_create_at_once(line, ref: GroupRef, order: Order) -> None:
    first, second = line(), line()
    errors: list[BaseException] = []

    def run(azure) -> None:
        try:
            azure.create(order(ref))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(one.groups,)) for one in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert first.groups.look(ref).presence is Presence.RUNNING


KILLED = """
import os
from adapters.azure import AzureGroups, AzureSettings, GroupOrder
from statemachine.events import GroupFacts, GroupRef
from statemachine.secret import Secret
settings = AzureSettings(
    subscription=os.environ["AZURE_SUBSCRIPTION_ID"],
    tenant=os.environ["AZURE_TENANT_ID"],
    client_id=os.environ["AZURE_CLIENT_ID"],
    client_secret=Secret(os.environ["AZURE_CLIENT_SECRET"]),
    authority_host=os.environ["AZURE_AUTHORITY_HOST"],
    resource_manager_url=os.environ["AZURE_RESOURCE_MANAGER_URL"],
)
ref = GroupRef(settings.subscription, "dev", os.environ["NAME"], "dev")
facts = GroupFacts("alpine:3.19", "westeurope", 1.0, 1.5, "Never")
AzureGroups(settings).create(GroupOrder(ref=ref, facts=facts, command=("/bin/sleep", "1000")))
"""


def test_a_process_killed_in_the_middle_is_continued(line, clean: Running, ref: GroupRef, order: Order) -> None:
    one = line()
    mark = one.control.mark()
    one.control.change("timings", provision=4.0)
    try:
        program = [sys.executable, "-c", KILLED]
        with subprocess.Popen(program, env={**os.environ, **clean.env, "NAME": ref.name}) as process:
            until(lambda: one.groups.look(ref).presence is not Presence.ABSENT)
            process.kill()
        assert one.groups.look(ref).presence is Presence.PENDING
        one.groups.create(order(ref), resume=True)
    finally:
        one.control.change("timings", provision=0.02)
    assert one.groups.look(ref).presence is Presence.RUNNING
    assert one.calls(PUT, mark) == 1


def test_a_group_made_anew_is_not_taken_for_the_old_one(line, ref: GroupRef, order: Order) -> None:
    azure = line().groups
    azure.create(order(ref, tags={"n": "1"}))
    before = azure.look(ref)
    azure.create(order(ref, tags={"n": "2"}))
    after = azure.look(ref)
    assert after.tags["n"] == "2"
    assert after.started > before.started
