"""What a holder that died of SIGKILL leaves behind: its clients know at once, its heir clears up."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from adapters.tunnel.holder.lock import only_one
from statemachine.errors import TunnelLostError
from tests.waiting import PATIENCE, until


class Running:
    """A command that runs in a thread until something ends it; ``pid`` is its process in the container."""

    def __init__(self, holder, note):
        self.problem = None
        self.thread = threading.Thread(target=self._run, args=(holder, note))
        self.thread.start()
        until(lambda: note.exists() and note.read_text().endswith("\n"))
        self.pid = int(note.read_text())

    def _run(self, holder, note):
        try:
            # Deaf to the hang-up, as a shell's child often is: what ends it must be more than polite.
            holder(f"trap '' HUP; echo $$ >{note}; sleep 300; sleep 300")
        except TunnelLostError as problem:
            self.problem = problem

    def join(self):
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


def test_the_heir_of_a_killed_holder_ends_what_it_left(held, gone, tmp_path):
    holder = held()
    orphan = Running(holder, tmp_path / "pid")
    os.kill(orphan.pid, signal.SIGHUP)
    assert not gone(orphan.pid, 0.1), "it is deaf"
    os.kill(holder.started[0].pid, signal.SIGKILL)
    orphan.join()
    assert "holder died" in str(orphan.problem)
    assert holder("echo heir").out == b"heir\n"
    assert gone(orphan.pid)


def test_an_heir_that_cannot_be_started_changes_nothing_of_how_a_command_ends(held, gone, tmp_path, monkeypatch):
    holder = held()
    orphan = Running(holder, tmp_path / "pid")

    def no_room(*_args, **_kwargs):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    # Where memory is short the killer comes first, and nothing can be started behind it.
    monkeypatch.setattr(subprocess, "Popen", no_room)
    os.kill(holder.started[0].pid, signal.SIGKILL)
    orphan.join()
    assert "holder died" in str(orphan.problem)
    monkeypatch.undo()
    assert holder("echo heir").out == b"heir\n"
    assert gone(orphan.pid)


def test_a_living_holder_of_another_computer_is_left_alone(held, gone, tmp_path):
    mine = held()
    theirs = held(server=mine.server)
    running = Running(theirs, tmp_path / "pid")
    orphan = Running(mine, tmp_path / "orphan")
    os.kill(mine.started[0].pid, signal.SIGKILL)
    orphan.join()
    assert mine("echo heir").out == b"heir\n"
    assert gone(orphan.pid)
    assert not gone(running.pid, 0.5)
    assert theirs("echo still").out == b"still\n"
    assert len(theirs.started) == 1
    os.kill(running.pid, signal.SIGKILL)
    running.join()


def test_a_break_of_the_line_is_no_death(held, gone, tmp_path):
    holder = held(tuning={"resume": 60, "backoff_first": 0.05})
    running = Running(holder, tmp_path / "pid")
    holder.server.drop_all()
    assert holder("echo on").out == b"on\n"
    assert not gone(running.pid, 0.5)
    os.kill(running.pid, signal.SIGKILL)
    running.join()


def server_of(pid):
    """The helper's server: who started the command."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_server_that_is_killed_in_the_container_takes_what_runs_with_it(held, gone, tmp_path):
    holder = held()
    holder(f"sleep 300 >/dev/null 2>&1 & echo $! >{tmp_path}/left")
    left = int((tmp_path / "left").read_text())
    running = Running(holder, tmp_path / "pid")
    os.kill(server_of(running.pid), signal.SIGKILL)
    running.join()
    assert running.problem is not None
    assert gone(running.pid)
    os.kill(left, signal.SIGKILL)  # it is there: what a command that has ended left running stays
    assert holder("echo next").out == b"next\n"


def test_the_owner_is_the_same_for_every_holder_of_a_socket_and_no_other(tmp_path):
    with only_one(tmp_path / "a.sock") as first, only_one(tmp_path / "b.sock") as other:
        assert first is not None
        assert other is not None
        assert first.owner != other.owner
    with only_one(tmp_path / "a.sock") as again:
        assert again is not None
        assert again.owner == first.owner


def test_one_who_is_about_to_go_is_waited_for(tmp_path):
    path = tmp_path / "a.sock"
    ready = threading.Event()

    def linger():
        with only_one(path):
            ready.set()
            time.sleep(0.3)

    thread = threading.Thread(target=linger)
    thread.start()
    ready.wait()
    with only_one(path) as lock:
        assert lock is not None
    thread.join()


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 100])
def test_any_lock_file_will_do(tmp_path, content):
    (tmp_path / "a.lock").write_bytes(content)
    with only_one(tmp_path / "a.sock") as lock:
        assert lock is not None
        assert len(lock.owner) == 16
