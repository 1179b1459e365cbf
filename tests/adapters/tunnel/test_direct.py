"""One command over an exec session of its own: exact bytes, status, users, sizes, refusals."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.tunnel import CommandSpec, TtySize, run_command
from adapters.tunnel.caller.fds import Sink
from adapters.tunnel.starting import helperfile
from statemachine.errors import OutputError, TunnelError, UserUnknownError
from tests.waiting import PATIENCE, until

TERMINALS = 8
"""More than there are descriptors below those that the server keeps for itself."""


def no_reader():
    """A pipe that nobody reads."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    return write_end


@pytest.fixture
def run(endpoint, captured):
    server = endpoint()

    def run(command, data=b"", **options):
        spec = CommandSpec(command, **options)
        return captured(
            lambda i, o, e: run_command(spec, server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file), data
        )

    run.server = server
    return run


def test_streams_are_apart_and_the_status_is_the_commands(run):
    outcome = run("printf out; printf err >&2; exit 7")
    assert (outcome.status, outcome.out, outcome.err) == (7, b"out", b"err")


def test_a_signal_is_128_and_its_number(run):
    assert run("kill -9 $$").status == 137


@pytest.mark.parametrize("opened", [no_reader, lambda: os.open("/dev/full", os.O_WRONLY)], ids=["unread", "full"])
def test_a_stderr_that_takes_nothing_does_not_stop_the_command(run, captured, opened):
    stderr = opened()
    outcome = captured(
        lambda i, o, _: run_command(
            CommandSpec("head -c 5000000 /dev/zero >&2; echo done; exit 3"), run.server.opener, stdin=i, stdout=o,
            stderr=stderr, ca_file=run.server.ca_file,
        )
    )  # fmt: skip
    os.close(stderr)
    assert (outcome.status, outcome.out) == (3, b"done\n")


def test_a_stdout_that_is_full_ends_the_command_and_is_said_to_be_ours(run, captured):
    stdout = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OutputError, match="standard output cannot be written: No space left"):
        captured(
            lambda i, _, e: run_command(
                CommandSpec("yes"), run.server.opener, stdin=i, stdout=stdout, stderr=e, ca_file=run.server.ca_file
            )
        )
    os.close(stdout)


def test_every_byte_both_ways(run):
    data = bytes(range(256)) * 64 + os.urandom(3_000_000) + b"\r\n\x04\x03\x11\x13" * 1000
    outcome = run("cat", data)
    assert outcome.out == data
    assert outcome.err == b""


