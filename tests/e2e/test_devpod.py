"""The real DevPod, where its binary is on PATH: provider add, up, ssh, stop, up, delete, in both modes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emulator.testing import Running, running_emulator
from tests.e2e.provider import ROOT, Provider
from tests.e2e.registry import registry

DEVPOD = shutil.which("devpod")
pytestmark = [
    pytest.mark.skipif(DEVPOD is None, reason="needs the devpod binary on PATH"),
    pytest.mark.timeout(600),
]
FRESH = ("/tmp", "/dev", "/dev/shm")
QUIET = {
    "TELEMETRY": "false",
    "SSH_ADD_PRIVATE_KEYS": "false",
    "SSH_AGENT_FORWARDING": "false",
    "SSH_INJECT_GIT_CREDENTIALS": "false",
    "SSH_INJECT_DOCKER_CREDENTIALS": "false",
}


class Devpod:
    """DevPod's command line with a home of its own."""

    def __init__(self, user: Provider, host: str) -> None:
        folder = user.home / "bin"
        folder.mkdir()
        launcher = folder / "devpod-provider-aci"
        launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m adapters.cli "$@"\n')
        launcher.chmod(0o755)
        self.user = user
        self.host = host
        self.env = user.env | {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "DEVPOD_DISABLE_TELEMETRY": "true",
            "DEVPOD_AGENT_URL": f"http://{host}/agent/",
        }

    def __call__(self, *words: str, timeout: float = 300) -> subprocess.CompletedProcess[bytes]:
        assert DEVPOD is not None
        return subprocess.run(
            [DEVPOD, *words], env=self.env, capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
        )

    def ok(self, *words: str) -> str:
        """A call that must succeed; what it printed."""
        answer = self(*words)
        said = (answer.stdout + answer.stderr).decode(errors="replace")
        assert answer.returncode == 0, f"devpod {' '.join(words)}: {answer.returncode}\n{said}"
        return answer.stdout.decode(errors="replace")

    def up(self, *words: str) -> None:
        """``devpod up``, again where DevPod loses its own race: it fails with EOF when the far command ends while it
        still writes to it (pkg/ssh Run), over a local pipe as well.
        """
        for _ in range(3):
            answer = self("up", *words, "--ide", "none")
            if answer.returncode == 0:
                return
            said = (answer.stdout + answer.stderr).decode(errors="replace")
            assert "EOF" in said, said
        raise AssertionError("devpod up ended with EOF three times")

    def add(self, manifest: str) -> None:
        """Add the provider with the options that DevPod keeps."""
        names = ("AZURE_SUBSCRIPTION_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
        values = {name: self.env[name] for name in names}
        values |= {
            "AZURE_RESOURCE_GROUP": "devpod-test",
            "AZURE_REGION": "westeurope",
            "ACI_EVENT_LOG": str(self.user.log),
        }
        if "machine" in manifest:
            values["WORKSPACE_IMAGE"] = f"{self.host}/devcontainers/base:latest"
        for name, value in QUIET.items():
            self.ok("context", "set-options", "-o", f"{name}={value}")
        options = [part for name, value in values.items() for part in ("-o", f"{name}={value}")]
        self.ok("provider", "add", str(ROOT / manifest), "--name", "aci", *options)

    def state(self) -> str:
        """What DevPod makes of our answer."""
        return str(json.loads(self.ok("status", "project", "--output", "json"))["state"])

    def workspace(self) -> Path:
        """A project with a devcontainer.json."""
        folder = self.user.home / "project"
        (folder / ".devcontainer").mkdir(parents=True)
        described = {"image": f"{self.host}/devcontainers/base:latest"}
        (folder / ".devcontainer" / "devcontainer.json").write_text(json.dumps(described))
        (folder / "hello.txt").write_text("hello from the project\n")
        return folder


def image(host: str) -> dict[str, Any]:
    """What the emulator runs for a registry's images.

    The DevPod under test may be installed where DevPod looks for its agent; a container has not got that one.
    """
    return {"name": f"{host}/*", "writable": [*FRESH, "/usr/local/bin"]}


@pytest.fixture
def host() -> Iterator[str]:
    """A registry's address."""
    assert DEVPOD is not None
    with registry(Path(DEVPOD).resolve()) as address:
        yield address


@pytest.fixture
def azure(host: str) -> Iterator[Running]:
    """An Azure that runs that registry's images."""
    with running_emulator("fast", images=[image(host)]) as running:
        yield running


@pytest.fixture
def devpod(home: Path, host: str, azure: Running) -> Devpod:
    return Devpod(Provider(home, azure.env), host)


@pytest.mark.parametrize("manifest", ["provider.yaml", "provider-machine.yaml"])
def test_a_workspace_from_up_to_delete(devpod: Devpod, manifest: str) -> None:
    devpod.add(manifest)
    project = devpod.workspace()
    devpod.up(str(project))
    assert devpod.ok("ssh", "project", "--command", "cat hello.txt").strip() == "hello from the project"
    # Nothing of 85 MB was pushed: the container had fetched the agent itself.
    assert devpod.ok("ssh", "project", "--command", "cat /usr/local/bin/.devpod-aci/log").endswith("placed\n")
    assert devpod("ssh", "project", "--command", "exit 7").returncode != 0
    assert devpod.state() == "Running"
    devpod.ok("stop", "project")
    assert devpod.state() == "Stopped"
    # A machine's files are lost on stop, and DevPod sends a workspace to a machine once unless told to again.
    devpod.up(str(project), *(["--reset"] if "machine" in manifest else []))
    assert devpod.ok("ssh", "project", "--command", "cat hello.txt").strip() == "hello from the project"
    devpod.ok("delete", "project")
    assert devpod.user.event_types()[-1] == "Deleted"
    requested = [kind for kind in devpod.user.event_types() if kind.endswith("Requested")]
    # With a custom driver DevPod stops a running container before it deletes it.
    last = ["DeleteRequested"] if "machine" in manifest else ["StopRequested", "DeleteRequested"]
    assert requested == ["CreateRequested", "StopRequested", "StartRequested", *last]
    assert devpod.user.call("verify").returncode == 0


@pytest.mark.parametrize("again", [(), ("--recreate",)])
def test_an_up_after_one_that_azure_had_no_room_for(devpod: Devpod, azure: Running, again: tuple[str, ...]) -> None:
    devpod.add("provider.yaml")
    project = devpod.workspace()
    full = {"code": "InsufficientCapacity", "message": "The requested resource is not available in the location."}
    azure.control.set_fault("ContainerGroups_Provision", stage="async", **full)
    refused = devpod("up", str(project), "--ide", "none")
    assert refused.returncode != 0
    assert b"no room" in refused.stdout + refused.stderr
    devpod.up(str(project), *again)
    assert devpod.ok("ssh", "project", "--command", "cat hello.txt").strip() == "hello from the project"
