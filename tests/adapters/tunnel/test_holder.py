"""Many commands over one exec session, kept by a process of its own."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, hold, run_through_holder, stop_holder
from statemachine.errors import AccessDeniedError, TunnelError, TunnelLostError, UserUnknownError


def test_commands_share_one_exec_session(held):
    holder = held()
    assert holder("echo one; echo err >&2; exit 5").out == b"one\n"
    outcome = holder("cat; exit 6", b"\0\xff" * 100_000)
    assert (outcome.status, outcome.out) == (6, b"\0\xff" * 100_000)
    assert holder.server.sessions == 1
    assert len(holder.started) == 1


def test_ten_at_once_over_one_session(held):
    holder = held()
    data = [os.urandom(1_000_000) for _ in range(10)]
    results = {}

    def one(n):
        results[n] = holder("tee /dev/stderr; sleep 0.2; exit 0", data[n])

    threads = [threading.Thread(target=one, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(results[n].out == data[n] == results[n].err for n in range(10))
    assert holder.server.sessions == 1


def test_the_socket_is_private(held):
    holder = held()
    holder("true")
    assert stat.S_IMODE(holder.path.stat().st_mode) == 0o600


def test_a_folder_others_may_enter_is_refused(held):
    holder = held()
    holder.path.parent.chmod(0o755)
    with pytest.raises(TunnelError, match="not private"):
        hold(holder.path, holder.server.opener, idle_seconds=1)


def test_a_stale_socket_is_replaced(held):
    holder = held()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(holder.path))
    assert holder("echo x").out == b"x\n"


def test_it_goes_when_idle_and_another_comes(held):
    holder = held(idle_seconds=0.3)
    holder("true")
    assert holder.started[0].wait(5) == 0
    assert not holder.path.exists()
    assert holder("echo again").out == b"again\n"
    assert holder.server.sessions == 2


def test_it_goes_when_asked(held):
    holder = held()
    assert stop_holder(holder.path) is False
    holder("true")
    assert stop_holder(holder.path) is True
    assert holder.started[0].wait(5) == 0


def test_errors_of_the_exec_call_keep_their_class(held):
    holder = held()
    holder.refuse = True
    with pytest.raises(AccessDeniedError, match="AuthorizationFailed, HTTP 403") as caught:
        holder("true")
    assert caught.value.http_status == 403
    assert "Ask for a role" in str(caught.value)
    holder.refuse = False
    assert holder("echo fine").out == b"fine\n"


def test_errors_of_one_command_are_its_own(held):
    holder = held()
    with pytest.raises(UserUnknownError):
        holder("true", user="nosuch")
    assert holder("echo fine").out == b"fine\n"
    assert holder.server.sessions == 1


def test_a_stopped_reader_stops_its_command_and_no_other(held):
    holder = held()
    read_end, write_end = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    thread = threading.Thread(
        target=lambda: run_through_holder(
            CommandSpec("yes; true"), holder.path, spawn=holder.spawn, stdin=null, stdout=write_end, stderr=null
        )
    )
    thread.start()
    time.sleep(1.0)
    data = os.urandom(2_000_000)
    assert holder("cat", data).out == data
    memory = Path(f"/proc/{holder.started[0].pid}/statm").read_text().split()
    assert int(memory[1]) * 4096 < 80 << 20
    os.close(write_end)
    os.read(read_end, 100)
    os.close(read_end)
    thread.join(10)
    assert not thread.is_alive()
    os.close(null)


CLIENT = """
import sys
from pathlib import Path
from adapters.tunnel import CommandSpec, run_through_holder
def spawn():
    raise SystemExit("no holder")
sys.exit(run_through_holder(CommandSpec(sys.argv[2]), Path(sys.argv[1]), spawn=spawn, stdin=0, stdout=1, stderr=2))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_killed_command_leaves_nothing_in_the_container(held, gone, number):
    holder = held()
    holder("true")
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(holder.path), "echo $$; sleep 300 & sleep 300"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3],
        # A shell that runs the tests in the background has them ignore SIGINT, and who ignores it goes on doing so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as client:  # fmt: skip
        pid = int(client.stdout.readline())
        began = time.monotonic()
        client.send_signal(number)
        status = client.wait(5)
        assert time.monotonic() - began < 2
        assert client.stdout.read() == b""
    assert status == (-9 if number == signal.SIGKILL else 128 + number)
    assert gone(pid, 5)
    assert holder.server.sessions == 1


def test_a_reader_that_goes_away_ends_the_command(held, gone):
    holder = held()
    holder("true")
    with subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(holder.path), "echo $$; yes"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3],
    ) as client:  # fmt: skip
        pid = int(client.stdout.readline())
        client.stdout.close()
        assert client.wait(5) == 141
    assert gone(pid, 5)


def test_a_dropped_socket_is_resumed(held):
    holder = held(tuning={"resume": 20, "backoff_first": 0.05})
    holder("true")
    data = os.urandom(6_000_000)
    stop = threading.Event()

    def saw():
        while not stop.wait(0.4):
            holder.server.drop_all()

    thread = threading.Thread(target=saw)
    thread.start()
    outcome = holder("sleep 1; tee /dev/stderr | { sleep 1; cat; }; exit 9", data)
    stop.set()
    thread.join()
    assert outcome.status == 9
    assert hashlib.sha256(outcome.out).digest() == hashlib.sha256(data).digest()
    assert outcome.err == data
    assert holder.server.sessions > 2


def test_a_session_that_cannot_be_resumed_is_lost(held):
    holder = held(tuning={"resume": 1.5, "backoff_first": 0.1})
    results = []

    def one():
        try:
            holder("echo $$; sleep 60")
        except TunnelLostError as problem:
            results.append(problem)

    holder("true")
    thread = threading.Thread(target=one)
    thread.start()
    time.sleep(0.5)
    holder.server.behaviour.close_with = 1011
    holder.server.drop_all()
    thread.join(10)
    assert results[0].exit_status == 95
    assert "was not resumed" in str(results[0])


def test_a_dead_holder_is_told_and_replaced(held):
    holder = held()
    holder("true")
    results = []

    def one():
        try:
            holder("sleep 60")
        except TunnelLostError as problem:
            results.append(problem)

    thread = threading.Thread(target=one)
    thread.start()
    time.sleep(0.5)
    os.kill(holder.started[0].pid, signal.SIGKILL)
    thread.join(5)
    assert "holder died" in str(results[0])
    assert holder("echo new").out == b"new\n"


def test_many_starters_at_once_end_up_with_one_holder(held):
    holder = held()
    results = []
    threads = [threading.Thread(target=lambda: results.append(holder("echo x").out)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert results == [b"x\n"] * 6
    assert holder.server.sessions == 1
