"""No group is left behind that nobody asks for any more, and that is billed all the same."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from subprocess import PIPE, Popen
from tempfile import mkdtemp

import pytest

from emulator.testing import Running
from tests.e2e.provider import Provider, eventually
from tests.e2e.test_crash import PUT, in_flight, puts
from tests.e2e.test_devcontainer_mode import OPTIONS
from tests.waiting import PATIENCE

GET = "ContainerGroups_Get"
DELETE = "ContainerGroups_Delete"
RUN = {"DEVCONTAINER_RUN_OPTIONS": json.dumps(OPTIONS)}
CREATED_AND_STILL_THERE = (
    "import time; from adapters.cli.main import run; print(run(['create']), flush=True); time.sleep(600)"
)


def seen_by_others(one: Provider) -> str:
    """What somebody sees who has another log, and so nothing but Azure's word."""
    home = Path(mkdtemp(prefix="dpaci-"))
    try:
        return Provider(home, one.azure, one.extra).ok("status").decode().strip()
    finally:
        rmtree(home)


def command_lines() -> Iterator[bytes]:
    """Of every process there is."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            yield file.read_bytes()


def test_a_machine_that_took_too_long_is_deleted_for_devpod_forgets_it(machine: Provider, azure: Running) -> None:
    azure.control.change("timings", provision=9.0)
    try:
        answer = machine.call("create", ACI_OPERATION_TIMEOUT="8s")
    finally:
        azure.control.change("timings", provision=0.3)
    assert answer.returncode == 80
    assert b"deleting what there is of it" in answer.stderr
    assert seen_by_others(machine) == "NotFound"
    assert machine.event_types() == ["CreateRequested", "DeleteRequested", "Deleted"]


def test_a_machine_whose_create_lost_sight_of_it_is_deleted(machine: Provider, azure: Running) -> None:
    azure.control.set_fault(GET, skip=1, status=403, code="AuthorizationFailed", message="no action 'x/read'")
    answer = machine.call("create")
    assert answer.returncode == 72
    assert b"deleting what there is of it" in answer.stderr
    assert seen_by_others(machine) == "NotFound"


def test_a_machine_that_could_not_be_deleted_either_is_deleted_later(machine: Provider, azure: Running) -> None:
    folder = machine.home / "machines" / "m"
    folder.mkdir(parents=True)
    denied = {"status": 403, "code": "AuthorizationFailed", "message": "not now"}
    azure.control.set_fault(GET, skip=1, **denied)
    azure.control.set_fault(DELETE, **denied)
    answer = machine.call("create", MACHINE_FOLDER=str(folder))
    assert answer.returncode == 72
    assert b"may still be there, and billed" in answer.stderr
    assert machine.event_types()[-1:] != ["Deleted"]
    azure.control.clear()
    folder.rmdir()
    assert eventually(lambda: machine.event_types()[-1:] == ["Deleted"])
    assert seen_by_others(machine) == "NotFound"


def test_a_machine_whose_create_was_killed_is_deleted_once_devpod_has_forgotten_it(
    machine: Provider, azure: Running
) -> None:
    folder = machine.home / "machines" / "m"
    folder.mkdir(parents=True)
    azure.control.change("timings", provision=4.0)
    before = puts(azure)
    try:
        with in_flight(machine.with_env(MACHINE_FOLDER=str(folder)), "create"):
            assert eventually(lambda: puts(azure) == before + 1)
        folder.rmdir()
        assert eventually(lambda: machine.event_types()[-1:] == ["Deleted"])
    finally:
        azure.control.change("timings", provision=0.3)
    assert machine.event_types()[-2:] == ["DeleteRequested", "Deleted"]
    assert seen_by_others(machine) == "NotFound"


def test_a_machine_whose_create_was_killed_on_its_way_out_is_deleted_too(machine: Provider) -> None:
    folder = machine.home / "machines" / "m"
    folder.mkdir(parents=True)
    with_folder = machine.with_env(MACHINE_FOLDER=str(folder))
    with Popen([sys.executable, "-c", CREATED_AND_STILL_THERE], env=with_folder.env, stdout=PIPE) as call:
        assert call.stdout is not None
        assert call.stdout.readline() == b"0\n"
        assert machine.event_types() == ["CreateRequested", "Created"]
        call.kill()
    folder.rmdir()
    assert eventually(lambda: machine.event_types()[-1:] == ["Deleted"])
    assert seen_by_others(machine) == "NotFound"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_what_devpod_has_not_forgotten_is_continued(machine: Provider, ending: signal.Signals) -> None:
    folder = machine.home / "machines" / "m"
    folder.mkdir(parents=True)
    with_folder = machine.with_env(MACHINE_FOLDER=str(folder))
    with in_flight(with_folder, "create") as call:
        assert eventually(lambda: machine.event_types() == ["CreateRequested"])
        call.send_signal(ending)
        assert call.wait(PATIENCE) == (130 if ending == signal.SIGINT else -ending)
    with_folder.ok("create")
    assert machine.event_types() == ["CreateRequested", "Created"]


def test_nobody_waits_any_more_for_the_end_of_a_create_that_ended(machine: Provider) -> None:
    folder = machine.home / "machines" / "m"
    folder.mkdir(parents=True)
    machine.ok("create", MACHINE_FOLDER=str(folder))
    assert eventually(lambda: not any(str(folder).encode() in command for command in command_lines()))


def test_a_create_that_a_delete_overtook_asks_for_nothing_any_more(machine: Provider, azure: Running) -> None:
    before = puts(azure)
    azure.control.set_fault(PUT, status=429, code="TooManyRequests", message="later", headers={"Retry-After": "6"})
    with in_flight(machine, "create") as call:
        assert eventually(lambda: puts(azure) == before + 1)
        machine.ok("delete")
        _, errors = call.communicate()
    assert call.returncode == 68
    assert b"was taken over by another call meanwhile and is absent" in errors
    assert puts(azure) == before + 1
    assert machine.event_types() == ["CreateRequested", "DeleteRequested", "Deleted"]


def test_a_look_that_misses_the_group_for_a_moment_lets_nothing_go(machine: Provider, azure: Running) -> None:
    machine.ok("create")
    gone = {"status": 404, "code": "ResourceNotFound", "message": "was not found"}
    azure.control.set_fault(GET, count=2, **gone)
    assert machine.status() == "Running"
    azure.control.set_fault(GET, count=1, **gone)
    machine.ok("delete")
    assert seen_by_others(machine) == "NotFound"
    assert machine.event_types() == ["CreateRequested", "Created", "DeleteRequested", "Deleted"]


def test_an_unknown_group_that_never_settles_can_be_deleted(machine: Provider, azure: Running) -> None:
    azure.control.change("timings", provision=6.0)
    try:
        with in_flight(machine, "create"):
            assert eventually(lambda: seen_by_others(machine) == "Busy")
        machine.log.unlink()
        machine.ok("delete")
    finally:
        azure.control.change("timings", provision=0.3)
    assert machine.event_types() == ["Adopted", "Evicted", "DeleteRequested", "Deleted"]


def test_the_start_that_follows_a_killed_run_ends_what_that_began(devcontainer: Provider, azure: Running) -> None:
    azure.control.change("timings", provision=3.0)
    before = puts(azure)
    try:
        with in_flight(devcontainer.with_env(**RUN), "run"):
            assert eventually(lambda: puts(azure) == before + 1)
        assert b"created" in devcontainer.ok("find")
        devcontainer.ok("start")
    finally:
        azure.control.change("timings", provision=0.3)
    assert devcontainer.event_types() == ["CreateRequested", "Created"]


def test_a_run_killed_before_azure_heard_of_it_is_not_found(devcontainer: Provider, azure: Running) -> None:
    azure.control.set_fault(PUT, drop="hang")
    before = puts(azure)
    with in_flight(devcontainer.with_env(**RUN), "run"):
        assert eventually(lambda: puts(azure) == before + 1)
    azure.control.clear()
    assert devcontainer.ok("find") == b""
    assert devcontainer.event_types() == ["CreateRequested", "CreateFailed", "Vanished"]
    devcontainer.ok("run", **RUN)


def test_what_a_killed_delete_was_about_is_not_found(devcontainer: Provider, azure: Running) -> None:
    devcontainer.ok("run", **RUN)
    azure.control.change("timings", delete=3.0)
    azure.control.change("control", delete_async=True)
    before = len(azure.control.requests(DELETE))
    try:
        with in_flight(devcontainer, "delete"):
            assert eventually(lambda: len(azure.control.requests(DELETE)) > before)
        assert devcontainer.ok("find") == b""
    finally:
        azure.control.change("timings", delete=0.0)
        azure.control.change("control", delete_async=False)
    assert devcontainer.event_types()[-2:] == ["DeleteRequested", "Deleted"]
