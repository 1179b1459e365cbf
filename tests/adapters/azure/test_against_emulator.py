"""The whole adapter against the emulator: what it does when all goes well, and how it goes on when not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from adapters.azure import EmptyDir, GroupOrder, Level
from statemachine.errors import (
    AccessDeniedError,
    AuthenticationError,
    AzureError,
    CapacityError,
    DeadlineError,
    ExecRefusedError,
    GroupMissingError,
    ImageError,
    NameRefusedError,
    NotRegisteredError,
    ProvisioningError,
    QuotaError,
    ThrottledError,
    TransitioningError,
    UnavailableError,
)
from statemachine.events import GroupRef
from statemachine.ports import Presence
from statemachine.secret import Secret

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
        environment={"LANG": "C"},
        secure_environment={"TOKEN": Secret("hush")},
        tags={"devpod-workspace": "w"},
        ports=(8080,),
        dns_label=f"label-{ref.name}",
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


def test_opening_an_exec_session_is_one_call(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.groups.create(order(ref))
    mark = one.control.mark()
    one.groups.open_exec(ref)
    assert [entry["operation"] for entry in one.control.requests(since=mark)] == ["Containers_ExecuteCommand"]


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


def test_a_missing_group_cannot_be_started_stopped_or_entered(line, ref: GroupRef) -> None:
    azure = line().groups
    for verb in (azure.start, azure.stop, azure.open_exec, azure.logs):
        with pytest.raises(GroupMissingError):
            verb(ref)


def test_a_second_process_continues_a_create(line, ref: GroupRef, order: Order) -> None:
    one, other = line(), line()
    one.control.set_fault("ContainerGroups_Provision", stage="provision", delay=1.0, drop="", count=0)
    slow = order(ref, facts={"image": "alpine:slow"})
    mark = one.control.mark()
    one.control.change("timings", provision=1.0)
    try:
        dies = line(deadline=0.4)
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


def test_an_ended_container_is_stopped_and_starts_again(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.groups.create(order(ref))
    one.control.world.kill(ref.name)
    for _ in range(100):
        if one.groups.look(ref).presence is Presence.STOPPED:
            break
        time.sleep(0.05)
    seen = one.groups.look(ref)
    assert seen.presence is Presence.STOPPED
    assert seen.exit_code == 137
    one.groups.stop(ref)
    one.groups.start(ref)
    assert one.groups.look(ref).presence is Presence.RUNNING


def test_a_container_that_ends_at_once_says_why(line, ref: GroupRef, order: Order) -> None:
    command = ("/bin/sh", "-c", "echo no such module >&2; echo $TOKEN; exit 3")
    wanted = order(ref, command=command, secure_environment={"TOKEN": Secret("hush-hush")})
    with pytest.raises(ProvisioningError) as caught:
        line().groups.create(wanted)
    assert "exit code 3" in str(caught.value)
    assert "no such module" in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_a_container_that_keeps_crashing(line, ref: GroupRef, order: Order) -> None:
    with pytest.raises(ProvisioningError) as caught:
        line().groups.create(order(ref, facts={"restart_policy": "Always"}, command=("/bin/sh", "-c", "exit 4")))
    assert "does not stay up" in str(caught.value) or "ended" in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({}, CapacityError),
        ({"code": "Failed", "message": 'Failed to pull image "alpine": manifest unknown'}, ImageError),
        ({"code": "FailedMount", "message": "mount error(13): permission denied"}, ProvisioningError),
        ({"code": "Strange", "message": "nobody knows"}, ProvisioningError),
    ],
)
def test_a_deployment_that_fails_later(line, ref: GroupRef, order: Order, fault: dict[str, str], error: type) -> None:
    one = line()
    one.control.set_fault("ContainerGroups_Provision", stage="provision", **fault)
    with pytest.raises(error) as caught:
        one.groups.create(order(ref))
    assert fault.get("message", "not available") in str(caught.value)
    assert one.groups.look(ref).presence is Presence.FAILED
    one.groups.delete(ref)


REFUSALS = [
    (400, "ContainerGroupQuotaReached", "quota 'StandardCores' exceeded in region 'westeurope'", QuotaError),
    (409, "ServiceUnavailable", "The requested resource is not available in the location", CapacityError),
    (400, "DnsNameLabelNotAvailable", "The DNS name label 'l' in container group 'g' not available.", NameRefusedError),
    (500, "InternalServerError", "The DNS name label 'l' in container group 'g' not available.", NameRefusedError),
    (400, "SomethingNew", "Azure has learned a new word", AzureError),
    (409, "SomethingElse", "and another", AzureError),
]


@pytest.mark.parametrize(("status", "code", "message", "error"), REFUSALS)
def test_refusals(
    line, ref: GroupRef, order: Order, status: int, code: str, message: str, error: type[AzureError]
) -> None:
    one = line(retry_deadline=1.5)
    mark = one.control.mark()
    one.control.set_fault(PUT, status=status, code=code, message=message, count=None)
    with pytest.raises(error) as caught:
        one.groups.create(order(ref))
    assert caught.value.http_status == status
    assert caught.value.code == code
    assert caught.value.request_id
    assert message.rstrip(".") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert one.calls(PUT, mark) == 1, "a refusal that stands is not repeated"


def test_an_error_while_looking_after_an_error_is_not_the_reason_given(line, ref: GroupRef, order: Order) -> None:
    one = line(retry_deadline=1.0)
    one.control.set_fault(PUT, status=500, code="InternalServerError", message="tracking id 1", count=None)
    with pytest.raises(UnavailableError) as caught:
        one.groups.create(order(ref))
    assert (caught.value.http_status, caught.value.azure_message) == (500, "tracking id 1")


def test_the_quota_and_the_image_as_the_emulator_sees_them(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.control.change("limits", standard_cores=1)
    try:
        with pytest.raises(QuotaError):
            one.groups.create(order(ref, facts={"cpu": 2.0}))
    finally:
        one.control.change("limits", standard_cores=100)
    with pytest.raises(ImageError) as caught:
        line(retry_deadline=1.0).groups.create(order(ref, facts={"image": "nowhere.example/none:1"}))
    assert "nowhere.example/none:1" in str(caught.value)


def test_forbidden_names_the_action(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.control.permissions(denied=["Microsoft.ContainerInstance/containerGroups/write"])
    with pytest.raises(AccessDeniedError) as caught:
        one.groups.create(order(ref))
    assert "Microsoft.ContainerInstance/containerGroups/write" in str(caught.value)
    assert caught.value.http_status == 403


def test_an_unregistered_provider_is_reported_and_not_registered(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.control.registration("NotRegistered")
    mark = one.control.mark()
    with pytest.raises(NotRegisteredError):
        one.groups.create(order(ref))
    assert one.calls("Providers_Register", mark) == 0


def test_a_wrong_secret(line, ref: GroupRef) -> None:
    one = line(client_secret=Secret("not-the-one"))
    with pytest.raises(AuthenticationError) as caught:
        one.groups.look(ref)
    assert caught.value.code == "AADSTS7000215"
    assert "not-the-one" not in str(caught.value)
    assert "Trace ID" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "code"), [({"client_id": "0" * 36}, "AADSTS700016"), ({"tenant": "no-such-tenant.example"}, "")]
)
def test_an_unknown_application_or_tenant(line, ref: GroupRef, changes: dict[str, str], code: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        line(**changes).groups.look(ref)
    assert code in caught.value.code


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
    assert 1.0 <= time.monotonic() - begun < 3.5


def test_throttling_past_the_deadline_is_not_waited_for(line, ref: GroupRef) -> None:
    one = line()
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
    assert time.monotonic() - begun < 3
    assert "3600 s" in str(caught.value)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_pass(line, ref: GroupRef, status: int) -> None:
    one = line()
    one.control.set_fault("ContainerGroups_Get", status=status, body="<html>oops</html>", count=1)
    assert one.groups.look(ref).presence is Presence.ABSENT


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


def test_the_token_endpoint_stays_down(line, ref: GroupRef) -> None:
    one = line(retry_deadline=1.0)
    one.control.set_fault("Entra_*", status=503, count=None)
    with pytest.raises(UnavailableError):
        one.groups.look(ref)


@pytest.mark.parametrize("operation", ["ContainerGroups_Get", "Entra_Token"])
def test_a_silent_server_does_not_hold_us(line, ref: GroupRef, operation: str) -> None:
    one = line(retry_deadline=1.0)
    one.control.set_fault(operation, drop="hang", count=None)
    begun = time.monotonic()
    with pytest.raises(UnavailableError) as caught:
        one.groups.look(ref)
    assert time.monotonic() - begun < 4
    assert "127.0.0.1 did not answer" in str(caught.value)


def test_a_provisioning_that_never_ends(line, ref: GroupRef, order: Order) -> None:
    one = line(deadline=1.0)
    one.control.set_fault("ContainerGroups_Provision", stage="provision", drop="hang")
    with pytest.raises(DeadlineError) as caught:
        one.groups.create(order(ref))
    assert "provisioning" in str(caught.value)


def test_a_transition_passes_or_does_not(line, ref: GroupRef, order: Order) -> None:
    one = line(retry_deadline=3.0)
    one.groups.create(order(ref))
    code = "ContainerGroupTransitioning"
    one.control.set_fault("ContainerGroups_Stop", status=409, code=code, message="is still transitioning")
    one.groups.stop(ref)
    one.control.world.stuck(ref.name)
    with pytest.raises(TransitioningError):
        line(retry_deadline=0.5).groups.stop(ref)
    one.control.world.stuck(ref.name, False)


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


def test_exec_into_a_stopped_group(line, ref: GroupRef, order: Order) -> None:
    azure = line().groups
    azure.create(order(ref))
    azure.stop(ref)
    with pytest.raises(ExecRefusedError) as caught:
        azure.open_exec(ref)
    assert "stopped" in str(caught.value)


def test_exec_refused(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.groups.create(order(ref))
    one.control.permissions(denied=["*/exec/action"])
    with pytest.raises(AccessDeniedError, match="containers/exec/action"):
        one.groups.open_exec(ref)
    one.control.permissions(denied=[])
    json = {"Content-Type": "application/json"}
    one.control.set_fault("Containers_ExecuteCommand", status=200, body="{}", headers=json)
    with pytest.raises(ExecRefusedError):
        one.groups.open_exec(ref)


@pytest.mark.parametrize("headers", [{"Content-Type": "application/json"}, {"Content-Type": "text/html"}])
def test_a_captive_portal(line, ref: GroupRef, headers: dict[str, str]) -> None:
    one = line()
    one.control.set_fault("ContainerGroups_Get", status=200, body="<html>Pay for your wifi</html>", headers=headers)
    with pytest.raises(AzureError, match="captive portal") as caught:
        one.groups.look(ref)
    assert "wifi" not in str(caught.value)


def test_an_update_azure_refuses(line, ref: GroupRef, order: Order) -> None:
    azure = line().groups
    azure.create(order(ref))
    with pytest.raises(AzureError, match="delete the workspace"):
        azure.create(order(ref, facts={"cpu": 2.0}))


def test_check_finds_nothing_wrong(line, clean) -> None:
    findings = line().groups.check("dev", "West Europe".replace(" ", "").lower(), cpu=1, memory_gb=2)
    assert {finding.level for finding in findings} == {Level.OK}
    subjects = {finding.subject for finding in findings}
    assert subjects == {"credentials", "resource group", "provider", "region", "capacity", "quota"}


def test_check_changes_nothing(line, clean) -> None:
    one = line()
    mark = one.control.mark()
    one.groups.check("not-there-yet", "westeurope")
    assert {entry["method"] for entry in one.control.requests(since=mark) if "Entra" not in entry["operation"]} == {
        "GET"
    }


def test_check_names_what_is_wrong(line, clean) -> None:
    one = line()
    one.control.registration("NotRegistered")
    problems = {f.subject: f for f in one.groups.check("dev", "moonbase") if f.level is Level.PROBLEM}
    assert isinstance(problems["provider"].error, NotRegisteredError)
    assert "moonbase" in problems["region"].text
    one.control.registration("Registered")
    findings = one.groups.check("dev", "westeurope", cpu=500, memory_gb=9999)
    problems = {f.subject: f for f in findings if f.level is Level.PROBLEM}
    assert isinstance(problems["capacity"].error, CapacityError)
    assert isinstance(problems["quota"].error, QuotaError)


def test_check_tolerates_what_may_not_be_read(line, clean) -> None:
    one = line()
    one.control.permissions(denied=["*/read"])
    findings = one.groups.check("dev", "westeurope")
    assert {finding.level for finding in findings} == {Level.OK, Level.NOTE}


def test_check_with_credentials_that_do_not_work(line, clean) -> None:
    findings = line(client_secret=Secret("wrong")).groups.check("dev", "westeurope")
    assert [(finding.subject, finding.level) for finding in findings] == [("credentials", Level.PROBLEM)]
    assert isinstance(findings[0].error, AuthenticationError)
