"""DevPod's machine mode: the real order of calls, and what the log has to say about it."""

from __future__ import annotations

import hashlib
import os
import re
import stat

from tests.e2e.provider import Provider


def test_the_life_of_a_machine(machine: Provider) -> None:
    machine.ok("init")
    assert machine.status() == "NotFound"
    machine.ok("create")
    assert machine.status() == "Running"
    answer = machine.shell('read line; echo "got $line"; echo oops >&2; exit 3', b"hello\n")
    assert (answer.stdout, answer.returncode) == (b"got hello\n", 3)
    assert b"oops" in answer.stderr
    machine.ok("stop")
    assert machine.status() == "Stopped"
    machine.ok("start")
    assert machine.status() == "Running"
    machine.ok("delete")
    assert machine.status() == "NotFound"
    assert machine.event_types() == [
        "CreateRequested",
        "Created",
        "CommandOpened",
        "CommandClosed",
        "StopRequested",
        "Stopped",
        "StartRequested",
        "Started",
        "DeleteRequested",
        "Deleted",
    ]


def test_status_says_one_word_and_nothing_else(machine: Provider) -> None:
    assert machine.ok("status").split() == [b"NotFound"]


def test_files_are_lost_on_stop_as_aci_loses_them(machine: Provider) -> None:
    machine.ok("create")
    assert machine.shell("echo kept > /tmp/dpaci-e2e-kept && cat /tmp/dpaci-e2e-kept").stdout == b"kept\n"
    machine.ok("stop")
    machine.ok("start")
    assert machine.shell("cat /tmp/dpaci-e2e-kept").returncode != 0


def test_every_verb_may_be_called_twice(machine: Provider) -> None:
    for verb in ("create", "create", "stop", "stop", "start", "start", "delete", "delete"):
        machine.ok(verb)
    assert machine.status() == "NotFound"
    assert len([kind for kind in machine.event_types() if kind.endswith("Requested")]) == 4


def test_the_inject_handshake_and_a_binary_to_end_of_file(machine: Provider) -> None:
    machine.ok("create")
    script = (
        'echo ping; read -r answer; [ "$answer" = pong ] || exit 9; echo ARM-false; '
        "cat > /tmp/dpaci-agent; echo done; sha256sum < /tmp/dpaci-agent >&2"
    )
    agent = os.urandom(5_000_011)
    call = machine.start("command", COMMAND=script)
    assert call.stdin is not None
    assert call.stdout is not None
    assert call.stdout.readline() == b"ping\n"
    call.stdin.write(b"pong\n")
    call.stdin.flush()
    assert call.stdout.readline() == b"ARM-false\n"
    out, err = call.communicate(agent, timeout=60)
    assert (out, call.returncode) == (b"done\n", 0)
    assert hashlib.sha256(agent).hexdigest().encode() in err


def test_the_log_is_private_and_names_who_did_it(machine: Provider) -> None:
    machine.ok("create")
    assert stat.S_IMODE(machine.log.stat().st_mode) == 0o600
    assert stat.S_IMODE(machine.log.parent.stat().st_mode) == 0o700
    requested = machine.events()[0]
    assert requested["actor"]["user"]
    assert requested["actor"]["host"]
    assert machine.azure["AZURE_CLIENT_ID"] in requested["actor"]["azure"]
    assert machine.azure["AZURE_CLIENT_SECRET"] not in machine.log.read_text()
    assert len({event["correlation"] for event in machine.events()}) == 1


def test_history_and_verify_read_it_back(machine: Provider) -> None:
    machine.ok("create")
    machine.ok("delete")
    history = machine.ok("history").decode()
    assert "create" in history
    assert "delete" in history
    assert machine.call("verify").returncode == 0


def test_debugging_traces_every_request_and_no_secret(machine: Provider) -> None:
    for setting in ({"DEVPOD_DEBUG": "true"}, {"DEVPOD_LOG_LEVEL": "debug"}):
        answer = machine.call("status", **setting)
        assert answer.stdout.split() == [b"NotFound"], "stdout stays DevPod's"
        requests = [line for line in answer.stderr.decode().splitlines() if "/containerGroups/" in line]
        assert requests, answer.stderr
        assert all(re.search(r"GET /\S+ .*404.* ms", line) for line in requests), requests
        assert machine.azure["AZURE_CLIENT_SECRET"].encode() not in answer.stderr
        assert b"Bearer" not in answer.stderr
        assert b"api-version" not in answer.stderr, "a query may carry a signature"
    assert machine.call("status").stderr == b""
