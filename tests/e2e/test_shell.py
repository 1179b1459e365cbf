"""A person's shell: a real terminal here, a real terminal there."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import time

from tests.e2e.provider import PROGRAM, Provider


class Terminal:
    """A terminal with the provider's shell in it."""

    def __init__(self, machine: Provider, rows: int, columns: int) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(machine.home)
            os.execve(PROGRAM[0], [*PROGRAM, "shell"], machine.env | {"TERM": "dumb", "PS1": "$ "})
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def until(self, wanted: str, seconds: float = 30) -> str:
        seen, end = "", time.monotonic() + seconds
        while wanted not in seen:
            assert time.monotonic() < end, seen
            try:
                seen += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                raise AssertionError(f"the shell ended: {seen}") from None
        return seen


def test_a_shell_has_a_terminal_that_follows_this_one(machine: Provider) -> None:
    machine.ok("create")
    terminal = Terminal(machine, 33, 101)
    terminal.type("stty size; test -t 0 && echo is-a-'tty'\n")
    assert "33 101" in terminal.until("is-a-tty")
    terminal.resize(44, 122)
    time.sleep(0.5)
    terminal.type("stty size; echo re'sized'\n")
    assert "44 122" in terminal.until("resized")
    terminal.type("sleep 1000; echo interrupted=$?\n")
    time.sleep(0.5)
    terminal.type("\x03")
    terminal.type("echo still'here'\n")
    terminal.until("stillhere")
    terminal.type("exit 5\n")
    _, status = os.waitpid(terminal.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 5
    os.close(terminal.fd)
    assert [event["data"].get("purpose") for event in machine.events() if event["type"] == "CommandOpened"] == ["shell"]


def test_a_command_without_a_terminal(machine: Provider) -> None:
    machine.ok("create")
    answer = machine.call("shell", "printf", "%s|", "a b", "c'd", stdin=b"")
    assert (answer.stdout, answer.returncode) == (b"a b|c'd|", 0)
