"""Many commands over one exec session, kept by a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, hold, run_through_holder, stop_holder
from adapters.tunnel.holder import protocol
from adapters.tunnel.packets.messages import encode_open
from statemachine.errors import AccessDeniedError, TunnelError, TunnelLostError, UserUnknownError
from tests.waiting import PATIENCE, until

EVENTS_NO_SOCKET_HOLDS = 600


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
        thread.join(PATIENCE)
    assert all(results[n].out == data[n] == results[n].err for n in range(10))
    assert holder.server.sessions == 1


def test_one_command_too_many_is_its_own_misfortune(held, monkeypatch):
    monkeypatch.setenv("DPACI_TEST_FILES", "40")
    holder = held()
    assert holder("true").status == 0
    results = {}

    def one(n):
        try:
            results[n] = holder("sleep 2; exit 3").status
        except TunnelError as problem:
            results[n] = problem.message

    threads = [threading.Thread(target=one, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    refused = [result for result in results.values() if result != 3]
    assert 0 < len(refused) < 12
    assert all("no room for another command" in result for result in refused), results
    assert holder("exit 5").status == 5
    assert len(holder.started) == 1


def test_a_holder_that_has_no_room_for_a_single_command_makes_way(held, monkeypatch):
    """Its limit is that of the shell it was started from; other shells have others."""
    monkeypatch.setenv("DPACI_TEST_FILES", "12")
    holder = held()
    with pytest.raises(TunnelError, match=r"no room for another command: .*ulimit -n"):
        holder("true")
    assert holder.started[0].wait(PATIENCE) == 0
    monkeypatch.delenv("DPACI_TEST_FILES")
    assert holder("exit 5").status == 5


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
    assert holder.started[0].wait(PATIENCE) == 0
    assert not holder.path.exists()
    assert holder("echo again").out == b"again\n"
    assert holder.server.sessions == 2


def test_it_goes_when_asked(held):
    holder = held()
    assert stop_holder(holder.path) is False
    holder("true")
    assert stop_holder(holder.path) is True
    assert holder.started[0].wait(PATIENCE) == 0


def test_errors_of_the_exec_call_keep_their_class(held):
    holder = held()
    holder.refuse = True
    with pytest.raises(AccessDeniedError, match="AuthorizationFailed, HTTP 403") as caught:
        holder("true")
    assert (caught.value.http_status, caught.value.attempts) == (403, 1)
    assert "Ask for a role" in str(caught.value)
    holder.refuse = False
    assert holder("echo fine").out == b"fine\n"


@pytest.mark.parametrize("mebibytes", [4, 9])
def test_a_command_larger_than_any_is_refused(held, mebibytes):
    holder = held()
    with pytest.raises(TunnelError, match="larger than 4 MiB"):
        holder(": " + "x" * (mebibytes << 20))
    assert holder("echo fine").out == b"fine\n"
    assert len(holder.started) == 1


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
    # The pipe's 64 KiB and the megabyte of credit are used up, or will be while the other one runs.
    until(lambda: select.select([read_end], [], [], 0)[0])
    data = os.urandom(2_000_000)
    assert holder("cat", data).out == data
    memory = Path(f"/proc/{holder.started[0].pid}/statm").read_text().split()
    assert int(memory[1]) * 4096 < 80 << 20
    os.close(write_end)
    os.read(read_end, 100)
    os.close(read_end)
    thread.join(PATIENCE)
    assert not thread.is_alive()
    os.close(null)


CLIENT = """
import sys
from pathlib import Path
from adapters.tunnel import CommandSpec, run_through_holder
def spawn():
    raise SystemExit("no holder")
