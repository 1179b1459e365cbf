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
from pathlib import Path

from adapters.tunnel import CommandSpec, TtySize, run_command

PROGRAM = """
import os, sys
from adapters.tunnel import CommandSpec, ExecEndpoint, TtySize, run_command
from statemachine.secret import Secret
opener = lambda: ExecEndpoint(sys.argv[1], Secret(sys.argv[2]))
sys.exit(run_command(CommandSpec(sys.argv[4], tty=TtySize(24, 80)), opener, stdin=0, stdout=1, stderr=2,
                     ca_file=sys.argv[3]))
"""


def read_until(fd, wanted, seconds=10):
    seen = b""
    until = time.monotonic() + seconds
    while wanted not in seen and time.monotonic() < until:
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
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=Path(__file__).parents[3],
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
        assert client.wait(5) == 143
        assert termios.tcgetattr(slave) == before
    finally:
        client.kill()
        client.wait()
        os.close(master)
        os.close(slave)
