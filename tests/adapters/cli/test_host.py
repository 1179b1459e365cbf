"""Whether another process still lives: the question every open intent asks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from adapters.cli.host import LocalProcesses, SystemClock, user
from statemachine.events import Owner

PROCESSES = LocalProcesses()
SHOW_ME = """
import msgspec
from adapters.cli.host import LocalProcesses
print(msgspec.json.encode(LocalProcesses().me()).decode(), flush=True)
input()
"""


def test_a_process_lives_until_it_is_killed() -> None:
    other = subprocess.Popen([sys.executable, "-c", SHOW_ME], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    owner = msgspec.json.decode(other.stdout.readline(), type=Owner)
    assert PROCESSES.alive(owner)
    other.kill()
    while ") Z " not in Path(f"/proc/{other.pid}/stat").read_text(encoding="ascii"):
        time.sleep(0.01)
    assert not PROCESSES.alive(owner), "a zombie does nothing any more"
    other.communicate()
    assert not PROCESSES.alive(owner)


def test_a_later_process_with_the_same_number_is_another() -> None:
    me = PROCESSES.me()
    assert PROCESSES.alive(me)
    assert not PROCESSES.alive(msgspec.structs.replace(me, started="another-boot-1"))


def test_a_process_of_another_computer_counts_as_gone() -> None:
    assert not PROCESSES.alive(Owner(host="elsewhere.invalid", pid=os.getpid()))


def test_the_clock_and_the_user() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(0.01)
    assert clock.monotonic() > before
    assert clock.now().tzinfo is not None
    assert user()
