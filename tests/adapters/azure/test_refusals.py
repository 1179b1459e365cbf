"""What Azure refuses, at once or later: one line each, the right class, asked once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.azure import GroupOrder
from statemachine.errors import (
    AccessDeniedError,
    AuthenticationError,
    AzureError,
    CapacityError,
    ExecRefusedError,
    GroupMissingError,
    ImageError,
    NameRefusedError,
    NotRegisteredError,
    ProvisioningError,
    QuotaError,
    TransitioningError,
    UnavailableError,
)
from statemachine.events import GroupRef
from statemachine.ports import Presence
from statemachine.secret import Secret

PUT = "ContainerGroups_CreateOrUpdate"
Order = Callable[..., GroupOrder]


def test_opening_an_exec_session_is_one_call(line, ref: GroupRef, order: Order) -> None:
    one = line()
    one.groups.create(order(ref))
    mark = one.control.mark()
    one.groups.open_exec(ref)
    assert [entry["operation"] for entry in one.control.requests(since=mark)] == ["Containers_ExecuteCommand"]


def test_a_missing_group_cannot_be_started_stopped_or_entered(line, ref: GroupRef) -> None:
    azure = line().groups
    for verb in (azure.start, azure.stop, azure.open_exec, azure.logs):
        with pytest.raises(GroupMissingError):
            verb(ref)


def test_a_container_that_ends_at_once_says_why(line, ref: GroupRef, order: Order) -> None:
    command = ("/bin/sh", "-c", "echo no such module >&2; echo $TOKEN; exit 3")
    wanted = order(ref, command=command, secure_environment={"TOKEN": Secret("hush-hush")})
    with pytest.raises(ProvisioningError) as caught:
        line().groups.create(wanted)
    assert "exit code 3" in str(caught.value)
    assert "no such module" in str(caught.value)
    assert "hush-hush" not in str(caught.value)


def test_a_container_that_keeps_crashing(line, ref: GroupRef, order: Order) -> None:
    azure = line().groups

    def creating() -> None:
        for _ in range(30):
            azure.create(order(ref, facts={"restart_policy": "Always"}, command=("/bin/sh", "-c", "exit 4")))
            # A look caught it between two of its ends, alive.
            azure.delete(ref)

    with pytest.raises(ProvisioningError) as caught:
        creating()
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
    mark = one.control.mark()
    one.control.set_fault("ContainerGroups_Provision", stage="provision", **fault)
    with pytest.raises(error) as caught:
        one.groups.create(order(ref))
    assert fault.get("message", "not available") in str(caught.value)
    # Nothing answered with the failure itself: support begins with the PUT, which was accepted.
    (put,) = [asked for asked in one.control.requests(PUT, mark) if asked["status"] == 201]
    assert caught.value.request_id.endswith(put["request_id"])
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


def test_how_often_it_was_asked_is_told(line, ref: GroupRef) -> None:
    one = line(retry_deadline=1.5)
    mark = one.control.mark()
    one.control.set_fault("ContainerGroups_Stop", status=500, code="InternalServerError", message="no", count=None)
    with pytest.raises(AzureError) as caught:
        one.groups.stop(ref)
    assert caught.value.attempts == one.calls("ContainerGroups_Stop", mark) > 1


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


def test_a_transition_passes_or_does_not(line, ref: GroupRef, order: Order) -> None:
    one = line(retry_deadline=10)
    one.groups.create(order(ref))
    code = "ContainerGroupTransitioning"
    one.control.set_fault("ContainerGroups_Stop", status=409, code=code, message="is still transitioning")
    one.groups.stop(ref)
    one.control.world.stuck(ref.name)
    with pytest.raises(TransitioningError):
        line(retry_deadline=1.5).groups.stop(ref)
    one.control.world.stuck(ref.name, stuck=False)


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