spec = CommandSpec(sys.argv[2] * int(sys.argv[3]))
sys.exit(run_through_holder(spec, Path(sys.argv[1]), spawn=spawn, stdin=0, stdout=1, stderr=2))
"""


def client(path, command, times=1, **options):
    """A process that runs a command over the holder there, which is to run already."""
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(path), command, str(times)],
        stdout=subprocess.PIPE, cwd=Path(__file__).parents[4], **{"stdin": subprocess.PIPE, **options},
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_killed_command_leaves_nothing_in_the_container(held, gone, number):
    holder = held()
    holder("true")
    with client(holder.path, "echo $$; sleep 300 & sleep 300") as process:
        pid = int(process.stdout.readline())
        process.send_signal(number)
        status = process.wait(PATIENCE)
        assert process.stdout.read() == b""
    assert status == (-9 if number == signal.SIGKILL else 128 + number)
    assert gone(pid)
    assert holder.server.sessions == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 3_000_000], ids=["asked", "asking"])
def test_one_told_to_end_does_so_from_its_first_byte_on(short_folder, number, times):
    """Whatever the holder makes of that byte, and whether or not it takes the others."""
    path = short_folder / "slow.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with client(path, ":", times) as process, listener.accept()[0] as sock:
            sock.sendall(protocol.greeting())
            sock.recv(1)
            process.send_signal(number)
            assert process.wait(PATIENCE) == 128 + number


def test_a_reader_that_goes_away_ends_the_command(held, gone):
    holder = held()
    holder("true")
    with client(holder.path, "echo $$; yes", stdin=subprocess.DEVNULL) as process:
        pid = int(process.stdout.readline())
        process.stdout.close()
        assert process.wait(PATIENCE) == 141
    assert gone(pid)


def test_a_dropped_socket_is_resumed(held, tmp_path):
    holder = held(tuning={"resume": 60, "backoff_first": 0.05})
    holder("true")
    data = os.urandom(6_000_000)
    go = tmp_path / "go"
    events = holder.path.with_suffix(".log")

    def saw():
        """Before the command reads, while it does, and while it writes: each time the line has come back."""
        for breaks in range(1, 5):
            holder.server.drop_all()
            until(lambda least=breaks: events.read_text().count("resumed after") >= least)
            go.touch()

    thread = threading.Thread(target=saw)
    thread.start()
    slowly = f"until [ -e {go} ]; do sleep 0.1; done; tee /dev/stderr | {{ sleep 1; cat; }}; exit 9"
    outcome = holder(slowly, data)
    thread.join()
    assert outcome.status == 9
    assert hashlib.sha256(outcome.out).digest() == hashlib.sha256(data).digest()
    assert outcome.err == data
    assert holder.server.sessions == 5


def test_a_client_that_stands_still_hears_how_its_command_ended_when_it_goes_on(held, tmp_path):
    """However much there was to tell meanwhile that it does without."""
    holder = held(tuning={"resume": 60, "backoff_first": 0.001, "backoff_most": 0.001})
    assert holder("true").status == 0
    began, go, events = tmp_path / "began", tmp_path / "go", holder.path.with_suffix(".log")
    command = f"touch {began}; until [ -e {go} ]; do sleep 0.05; done; touch {began}.over; exit 4"
    sock, _ = protocol.meet(holder.path, PATIENCE)
    with sock, Path(os.devnull).open("r+b") as null:
        order = protocol.request(encode_open(CommandSpec(command)))
        assert not protocol.send_some(sock, order, (null.fileno(),) * 3)
        until(began.exists)
        holder.server.behaviour.close_with = 1011  # each dial is an event
        holder.server.drop_all()
        until(lambda: events.read_text().count("\n") > EVENTS_NO_SOCKET_HOLDS)
        holder.server.behaviour.close_with = None
        go.touch()
        until(Path(f"{began}.over").exists)
        assert holder("exit 5").status == 5, "and nobody else stands still"
        sock.settimeout(PATIENCE)
        told = [json.loads(line) for line in sock.makefile()]
    assert told[0] == {"sent": True}
    assert told[-1] == {"exit": 4}


def lost(holder, note, how):
    """The error of a command that runs when something is done to its holder."""
    results = []

    def one():
        try:
            holder(f"touch {note}; sleep 300")
        except TunnelLostError as problem:
            results.append(problem)

    thread = threading.Thread(target=one)
    thread.start()
    until(note.exists)
    how()
    thread.join(PATIENCE)
    return results[0]


def test_a_session_that_cannot_be_resumed_is_lost(held, tmp_path):
    holder = held(tuning={"resume": 1.5, "backoff_first": 0.1})

    def close_for_good():
        holder.server.behaviour.close_with = 1011
        holder.server.drop_all()

    problem = lost(holder, tmp_path / "runs", close_for_good)
    assert problem.exit_status == 95
    assert "was not resumed" in str(problem)


def stopped(holder, _server):
    stop_holder(holder.path)


def left(_holder, server):
    os.kill(server, signal.SIGKILL)


@pytest.mark.parametrize("how", [stopped, left])
def test_a_command_whose_output_was_cut_short_did_not_end_well(held, tmp_path, how):
    """Nobody reads what has come already, so it cannot be delivered before the holder goes."""
    holder, note, problems = held(), tmp_path / "server", []
    read_end, write_end = os.pipe()

    def one():
        spec = CommandSpec(f"echo $PPID >{note}; exec cat /dev/zero")
        with Path(os.devnull).open("r+b") as null:
            fds = {"stdin": null.fileno(), "stdout": write_end, "stderr": null.fileno()}
            with pytest.raises(TunnelLostError) as caught:
                run_through_holder(spec, holder.path, spawn=holder.spawn, **fds)
        problems.append(caught.value)

    thread = threading.Thread(target=one)
    thread.start()
    until(lambda: note.exists() and note.read_text().endswith("\n"))
    until(lambda: is_full(write_end))
    how(holder, int(note.read_text()))
    thread.join(PATIENCE)
    assert problems[0].exit_status == 95
    os.close(read_end)
    os.close(write_end)


def is_full(pipe):
    return not select.select([], [pipe], [], 0)[1]


def test_a_dead_holder_is_told_and_replaced(held, tmp_path):
    holder = held()
    holder("true")
    problem = lost(holder, tmp_path / "runs", lambda: os.kill(holder.started[0].pid, signal.SIGKILL))
    assert "holder died" in str(problem)
    assert holder("echo new").out == b"new\n"


def test_many_starters_at_once_end_up_with_one_holder(held):
    holder = held()
    results = []
    threads = [threading.Thread(target=lambda: results.append(holder("echo x").out)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == [b"x\n"] * 6
    assert holder.server.sessions == 1
