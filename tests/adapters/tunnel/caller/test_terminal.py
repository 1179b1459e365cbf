"""Commands with a terminal of their own in the container, for people."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, TtySize, run_command
from adapters.tunnel.caller.fds import Sink, Source
from tests.waiting import PATIENCE, until

PROGRAM = """
import os, sys
from adapters.tunnel import CommandSpec, ExecEndpoint, TtySize, run_command
from statemachine.secret import Secret
opener = lambda: ExecEndpoint(sys.argv[1], Secret(sys.argv[2]))
sys.exit(run_command(CommandSpec(sys.argv[4], tty=TtySize(24, 80)), opener, stdin=0, stdout=1, stderr=2,
                     ca_file=sys.argv[3]))
"""


def read_until(fd, wanted):
    seen = b""
    end = time.monotonic() + PATIENCE
    while wanted not in seen and time.monotonic() < end:
        if select.select([fd], [], [], 0.1)[0]:
            seen += os.read(fd, 4096)
    assert wanted in seen, seen
    return seen


def test_a_terminal_of_the_size_asked_for(endpoint, captured):
    server = endpoint()
    outcome = captured(
        lambda i, o, e: run_command(
            CommandSpec("stty size; tty -s && echo yes; exit 5", tty=TtySize(31, 101)), server.opener,
            stdin=i, stdout=o, stderr=e, ca_file=server.ca_file,
        )
    )  # fmt: skip
    assert outcome.status == 5
    assert outcome.out == b"31 101\r\nyes\r\n"
    assert outcome.err == b""


def test_keys_signals_and_sizes_pass(endpoint):
    server = endpoint()
    given = server.opener()
    master, slave = pty.openpty()
    before = termios.tcgetattr(slave)
    command = (
        "trap 'echo got int' INT; trap 'stty size' WINCH; echo ready; while :; do read -r l && echo \"<$l>\"; done"
    )
    client = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, given.uri, given.password.reveal(), server.ca_file, command],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=Path(__file__).parents[4],
    )  # fmt: skip
    try:
        read_until(master, b"ready")
        os.write(master, b"word\r")
        read_until(master, b"<word>")
        os.write(master, b"\x03")
        read_until(master, b"got int")
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        client.send_signal(signal.SIGWINCH)
        os.write(master, b"\r")
        read_until(master, b"40 120")
        client.send_signal(signal.SIGTERM)
        assert client.wait(PATIENCE) == 143
        assert termios.tcgetattr(slave) == before
    finally:
        client.kill()
        client.wait()
        os.close(master)
        os.close(slave)


BACKGROUND = """
import os, signal, socket, sys
from adapters.tunnel.holder import call, protocol
ours, theirs = socket.socketpair()
theirs.sendall(protocol.line({"exit": 7}))
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os._exit(call._Request(ours, print).run(b"", (0, 1, 2), terminal=sys.argv[1] == "terminal"))
os.setpgid(pid, pid)
_, status = os.waitpid(pid, os.WUNTRACED)
assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTTIN, status
os.tcsetpgrp(0, pid)
os.kill(pid, signal.SIGCONT)
_, status = os.waitpid(pid, 0)
os.tcsetpgrp(0, os.getpgrp())
print("stopped, then", os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.parametrize("far", ["terminal", "pipes"])
def test_who_is_in_the_background_waits_for_the_terminal(far):
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(Path(__file__).parents[4])
        os.execv(sys.executable, [sys.executable, "-c", BACKGROUND, far])
    read_until(master, b"stopped, then 7")
    os.waitpid(pid, 0)
    os.close(master)


JOBS = """
import os, signal, sys
from pathlib import Path
from adapters.tunnel import CommandSpec, run_through_holder
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpgrp())
    os._exit(run_through_holder(CommandSpec("while read -r l; do echo \\"<$l>\\"; done; exit 6"),
                                Path(sys.argv[1]), spawn=lambda: None, stdin=0, stdout=1, stderr=2))
_, status = os.waitpid(pid, os.WUNTRACED)
assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTSTP, status
os.tcsetpgrp(0, os.getpgrp())
print("stopped", flush=True)
for line in iter(sys.stdin.readline, "fg\\n"):
    print("the shell has", line, flush=True)
    if line == "bg\\n":
        os.kill(pid, signal.SIGCONT)
os.tcsetpgrp(0, pid)
os.kill(pid, signal.SIGCONT)
_, status = os.waitpid(pid, 0)
os.tcsetpgrp(0, os.getpgrp())
print("ended", os.waitstatus_to_exitcode(status), flush=True)
"""


def test_who_was_stopped_leaves_the_keys_to_the_shell(held):
    holder = held()
    assert holder("true").status == 0
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(Path(__file__).parents[4])
        os.execv(sys.executable, [sys.executable, "-c", JOBS, str(holder.path)])
    os.write(master, b"one\n")
    read_until(master, b"<one>")
    os.write(master, b"\x1a")
    read_until(master, b"stopped")
    for word in (b"two", b"three", b"bg", b"four", b"five"):
        os.write(master, word + b"\n")
        time.sleep(0.3)  # time for another reader to be faster
        read_until(master, b"the shell has " + word)
    os.write(master, b"fg\n")
    read_until(master, b"fg")
    os.write(master, b"six\n")
    read_until(master, b"<six>")
    os.write(master, b"\x04")
    read_until(master, b"ended 6")
    os.waitpid(pid, 0)
    os.close(master)


def test_a_terminal_with_another_reader_stops_nobody_who_reads_it_too():
    master, slave = pty.openpty()
    source = Source(slave)
    try:
        assert not os.get_blocking(source.fd)
        assert os.get_blocking(slave)  # the caller's own is as it was
        assert source.read(10) is None
        os.write(master, b"line\n")
        until(lambda: source.read(10) == b"line\n")
    finally:
        source.close()
        os.close(master)
        os.close(slave)


def test_the_other_end_of_a_terminal_is_read_and_written_as_it_is():
    master, slave = pty.openpty()
    tty.setraw(slave)
    source, sink = Source(master), Sink(master)
    try:
        os.write(slave, b"typed")
        until(lambda: source.read(10) == b"typed")
        assert sink.write([memoryview(b"shown")]) == 5
        assert os.read(slave, 10) == b"shown"
    finally:
        source.close()
        sink.close()
        os.close(master)
        os.close(slave)


def test_a_stop_is_survived_and_the_one_who_asks_politely_is_not_heard(endpoint):
    server = endpoint()
    given = server.opener()
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(Path(__file__).parents[4])
        command = "echo ready; while read -r l; do stty size; done"
        os.execv(
            sys.executable,
            [sys.executable, "-c", PROGRAM, given.uri, given.password.reveal(), server.ca_file, command],
        )
    read_until(master, b"ready")
    raw = termios.tcgetattr(master)
    os.kill(pid, signal.SIGTSTP)
    os.write(master, b"\r")
    read_until(master, b"24 80")  # it goes on
    os.kill(pid, signal.SIGSTOP)
    cooked = termios.tcgetattr(master)
    cooked[3] |= termios.ICANON | termios.ECHO | termios.ISIG
    termios.tcsetattr(master, termios.TCSANOW, cooked)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 121, 0, 0))
    os.kill(pid, signal.SIGCONT)
    until(lambda: termios.tcgetattr(master)[3] == raw[3])
    os.write(master, b"\r")
    read_until(master, b"41 121")
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 143
    os.close(master)
