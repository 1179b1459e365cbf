"""What waits for the disk is counted: at most two syncs for a verb that does something, none for one that looks."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.e2e.provider import PROGRAM, Provider
from tests.eventlog.writing.test_killed import can_trace

SYNCS = ("fsync", "fdatasync", "sync_file_range", "syncfs", "msync", "sync")
RUN = {
    "DEVCONTAINER_RUN_OPTIONS": json.dumps(
        {"image": "debian:12", "labels": ["a=b"], "entrypoint": "/bin/sh", "cmd": ["-c", "sleep 100"]}
    )
}
COMMAND = {"COMMAND": "true", "DEVCONTAINER_COMMAND": "true", "ACI_TUNNEL_IDLE": "0"}
"""Without a holder, for the trace ends with the last process that the call leaves behind."""

pytestmark = pytest.mark.skipif(bool(can_trace()), reason=can_trace() or "traced")


def synced(provider: Provider, *verb: str, **env: str) -> list[str]:
    """The files that one call synced, all its threads and processes included."""
    trace = provider.home / "trace"
    command = ["strace", "-f", "-qq", "-y", "-o", str(trace), "-e", f"trace={','.join(SYNCS)}", *PROGRAM, *verb]
    env = provider.env | env
    done = subprocess.run(
        command, env=env, cwd=provider.home, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=90
    )
    assert done.returncode == 0, done.stderr
    calls = [line.split(None, 1)[1] for line in trace.read_text(encoding="utf-8").splitlines()]
    return [call.partition("<")[2].partition(">")[0] for call in calls if call.startswith(SYNCS)]


def test_a_verb_syncs_twice_and_a_poll_not_at_all(machine: Provider) -> None:
    machine.ok("create")
    assert synced(machine, "status") == []
    assert synced(machine, "stop") == [str(machine.log)] * 2
    assert synced(machine, "status") == []


def test_find_syncs_nothing(devcontainer: Provider) -> None:
    devcontainer.ok("run", **RUN)
    assert synced(devcontainer, "find") == []


@pytest.mark.skipif(not os.environ.get("ACI_SLOW_TESTS"), reason="takes a minute: set ACI_SLOW_TESTS")
def test_what_every_verb_syncs(machine: Provider, devcontainer: Provider) -> None:
    log = str(machine.log)
    home, state, labels = str(machine.home), str(machine.log.parent), f"{machine.log}.d/labels"
    # The first event of all makes the folder and the file last as well.
    assert synced(machine, "create") == [home, log, state, log]
    for verb in ("status", "command", "command", "status", "stop", "status", "start", "delete", "status", "create"):
        assert synced(machine, verb, **COMMAND) == ([] if verb == "status" else [log, log])
    first = synced(devcontainer, "run", **RUN)
    # Labels that were never seen before are a document of their own; its folder is made once.
    assert [file.partition(f"{labels}/")[0] for file in first] == [state, f"{log}.d", "", labels, log, log]
    for verb in ("find", "command", "stop", "find", "start", "delete", "find", "run", "delete"):
        assert synced(devcontainer, verb, **RUN, **COMMAND) == ([] if verb == "find" else [log, log])
