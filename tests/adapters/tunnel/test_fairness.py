"""A line slower than who writes to it: no other command, and nothing else of the same one, waits for that."""

from __future__ import annotations

import os
import threading
import time

import pytest

from adapters.tunnel import CommandSpec, TtySize, run_command, run_through_holder
from tests.waiting import PATIENCE, until

RATE = 4e6
FLOODED = 4_000_000
SLOW = 12e3
SIZE = 175_000  # what waits for the line, a little that is on it, and what a terminal holds


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


def test_the_end_of_a_terminals_output_comes_over_a_slow_line_too(endpoint, captured, gone, tmp_path):
    """Of what a terminal holds it tells only a part: the rest had no room for longer than what counts as quiet."""
    server = endpoint()
    pid, go = tmp_path / "pid", tmp_path / "go"
    command = f"echo $$ >{pid}; until [ -e {go} ]; do sleep 0.02; done; head -c {SIZE} /dev/zero | tr '\\0' x; exit 4"
    outcomes = []

    def run():
        outcomes.append(
            captured(
                lambda i, o, e: run_command(
                    CommandSpec(command, tty=TtySize(24, 80)), server.opener, stdin=i, stdout=o, stderr=e,
                    ca_file=server.ca_file,
                )
            )
        )  # fmt: skip

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    server.behaviour.rate = SLOW
    go.touch()
    assert gone(int(pid.read_text()))
    time.sleep(1.2)  # several times what is quiet
    server.behaviour.rate = 0
    thread.join(PATIENCE)
    assert (outcomes[0].status, len(outcomes[0].out)) == (4, SIZE)
