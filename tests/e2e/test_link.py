"""What happens to a holder and its commands when the world changes around them."""

from __future__ import annotations

import os
import socket
import struct
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emulator.testing import Running
from tests.connect_proxy import connect_proxy
from tests.e2e.provider import Provider, eventually
from tests.waiting import PATIENCE

slow = pytest.mark.skipif(not os.environ.get("ACI_SLOW_TESTS"), reason="ACI_SLOW_TESTS=1 runs it")


def group_of(machine: Provider) -> str:
    """The container group's name, as the log has it."""
    return str(machine.events()[0]["data"]["group"]["name"])


def sockets(machine: Provider) -> list[Path]:
    """Where holders of this user listen."""
    return sorted((machine.home / "run").rglob("*.sock"))


def holder_of(machine: Provider) -> int:
    """The process that holds the machine's session."""
    (path,) = sockets(machine)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        return int(struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])


def is_gone(pid: int) -> bool:
    """Whether the process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("what", ["stop", pytest.param("delete", marks=slow)])
def test_the_holder_goes_when_others_end_the_container(machine: Provider, azure: Running, what: str) -> None:
    machine.ok("create")
    machine.shell("true")
    pid = holder_of(machine)
    getattr(azure.control.world, what)(group_of(machine))
    assert eventually(lambda: is_gone(pid))
    assert sockets(machine) == []


def restarted(azure: Running, group: str) -> None:
    """Somebody else restarts the container."""
    azure.control.world.restart(group)


def stopped_and_started(azure: Running, group: str) -> None:
    """Somebody else stops the group and starts it again."""
    azure.control.world.stop(group)
    azure.control.world.start(group)


@pytest.mark.parametrize("change", [stopped_and_started, pytest.param(restarted, marks=slow)])
def test_the_first_command_after_others_started_it_anew_runs(
    machine: Provider, azure: Running, change: Callable[[Running, str], None]
) -> None:
    machine.ok("create")
    machine.shell("true")
    change(azure, group_of(machine))
    assert eventually(lambda: machine.status() == "Running")
    answer = machine.shell("echo back; exit 4")
    assert (answer.returncode, answer.stdout) == (4, b"back\n"), answer.stderr


def test_first_commands_at_once_start_one_holder(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: machine.shell(f"echo {number}"), range(4)))
    assert [answer.stdout for answer in answers] == [b"0\n", b"1\n", b"2\n", b"3\n"]
    assert len(sockets(machine)) == 1
    assert len(azure.control.sessions()["open"]) == 1


@slow
def test_each_container_and_each_sign_in_has_a_holder_of_its_own(machine: Provider) -> None:
    other = machine.with_env(MACHINE_ID=machine.env["MACHINE_ID"] + "b")
    for one in (machine, other):
        one.ok("create")
        name = one.env["MACHINE_ID"]
        assert one.shell(f"echo {name} >/tmp/name; cat /tmp/name").stdout == f"{name}\n".encode()
    assert len(sockets(machine)) == 2
    assert machine.shell("cat /tmp/name").stdout == machine.env["MACHINE_ID"].encode() + b"\n"
    elsewhere = machine.with_env(AZURE_CLIENT_SECRET="wrong")  # the same sign-in: the holder is asked
    assert elsewhere.shell("true").returncode == 0
    stranger = machine.with_env(AZURE_CLIENT_ID="99999999-0000-4000-8000-e41a7c0de009")
    assert stranger.shell("true").returncode == 71, "who cannot sign in gets nothing from another's holder"
    other.ok("delete")
    assert len(sockets(machine)) == 1


def test_how_long_a_holder_stays_is_what_the_last_command_says(machine: Provider) -> None:
    machine.ok("create")
    assert machine.shell("true").returncode == 0
    assert len(sockets(machine)) == 1
    assert machine.shell("true", ACI_TUNNEL_IDLE="0").returncode == 0
    assert eventually(lambda: sockets(machine) == [])


@slow
def test_a_runtime_folder_that_does_not_serve_is_no_reason_to_fail(machine: Provider, azure: Running) -> None:
    long = machine.home / "run" / ("x" * 90)
    long.mkdir(mode=0o700)
    elsewhere = machine.with_env(XDG_RUNTIME_DIR=str(long))
    elsewhere.ok("create")
    for _ in range(2):
        assert elsewhere.shell("echo fine").stdout == b"fine\n"
    assert len(azure.control.sessions()["open"]) == 1, "one holder, wherever it listens"
    elsewhere.ok("delete")
    assert eventually(lambda: azure.control.sessions()["open"] == [])


def test_a_holder_killed_while_a_command_streams(machine: Provider) -> None:
    machine.ok("create")
    machine.shell("true")
    running = machine.start("command", COMMAND="echo $$; exec cat /dev/zero")
    assert running.stdout is not None
    pid = running.stdout.readline().decode().strip()
    running.stdout.read(1 << 20)
    os.kill(holder_of(machine), 9)
    _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 95
    assert b"the tunnel's holder died while the command ran" in said
    assert machine.shell("echo next").stdout == b"next\n"
    assert eventually(lambda: machine.shell(f"kill -0 {pid} 2>/dev/null || echo gone").stdout == b"gone\n")
    closed = [event["data"] for event in machine.events() if event["type"] == "CommandClosed"]
    assert closed[1]["reason"] == "failed"


PASSWORD = "s3cr3t@proxy"
BASIC = b64encode(f"name:{PASSWORD}".encode()).decode()


def test_everything_goes_through_a_proxy_and_its_password_goes_nowhere_else(machine: Provider, azure: Running) -> None:
    with connect_proxy(password=BASIC) as proxy:
        behind = machine.with_env(
            HTTPS_PROXY=f"http://name:{PASSWORD.replace('@', '%40')}@127.0.0.1:{proxy.port}", DEVPOD_DEBUG="true"
        )
        said = b""
        for verb in (["create"], ["command"], ["status"], ["command"]):
            answer = behind.call(*verb, COMMAND="echo through")
            assert answer.returncode == 0, answer.stderr
            said += answer.stdout + answer.stderr
        proxy.asked[:] = [line.split()[1] for line in proxy.asked]
        (other,) = set(proxy.asked) - {urlsplit(azure.url).netloc}
        assert proxy.asked.count(other) == 1, "one exec session, and nothing beside the proxy"
        count = len(proxy.asked)
        assert behind.status() == "Running"
        assert len(proxy.asked) == count, "the holder's connection serves the poll"
        files = b"".join(path.read_bytes() for path in machine.home.rglob("*") if path.is_file())
        for secret in (PASSWORD, PASSWORD.replace("@", "%40"), BASIC):
            assert secret.encode() not in said + files


@slow
def test_a_proxy_that_blocks_only_the_exec_port_is_named(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    arm = urlsplit(azure.url).port
    with connect_proxy(blocked=lambda port: port != arm) as proxy:
        behind = machine.with_env(HTTPS_PROXY=f"http://name:{PASSWORD.replace('@', '%40')}@127.0.0.1:{proxy.port}")
        for idle in ("10m", "0"):
            answer = behind.call("command", COMMAND="true", ACI_TUNNEL_IDLE=idle)
            assert answer.returncode == 91
            (line,) = answer.stderr.decode().splitlines()
            assert f"the proxy 127.0.0.1:{proxy.port} does not connect to the container's exec endpoint" in line
            assert "Ask your network team to allow CONNECT to port" in line
        behind.ok("status")
    for address, status, words in (
        (f"http://127.0.0.1:{proxy.port}", 79, "the proxy cannot be reached"),
        ("http://name:s3cr3t/x@host:bad", 64, "option HTTPS_PROXY: is not the address of a proxy"),
    ):
        answer = behind.call("status", HTTPS_PROXY=address)
        assert (answer.returncode, words in answer.stderr.decode()) == (status, True)
        assert b"s3cr3t" not in answer.stderr


@slow
def test_past_the_proxy_where_no_proxy_says_so(machine: Provider, azure: Running) -> None:
    host = str(urlsplit(azure.url).hostname)
    with connect_proxy(blocked=lambda _: True) as proxy:
        past = machine.with_env(HTTPS_PROXY=f"http://127.0.0.1:{proxy.port}", NO_PROXY=host)
        past.ok("create")
        assert past.shell("echo past").stdout == b"past\n"
        assert proxy.asked == []


def test_both_ends_give_up_when_the_time_set_is_over(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    note = f"/tmp/hung-up-{group_of(machine)}"
    brief = machine.with_env(ACI_TUNNEL_RESUME="2s")
    command = f"exec 2>/dev/null; trap 'echo hung up >{note}; exit' HUP; echo began; while :; do sleep 0.1; done"
    running = brief.start("command", COMMAND=command)
    assert running.stdout is not None
    assert running.stdout.readline() == b"began\n"
    azure.control.exec_options(blocked="refused")
    try:
        began = time.monotonic()
        azure.control.call("POST", "sessions/cut", {})
        _, said = running.communicate(timeout=PATIENCE)
        assert 1 < time.monotonic() - began < 100, "and not the five minutes that are the rule"
    finally:
        azure.control.exec_options(blocked="")
    assert running.returncode == 95
    (line,) = said.decode().splitlines()
    assert "the session broke and was not resumed within" in line
    assert eventually(lambda: machine.shell(f"cat {note}").stdout == b"hung up\n")
