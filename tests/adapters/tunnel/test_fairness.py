"""A line slower than who writes to it: no other command, and nothing else of the same one, waits for that."""

from __future__ import annotations

import os
import threading

import pytest

from adapters.tunnel import CommandSpec, run_through_holder
from tests.waiting import PATIENCE, until

RATE = 4e6
FLOODED = 4_000_000


class Flood:
    """A command that writes without end in a thread; ``out`` counts what came, ``err`` is what it said beside."""

    def __init__(self, holder, command):
        self.out = 0
        self.err = b""
        self._over = threading.Event()
        self._holder, self._command = holder, command
        self._read_out, self._write_out = os.pipe()
        self._read_err, self._write_err = os.pipe()
        self._threads = [threading.Thread(target=work) for work in (self._run, self._count, self._note)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        spec, holder, null = CommandSpec(self._command), self._holder, os.open(os.devnull, os.O_RDONLY)
        run_through_holder(
            spec, holder.path, spawn=holder.spawn, stdin=null, stdout=self._write_out, stderr=self._write_err
        )
        for fd in (null, self._write_out, self._write_err):
            os.close(fd)

    def _count(self):
        while not self._over.is_set() and (data := os.read(self._read_out, 1 << 18)):
            self.out += len(data)
        os.close(self._read_out)

    def _note(self):
        while data := os.read(self._read_err, 4096):
            self.err += data
        os.close(self._read_err)

    def end(self):
        """Read no more, which ends it."""
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)


@pytest.fixture
def flood(held):
    """A holder over a slow line, and what starts floods over it."""
    holder = held()
    assert holder("true").status == 0  # the helper is placed at full speed
    holder.server.behaviour.rate = RATE
    floods = []

    def start(command):
        floods.append(Flood(holder, command))
        until(lambda: floods[-1].out > FLOODED)
        return floods[-1]

    start.holder = holder
    yield start
    for one in floods:
        one.end()


def test_who_writes_without_end_keeps_no_younger_command_waiting(flood):
    flood("exec cat /dev/zero")
    assert flood.holder("echo hi; exit 7").out == b"hi\n"


def test_what_a_command_says_to_stderr_does_not_wait_for_the_end_of_its_stdout(flood, tmp_path):
    flooded = flood(f"cat /dev/zero & until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo problem >&2; wait")
    (tmp_path / "go").touch()
    until(lambda: flooded.err == b"problem\n")