def test_end_of_input_reaches_the_command(run):
    data = os.urandom(1_000_000)
    assert run("sha256sum", data).out.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_one_exec_call_for_each_command_and_one_upload_for_all(run, helper, monkeypatch):
    # A helper like no other: tests that run at the same time may leave theirs in a folder every shell looks into.
    data = helper.data + os.urandom(16)
    marked = helperfile.Helper(data, hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(helperfile, "load_helper", lambda: marked)
    run("true")
    placed = sorted(Path(run.server.behaviour.env["TMPDIR"]).rglob("*"))
    run("true")
    assert run.server.sessions == 2
    assert sorted(Path(run.server.behaviour.env["TMPDIR"]).rglob("*")) == placed
    assert [path.name for path in placed if path.is_file()] == [placed[-1].name]


def test_a_command_of_a_mebibyte_and_binary_in_it(run):
    outcome = run("x='" + "ab" * 524_288 + "'; printf %s \"${#x} \"; printf '\udcff\udc80'; exit 3")
    assert (outcome.status, outcome.out) == (3, b"1048576 \xff\x80")


def test_such_a_command_runs_beside_however_many_with_terminals(run, tmp_path):
    ends = tmp_path / "ends"
    os.mkfifo(ends)
    command = f"touch {tmp_path}/begun$$; read x <{ends}"
    beside = []
    statuses = set()
    for count in range(1, TERMINALS + 1):
        beside.append(threading.Thread(target=run, args=(command,), kwargs={"tty": TtySize(24, 80)}))
        beside[-1].start()
        until(lambda count=count: len(list(tmp_path.glob("begun*"))) == count)
        statuses.add(run(f"x='{'ab' * 100_000}'; exit 3").status)
    ends.write_text("\n" * TERMINALS)
    for thread in beside:
        thread.join(PATIENCE)
    assert statuses == {3}


def test_an_environment_of_a_mebibyte(run):
    env = {f"V{n}": "x" * 100_000 for n in range(10)}
    assert run('printf %s "${#V0}${#V9}"', env=env).out == b"100000100000"


def test_one_variable_larger_than_the_kernel_takes_is_refused(run):
    with pytest.raises(TunnelError, match="environment is larger"):
        run("true", env={"V": "x" * 200_000})


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user takes root")
def test_the_user_is_switched(run):
    outcome = run("id -un; id -gn; echo $HOME $USER $LOGNAME; pwd", user="nobody")
    assert outcome.out.split() == b"nobody nogroup /nonexistent nobody nobody /".split()
    assert run("id -u; id -g", user="12345:54321").out == b"12345\n54321\n"


def test_an_unknown_user_is_refused(run):
    with pytest.raises(UserUnknownError, match="no such user or group in the container: nosuch"):
        run("true", user="nosuch")


def test_the_folder(run, short_folder):
    assert run("pwd", cwd="/usr").out == b"/usr\n"
    with pytest.raises(TunnelError, match="/nosuch cannot be entered"):
        run("true", cwd="/nosuch")


def test_a_nul_in_the_command_is_refused(run):
    with pytest.raises(TunnelError, match="NUL"):
        run("echo a\0b")


def test_a_daemon_survives_the_command_that_started_it(run, short_folder):
    outcome = run(f"setsid sleep 30 >/dev/null 2>&1 </dev/null & echo $! >{short_folder}/pid; echo started")
    assert outcome.out == b"started\n"
    pid = int((short_folder / "pid").read_text())
    os.kill(pid, 0)
    os.kill(pid, 9)


def test_what_a_command_left_running_outlives_its_reader_too(run, captured, gone, short_folder):
    """It has ended, its output lies in the pipe: who goes away now ends nothing that it left there on purpose."""
    note = short_folder / "pid"
    read_end, write_end = os.pipe()

    def go_away():
        until(lambda: note.exists() and len(note.read_text().split()) == 2)
        leader, left.pid = map(int, note.read_text().split())
        assert gone(leader)
        os.close(read_end)

    left = SimpleNamespace()
    reader = threading.Thread(target=go_away)
    reader.start()
    # More than there is credit for, and no more than a pipe holds beside that and beside what is under way.
    command = f"head -c 2300000 /dev/zero; sleep 300 >/dev/null 2>&1 & echo $$ $! >{note}"
    outcome = captured(
        lambda i, _, e: run_command(
            CommandSpec(command), run.server.opener, stdin=i, stdout=write_end, stderr=e, ca_file=run.server.ca_file
        )
    )
    reader.join()
    os.close(write_end)
    assert outcome.status == 141
    assert not gone(left.pid, 0.5)
    os.kill(left.pid, 9)


def test_a_socket_for_output_takes_one_descriptor():
    def opened():
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    ours, theirs = socket.socketpair()
    before = opened()
    sink = Sink(ours.fileno())
    assert opened() == before + 1
    assert sink.write([memoryview(b"one"), memoryview(b"two")]) == 6
    sink.close()
    assert opened() == before
    assert theirs.recv(10) == b"onetwo"
    ours.close()
    theirs.close()


def test_a_background_child_that_keeps_stdout_is_not_waited_for(run):
    assert run("sleep 20 & echo here").out == b"here\n"


@pytest.mark.parametrize(
    ("argv", "env"),
    [
        (["/bin/dash"], {}),
        (["/bin/bash"], {"PS1": "\\e[31mLOUD \\u\\n$ ", "PROMPT_COMMAND": "echo BANG; date"}),
        (["/bin/busybox", "ash"], {}),
        (["/bin/zsh"], {}),
        (["/bin/mksh"], {}),
    ],
)
def test_any_shell(endpoint, captured, argv, env):
    if not shutil.which(argv[0]):
        pytest.skip(f"{argv[0]} is not installed")
    server = endpoint(argv, env=env)
    for _ in range(2):
        outcome = captured(
            lambda i, o, e: run_command(
                CommandSpec("cat; echo err >&2; exit 4"), server.opener, stdin=i, stdout=o, stderr=e,
                ca_file=server.ca_file,
            ),
            b"in",
        )  # fmt: skip
        assert (outcome.status, outcome.out, outcome.err) == (4, b"in", b"err\n")
