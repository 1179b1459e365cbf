"""What opening a command asks of Azure, counted: one exec call and one socket, then nothing at all."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from emulator.testing import Running
from tests.e2e.provider import Provider, eventually

EXEC = "Containers_ExecuteCommand"


def operations(azure: Running, since: int) -> list[str]:
    """The names of the requests since a mark, tokens left out."""
    return [
        request["operation"]
        for request in azure.control.requests(since=since)
        if not request["operation"].startswith("Entra")
    ]


def test_the_first_command_asks_once_and_later_ones_not_at_all(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    mark = azure.control.mark()
    assert machine.shell("echo one").stdout == b"one\n"
    assert operations(azure, mark).count(EXEC) == 1
    assert len(azure.control.sessions()["open"]) == 1
    mark = azure.control.mark()
    for number in range(5):
        assert machine.shell(f"echo {number}").stdout == f"{number}\n".encode()
    assert operations(azure, mark) == []


def test_without_a_holder_every_command_is_one_exec_call(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    direct = machine.with_env(ACI_TUNNEL_IDLE="0")
    assert direct.shell("echo place the helper").returncode == 0
    for _ in range(2):
        mark = azure.control.mark()
        assert direct.shell("echo hello").stdout == b"hello\n"
        assert operations(azure, mark).count(EXEC) == 1
    assert eventually(lambda: not list((machine.home / "run").rglob("*.sock")))


def test_a_command_over_a_holder_imports_no_azure(machine: Provider) -> None:
    machine.ok("create")
    machine.shell("true")
    probe = (
        "import sys; from adapters.cli.main import run; status = run(['command']); "
        "heavy = {name.split('.')[0] for name in sys.modules} & {'azure', 'isal', 'requests', 'ssl', 'websockets'}; "
        "print(sorted(heavy), file=sys.stderr); sys.exit(status)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", probe],
        env=machine.env | {"COMMAND": "exit 9"},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert (answer.returncode, answer.stderr.splitlines()[-1]) == (9, b"[]")


def test_the_holder_goes_with_the_workspace(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    machine.shell("true")
    (path,) = (machine.home / "run").rglob("*.sock")
    assert path.stat().st_mode & 0o777 == 0o600
    machine.ok("stop")
    assert eventually(lambda: not path.exists())
    assert eventually(lambda: azure.control.sessions()["open"] == [])
    machine.ok("start")
    assert machine.shell("echo again").stdout == b"again\n"


def test_the_helper_leaves_no_dead_process_about(machine: Provider) -> None:
    machine.ok("create")
    seen = machine.shell("cat /proc/[0-9]*/stat").stdout.decode()
    ours = [line for line in seen.splitlines() if "(devpod-aci)" in line]
    assert ours
    assert [line for line in ours if line.rpartition(")")[2].split()[0] == "Z"] == []


def test_a_command_that_waits_for_long_says_what_for(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    busy = {"status": 503, "code": "ServerBusy", "message": "busy", "headers": {"Retry-After": "6"}}
    azure.control.set_fault(EXEC, count=1, **busy)
    answer = machine.shell("echo ready")
    assert (answer.returncode, answer.stdout) == (0, b"ready\n")
    (line,) = answer.stderr.decode().splitlines()
    assert "yet (server error); trying again for up to " in line
    assert machine.shell("true").stderr == b""


def kill_holder(machine: Provider) -> None:
    """Kill the one holder there is."""
    (path,) = (machine.home / "run").rglob("*.sock")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid = int.from_bytes(credentials[:4], sys.byteorder)
    subprocess.run(["kill", "-9", str(pid)], check=True)


@pytest.mark.parametrize("ending", ["idle", "killed"])
def test_no_file_of_a_holder_outlives_the_workspace(machine: Provider, ending: str) -> None:
    run = machine.home / "run"
    machine.ok("create")
    caller = machine.with_env(ACI_TUNNEL_IDLE="0") if ending == "idle" else machine
    assert caller.shell("true").returncode == 0
    if ending == "idle":
        assert eventually(lambda: not list(run.rglob("*.sock")))
    else:
        kill_holder(machine)
    assert list(run.rglob("*.lock"))
    machine.ok("delete")
    assert [path for path in run.rglob("*") if not path.is_dir()] == []


def test_a_holder_that_was_killed_is_replaced(machine: Provider) -> None:
    machine.ok("create")
    machine.shell("true")
    kill_holder(machine)
    assert machine.shell("echo back").stdout == b"back\n"


def test_polls_go_over_the_holder(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    machine.shell("true")
    machine.ok("status")
    mark = azure.control.mark()
    assert machine.status() == "Running"
    (look,) = azure.control.requests(since=mark)
    assert look["operation"] == "ContainerGroups_Get", "no sign-in: the holder has done that"
    probe = (
        "import sys; from adapters.cli.main import run; status = run(['status']); "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'azure', 'isal', 'ssl'}), file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", probe], env=machine.env, capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (answer.stdout.strip(), answer.stderr.splitlines()[-1]) == (b"Running", b"[]")


def test_a_poll_over_the_holder_sees_what_others_did(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    machine.shell("true")
    azure.control.world.delete(machine.events()[0]["data"]["group"]["name"])
    assert eventually(lambda: machine.status() == "NotFound")
    assert machine.event_types()[-1] == "Vanished"
    assert azure.env["AZURE_CLIENT_ID"] in machine.events()[-1]["actor"]["azure"]
