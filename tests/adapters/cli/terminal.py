"""A program on a terminal of so many columns, as a person would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import PATIENCE


def _own() -> None:
    """Make standard input the terminal whose keys send signals, also where the tests run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """What a program on a terminal prints, and what it is told."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def until(self, words: str, count: int = 1, seconds: float = PATIENCE) -> str:
        """Everything printed by the time some words have been there so often."""
        until = time.monotonic() + seconds
        while self.seen.count(words) < count:
            assert time.monotonic() < until, self.seen
            assert self._read(), self.seen
        return self.seen

    def interrupt(self) -> str:
        """Press Ctrl-C until the program ends: Python misses one that comes as it begins to read."""
        while self.process.poll() is None:
            with suppress(OSError):
                self.type("\x03")
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
        return self.end()

    def end(self) -> str:
        """Everything printed, when the program has ended."""
        while self._read():
            pass
        self.process.wait(PATIENCE)
        return self.seen

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 65_536)
        except OSError:
            return False
        self.seen += data.decode().replace("\r\n", "\n")
        return bool(data)


@contextmanager
def on_terminal(command: Sequence[str], env: Mapping[str, str], cwd: Path, columns: int = 80) -> Iterator[Terminal]:
    """Start a program with a terminal for all three of its streams."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=cwd, start_new_session=True, preexec_fn=_own
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait(PATIENCE)
        os.close(master)
