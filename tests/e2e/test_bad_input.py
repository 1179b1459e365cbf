"""Bad input: one line on stderr with the remedy, a status of its own, an event where an intent was open."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from emulator.testing import Running
from statemachine import errors
from tests.e2e.provider import Answer, Provider


def one_line(answer: Answer, kind: type[errors.ProviderError]) -> str:
    """The error line of a failed call, after checking its form."""
    said = answer.stderr.decode()
    assert answer.returncode == kind.exit_status, said
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, said
    return lines[0]


OPTIONS: list[tuple[dict[str, str], str]] = [
    ({"AZURE_SUBSCRIPTION_ID": ""}, "AZURE_SUBSCRIPTION_ID"),
    ({"AZURE_SUBSCRIPTION_ID": "not-a-guid"}, "AZURE_SUBSCRIPTION_ID"),
    ({"ACI_CPU_CORES": "many"}, "ACI_CPU_CORES"),
    ({"ACI_MEMORY_GB": "-1"}, "ACI_MEMORY_GB"),
    ({"ACI_RESTART_POLICY": "Sometimes"}, "ACI_RESTART_POLICY"),
    ({"AZURE_RESOURCE_GROUP": "ends-with-a-dot."}, "AZURE_RESOURCE_GROUP"),
    ({"ACI_DNS_LABEL": "1starts-with-digit"}, "ACI_DNS_LABEL"),
    ({"AZURE_CLIENT_SECRET": ""}, "AZURE_CLIENT_SECRET"),
]


@pytest.mark.parametrize(("changes", "named"), OPTIONS, ids=str)
def test_a_bad_option_is_named(machine: Provider, changes: dict[str, str], named: str) -> None:
    assert named in one_line(machine.with_env(**changes).call("create"), errors.OptionError)
    assert machine.event_types() == []


@pytest.mark.parametrize("changes", [{"ACI_GPU_COUNT": "1"}, {"ACI_VNET_NAME": "net", "ACI_SUBNET_NAME": "sub"}])
def test_an_option_without_effect_yet_is_refused(machine: Provider, changes: dict[str, str]) -> None:
    assert next(iter(changes)) in one_line(machine.with_env(**changes).call("create"), errors.UnsupportedError)


def test_no_workspace_named(user: Provider) -> None:
    one_line(user.call("status"), errors.OptionError)


def test_wrong_secret(machine: Provider) -> None:
    wrong = "wrong-secret-that-must-not-show"
    answer = machine.with_env(AZURE_CLIENT_SECRET=wrong, DEVPOD_DEBUG="true").call("create")
    line = one_line(answer, errors.AuthenticationError)
    assert line.startswith(
        "error: Entra ID refused the service principal: AADSTS7000215: Invalid client secret provided."
    )
    assert "{" not in line
    assert wrong.encode() not in answer.stderr


def test_init_tells_on_stderr_what_it_looked_at_and_what_is_wrong_once(machine: Provider) -> None:
    good = machine.call("init")
    assert (good.returncode, good.stdout) == (0, b"")
    assert good.stderr.startswith(b"ok ")
    bad = machine.with_env(AZURE_CLIENT_SECRET="wrong").call("init")
    assert (bad.stdout, len(bad.stderr.splitlines())) == (b"", 1)
    assert "AADSTS7000215" in one_line(bad, errors.AuthenticationError)


def test_no_credentials(machine: Provider) -> None:
    nothing = dict.fromkeys(("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"), "")
    answer = machine.with_env(**nothing, PATH="/nonexistent").call("create")
    assert "Azure CLI" in one_line(answer, errors.CredentialsError)


AZURE: list[tuple[dict[str, Any], type[errors.AzureError], str]] = [
    (
        {
            "status": 403,
            "code": "AuthorizationFailed",
            "message": "The client 'x' does not have authorization to perform action "
            "'Microsoft.ContainerInstance/containerGroups/write' over scope '/subscriptions/s'.",
        },
        errors.AccessDeniedError,
        "containerGroups/write",
    ),
    (
        {
            "status": 409,
            "code": "ServiceUnavailable",
            "message": "The requested resource is not available in the location 'westeurope' at this moment.",
        },
        errors.CapacityError,
        "ServiceUnavailable",
    ),
    (
        {
            "status": 400,
            "code": "ContainerGroupQuotaReached",
            "message": "Resource type 'ContainerGroups' container group quota 'StandardCores' exceeded in region "
            "'westeurope'. Limit: '10', Usage: '10' Requested: '2'.",
        },
        errors.QuotaError,
        "StandardCores",
    ),
    (
        {
            "status": 409,
            "code": "MissingSubscriptionRegistration",
            "message": "The subscription is not registered to use namespace 'Microsoft.ContainerInstance'.",
        },
        errors.NotRegisteredError,
        "az provider register",
    ),
]


@pytest.mark.parametrize(("fault", "kind", "named"), AZURE, ids=lambda value: getattr(value, "__name__", ""))
def test_a_refusal_by_azure_is_told_and_recorded(
    machine: Provider, azure: Running, fault: dict[str, Any], kind: type[errors.AzureError], named: str
) -> None:
    azure.control.set_fault("ContainerGroups_CreateOrUpdate", count=100, **fault)
    line = one_line(machine.call("create"), kind)
    assert named in line
    assert fault["code"] in line
    assert "request id" in line
    assert machine.event_types() == ["CreateRequested", "CreateFailed"]
    failure = machine.events()[-1]["data"]["failure"]
    assert (failure["code"], failure["http_status"]) == (fault["code"], fault["status"])
    assert failure["request_id"]


def test_an_unknown_image(machine: Provider) -> None:
    wrong = machine.with_env(WORKSPACE_IMAGE="registry.invalid/no/such/image:1")
    assert "registry.invalid/no/such/image:1" in one_line(wrong.call("create"), errors.ImageError)
    assert machine.event_types() == ["CreateRequested", "CreateFailed"]
    machine.ok("create")


def test_a_machine_that_azure_could_not_bring_up_is_not_left_there(machine: Provider, azure: Running) -> None:
    full = {"code": "InsufficientCapacity", "message": "The requested resource is not available in the location."}
    azure.control.set_fault("ContainerGroups_Provision", stage="async", **full)
    assert "no room" in one_line(machine.call("create"), errors.CapacityError)
    assert machine.event_types() == ["CreateRequested", "CreateFailed", "DeleteRequested", "Deleted"]
    assert machine.status() == "NotFound"
    assert b"InsufficientCapacity" in machine.ok("explain", machine.env["MACHINE_ID"])
    machine.ok("create")


def test_an_azure_that_is_not_there(machine: Provider) -> None:
    nowhere = machine.with_env(
        AZURE_RESOURCE_MANAGER_URL="https://127.0.0.1:9", AZURE_AUTHORITY_HOST="https://127.0.0.1:9"
    )
    one_line(nowhere.call("status"), errors.UnavailableError)


def test_a_verb_the_state_forbids(machine: Provider) -> None:
    assert "devpod up" in one_line(machine.call("start"), errors.RefusedError)
    assert "devpod up" in one_line(machine.shell("true"), errors.RefusedError)


def test_a_command_without_a_command(machine: Provider) -> None:
    one_line(machine.call("command"), errors.OptionError)


@pytest.mark.parametrize("content", [b"\x7fELF\x00\x01", b'{"level":"info","msg":"another tool"}\n', b"\xff\xfe\n"])
def test_a_log_that_is_none(machine: Provider, content: bytes) -> None:
    machine.log.parent.mkdir(mode=0o700)
    machine.log.write_bytes(content)
    machine.log.chmod(0o600)
    answer = machine.call("create")
    assert answer.returncode in (errors.LogError.exit_status, errors.LogDamagedError.exit_status)
    assert str(machine.log) in answer.stderr.decode()
    assert machine.log.read_bytes() == content, "nothing of the file is lost"


def test_a_log_that_cannot_be_written(machine: Provider) -> None:
    machine.log.parent.mkdir(mode=0o700)
    machine.log.mkdir()
    one_line(machine.call("create"), errors.LogError)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(machine: Provider, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    one_line(machine.with_env(ACI_EVENT_LOG=str(tmp_path / "sub" / "log")).call("create"), errors.LogError)


def test_a_damaged_log_is_not_written_over(machine: Provider) -> None:
    machine.ok("create")
    lines = machine.log.read_bytes()
    machine.log.write_bytes(lines.replace(b'"subject":"', b'"subject":"x', 1))
    assert machine.call("verify").returncode == errors.LogDamagedError.exit_status
    machine.log.write_bytes(lines)
    assert machine.call("verify").returncode == 0


def test_usage_errors_are_clicks(user: Provider) -> None:
    assert user.call("no-such-verb").returncode == 2
