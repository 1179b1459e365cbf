"""Whoever of us is killed, however: the command in the container is gone within seconds, and the log tells its end."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from uuid import uuid4

import pytest

from emulator.testing import Running
from tests.e2e.provider import Provider, eventually
from tests.waiting import PATIENCE

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL]
GONE_WITHIN = 60.0
"""The helper hangs up at once, terminates after two seconds and kills after four; an heir needs a second before it.
All of that takes longer on a busy machine, and 300 s where nobody cares."""

COMMANDS = {
    "polite": "echo up; sleep {mark} & wait; echo {mark}",
    "stubborn": "trap '' HUP TERM; echo up; sleep {mark} & while :; do sleep {mark}; done",
}
"""Groups of processes: a hang-up ends the first, only SIGKILL the second, and that takes its seconds."""


@contextmanager
def running(machine: Provider, command: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A command that runs, and what all its processes can be known by."""
    mark = f"47{uuid4().int % 10**9:09d}"
    call = machine.start("command", COMMAND=command.format(mark=mark))
    try:
        assert call.stdout is not None
        assert call.stdout.readline() == b"up\n"
        yield call, mark
    finally:
        call.kill()
        call.communicate()


def holder_of(machine: Provider) -> int:
    """The process that keeps the session."""
    (path,) = (machine.home / "run").rglob("*.sock")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def alive(mark: str) -> list[str]:
    """The command lines with a mark in them."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if mark in words:
                found.append(f"{place.parent.name}: {words}")
    return found


def gone(mark: str, since: float) -> bool:
    """Whether nothing of the command is left in time."""
    return eventually(lambda: not alive(mark), seconds=max(since + GONE_WITHIN - time.monotonic(), 0.1))


SLOW = pytest.mark.skipif(not os.environ.get("ACI_SLOW_TESTS"), reason="takes a minute; ACI_SLOW_TESTS=1 runs it")


Machines = Callable[[str], Provider]


def each(commands: tuple[str, ...], signals: tuple[signal.Signals, ...]) -> list[object]:
    """Every signal and command, with and without a holder that stays; those named in every run of the tests."""
    return [
        pytest.param(idle, kind, number, marks=() if kind in commands and number in signals else SLOW)
        for idle in ("10m", "0")
        for kind in COMMANDS
        for number in SIGNALS
    ]


@pytest.fixture(scope="module")
def machines(azure: Running) -> Iterator[Machines]:
    """A machine whose connection is kept so long; each idle time has one of its own."""
    made: dict[str, Provider] = {}

    def named(idle: str) -> Provider:
        if idle not in made:
            home = Path(mkdtemp(prefix="dpaci-"))
            (home / "run").mkdir(mode=0o700)
            about = {"MACHINE_ID": f"killed-{idle}", "MACHINE_CONTEXT": "default", "ACI_TUNNEL_IDLE": idle}
            made[idle] = Provider(home, azure.env, about)
            made[idle].ok("create")
        return made[idle]

    yield named
    for machine in made.values():
        machine.call("delete")
        rmtree(machine.home, ignore_errors=True)


def ends(machine: Provider) -> list[tuple[int | None, str | None]]:
    """How the log says that the last two commands ended."""
    opened = [event["data"]["command"] for event in machine.events() if event["type"] == "CommandOpened"]
    closed = {event["data"]["command"]: event["data"] for event in machine.events() if event["type"] == "CommandClosed"}
    assert sorted(closed) == sorted(opened)
    return [(closed[name].get("exit_status"), closed[name].get("reason")) for name in opened[-2:]]


@pytest.mark.parametrize(("idle", "kind", "number"), each(("polite",), (signal.SIGTERM, signal.SIGKILL)))
def test_a_killed_provider_leaves_nothing(machines: Machines, idle: str, kind: str, number: signal.Signals) -> None:
    machine = machines(idle)
    with running(machine, COMMANDS[kind]) as (call, mark):
        assert alive(mark)
        killed = time.monotonic()
        call.send_signal(number)
        assert call.wait(PATIENCE) == (-number if number == signal.SIGKILL else 128 + number)
        assert gone(mark, killed), alive(mark)
    assert machine.shell("echo on").stdout == b"on\n"
    assert ends(machine) == [(None, "abandoned") if number == signal.SIGKILL else (128 + number, None), (0, None)]


@pytest.mark.parametrize(("idle", "kind", "number"), each(("polite",), (signal.SIGTERM, signal.SIGKILL)))
def test_a_killed_holder_leaves_nothing(machines: Machines, idle: str, kind: str, number: signal.Signals) -> None:
    machine = machines(idle)
    with running(machine, COMMANDS[kind]) as (call, mark):
        killed = time.monotonic()
        os.kill(holder_of(machine), number)
        _, said = call.communicate(timeout=PATIENCE)
        assert call.returncode == 95, said
        assert len(said.splitlines()) == 1
        assert gone(mark, killed), alive(mark)
    assert machine.shell("echo on").stdout == b"on\n"
    assert ends(machine) == [(None, "failed"), (0, None)]


def test_nothing_of_ours_stays_where_nothing_is_kept(machines: Machines, azure: Running) -> None:
    machine = machines("0")
    assert machine.shell("echo done").stdout == b"done\n"
    ours = machine.events()[0]["data"]["group"]["name"]

    def used() -> bool:
        return ours in [session["group"] for session in azure.control.sessions()["open"]]

    assert eventually(lambda: not used())
    assert eventually(lambda: not list((machine.home / "run").rglob("*.sock")))
