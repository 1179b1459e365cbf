"""DevPod's devcontainer mode: find, run, command, stop, start, delete."""

from __future__ import annotations

import json
import subprocess
import sys

from emulator.testing import Running
from statemachine import errors
from tests.e2e.provider import ROOT, Provider

LABELS = [
    'devcontainer.metadata=[{"remoteUser":"root","customizations":{"a":"' + "x" * 9000 + '"}}, {"b": "é=\\n"}]',
    "devpod.user=root",
    "empty=",
]
OPTIONS = {
    "uid": "default-ws-1",
    "image": "debian:12",
    "user": "root",
    "entrypoint": "/bin/sh",
    "cmd": ["-c", 'echo Container started\ntrap "exit 0" 15\nexec "$@"\nwhile sleep 1 & wait $!; do :; done', "-"],
    "env": {"DEVPOD": "true", "SPECIAL": "a 'quoted' value"},
    "labels": LABELS,
    "workspaceMount": {"type": "bind", "source": "/home/me/project", "target": "/workspaces/project"},
}


def run(devcontainer: Provider, **changes: object) -> None:
    devcontainer.ok("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS | changes))


def test_the_life_of_a_dev_container(devcontainer: Provider) -> None:
    assert devcontainer.ok("find") == b"", "not even a newline: DevPod would try to parse it"
    run(devcontainer)
    found = json.loads(devcontainer.ok("find"))
    assert found["State"]["Status"] == "running"
    assert found["Config"]["Labels"] == dict(label.split("=", 1) for label in LABELS)
    assert found["ID"]
    assert found["Created"]
    answer = devcontainer.shell('id -un; printf %s "$SPECIAL"; exit 5', DEVCONTAINER_USER="root")
    assert (answer.stdout, answer.returncode) == (b"root\na 'quoted' value", 5)
    devcontainer.ok("stop")
    assert json.loads(devcontainer.ok("find"))["State"]["Status"] == "exited"
    devcontainer.ok("start")
    found = json.loads(devcontainer.ok("find"))
    assert (found["State"]["Status"], len(found["Config"]["Labels"])) == ("running", len(LABELS))
    devcontainer.ok("delete")
    assert devcontainer.ok("find") == b""


def test_target_architecture(devcontainer: Provider) -> None:
    assert devcontainer.ok("target-architecture").strip() == b"amd64"


def test_logs_shows_what_the_container_printed(devcontainer: Provider) -> None:
    run(devcontainer)
    assert b"Container started" in devcontainer.ok("logs")


def test_labels_of_any_size_come_back(devcontainer: Provider) -> None:
    big = [f"devcontainer.metadata={'x=' * 40_000}", "devpod.user=root"]
    run(devcontainer, labels=big)
    assert json.loads(devcontainer.ok("find"))["Config"]["Labels"] == dict(label.split("=", 1) for label in big)


def test_another_computer_adopts_the_container_with_its_labels(devcontainer: Provider) -> None:
    run(devcontainer)
    devcontainer.log.rename(devcontainer.log.with_name("elsewhere"))
    side = devcontainer.log.with_name(devcontainer.log.name + ".d")
    if side.exists():
        side.rename(side.with_name("elsewhere.d"))
    answer = devcontainer.call("find")
    assert b"made by" in answer.stderr, "it may be a colleague's"
    assert json.loads(answer.stdout)["Config"]["Labels"] == dict(label.split("=", 1) for label in LABELS)
    assert devcontainer.event_types() == ["Adopted"]


def test_environment_values_stay_out_of_the_log(devcontainer: Provider) -> None:
    run(devcontainer, env={"TOKEN": "very-secret-value"})
    assert devcontainer.shell('printf %s "$TOKEN"').stdout == b"very-secret-value"
    text = devcontainer.log.read_text()
    assert "very-secret-value" not in text
    assert "TOKEN" in text


def test_what_aci_cannot_do_is_said_by_name(devcontainer: Provider) -> None:
    answer = devcontainer.call("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS | {"privileged": True}))
    assert answer.returncode == 66
    assert b"privileged" in answer.stderr
    answer = devcontainer.call(
        "run",
        DEVCONTAINER_RUN_OPTIONS=json.dumps(
            OPTIONS | {"capAdd": ["SYS_PTRACE"], "securityOpt": ["seccomp=unconfined"]}
        ),
    )
    assert b"SYS_PTRACE" in answer.stderr
    assert b"seccomp=unconfined" in answer.stderr


def test_options_that_are_no_json_are_refused_in_one_line(devcontainer: Provider) -> None:
    answer = devcontainer.call("run", DEVCONTAINER_RUN_OPTIONS="{not json")
    assert answer.returncode == 65
    assert len(answer.stderr.splitlines()) == 1


def test_the_manifests_parse_where_the_program_is_installed() -> None:
    for name in ("provider.yaml", "provider-machine.yaml"):
        assert (ROOT / name).exists()
    assert subprocess.run([sys.executable, "-m", "adapters.cli", "--version"], cwd=ROOT, check=False).returncode == 0


def test_a_group_that_azure_could_not_bring_up_is_not_started_again_as_it_was(
    devcontainer: Provider, azure: Running
) -> None:
    full = {"code": "InsufficientCapacity", "message": "The requested resource is not available in the location."}
    azure.control.set_fault("ContainerGroups_Provision", stage="async", **full)
    refused = devcontainer.call("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS))
    assert refused.returncode == errors.CapacityError.exit_status
    assert devcontainer.event_types() == ["CreateRequested", "CreateFailed", "DeleteRequested", "Deleted"]
    assert devcontainer.ok("find") == b"", "DevPod creates it anew, with what was corrected"
    run(devcontainer)


def test_a_container_that_ended_at_once_stays_for_its_output(devcontainer: Provider) -> None:
    ends = {"entrypoint": "/bin/sh", "cmd": ["-c", "echo no such file; exit 3"]}
    refused = devcontainer.call("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS | ends))
    assert refused.returncode == errors.ProvisioningError.exit_status
    assert b"no such file" in devcontainer.ok("logs")
    devcontainer.ok("delete")
    run(devcontainer)


def test_up_with_recreate_stops_what_is_not_there(devcontainer: Provider) -> None:
    assert b"no container group" in devcontainer.call("stop").stderr
    devcontainer.ok("stop")
    assert devcontainer.event_types() == []
    run(devcontainer)
