"""Kills at bad moments: what was asked is on disk, the next call continues, nothing exists twice."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen

import pytest

from emulator.testing import Running
from tests.e2e.provider import Provider, eventually
from tests.waiting import PATIENCE


@contextmanager
def in_flight(machine: Provider, *verb: str) -> Iterator[Popen[bytes]]:
    call = machine.start(*verb)
    try:
        yield call
    finally:
        call.kill()
        call.communicate()


PUT = "ContainerGroups_CreateOrUpdate"


def puts(azure: Running) -> int:
    """How many times a container group was asked for."""
    return len(azure.control.requests(PUT))


def test_the_intent_is_on_disk_before_azure_is_asked(machine: Provider, azure: Running) -> None:
    before = puts(azure)
    azure.control.set_fault(PUT, drop="hang")
    with in_flight(machine, "create"):
        assert eventually(lambda: puts(azure) > before)
        assert machine.event_types() == ["CreateRequested"]


def test_a_create_killed_while_azure_works_is_continued_not_repeated(machine: Provider, azure: Running) -> None:
    azure.control.change("timings", provision=6.0)
    before = puts(azure)
    try:
        with in_flight(machine, "create"):
            assert eventually(lambda: puts(azure) == before + 1)
            time.sleep(0.3)
        machine.ok("create")
    finally:
        azure.control.change("timings", provision=0.3)
    assert puts(azure) == before + 1
    assert machine.event_types() == ["CreateRequested", "Created"]


@pytest.mark.parametrize("delay", [0.2, 0.6, 0.9, 1.2, 1.6, 2.2])
def test_a_create_killed_anywhere_ends_in_one_running_group(machine: Provider, delay: float) -> None:
    with in_flight(machine, "create"):
        time.sleep(delay)
    machine.ok("create")
    assert machine.status() == "Running"
    assert machine.call("verify").returncode == 0


@pytest.mark.parametrize("verb", ["stop", "delete"])
def test_a_killed_verb_is_finished_by_calling_it_again(machine: Provider, verb: str) -> None:
    machine.ok("create")
    for delay in (0.3, 0.8):
        with in_flight(machine, verb):
            time.sleep(delay)
    machine.ok(verb)
    assert machine.status() == {"stop": "Stopped", "delete": "NotFound"}[verb]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_killed_command_leaves_no_process_behind(machine: Provider, number: int) -> None:
    machine.ok("create")
    call = machine.start("command", COMMAND="echo $$; sleep 4711 & wait")
    assert call.stdout is not None
    pid = call.stdout.readline().decode().strip()
    call.send_signal(number)
    call.wait(PATIENCE)
    call.communicate()
    check = f"kill -0 {pid} 2>/dev/null || echo gone"
    assert eventually(lambda: machine.shell(check).stdout == b"gone\n")
    closed = [event["data"]["command"] for event in machine.events() if event["type"] == "CommandClosed"]
    opened = [event["data"]["command"] for event in machine.events() if event["type"] == "CommandOpened"]
    assert opened[0] in closed


def test_two_creates_at_once_make_one_group(machine: Provider, azure: Running) -> None:
    before = puts(azure)
    calls = [machine.start("create") for _ in range(3)]
    assert [call.wait(PATIENCE) for call in calls] == [0, 0, 0]
    for call in calls:
        call.communicate()
    assert puts(azure) == before + 1
    assert machine.event_types().count("Created") == 1


def test_delete_gets_past_a_create_that_hangs(machine: Provider) -> None:
    with in_flight(machine, "create"):
        assert eventually(lambda: machine.event_types() == ["CreateRequested"])
        machine.ok("delete")
    assert machine.status() == "NotFound"
