"""A whole life on every kind of ACI we can think of: the emulator's variants, and one that words things otherwise.

Each variant has an emulator of its own. The lives run side by side, for most of one is waiting.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest

from emulator.testing import Running, running_emulator
from tests.e2e import second_aci as words
from tests.e2e.provider import Provider, eventually
from tests.waiting import PATIENCE

SIZE = 200_000
SHORT = {"window": 2.0, "provision": 2.0, "eventual_404": 2.0, "pending": 0.5, "restart": 1.0, "registration": 1.0}
THROTTLED = [
    {"skip": 2 + 2 * number, "status": 429, "code": "TooManyRequests", "headers": {"Retry-After": "1"}}
    for number in range(8)
]
LOST = [
    {"operation": "ContainerGroups_CreateOrUpdate", "stage": "response", "drop": "reset"},
    {"operation": "ContainerGroups_Stop", "stage": "response", "status": 502, "body": "<html>bad gateway</html>"},
    {"operation": "ContainerGroups_Start", "stage": "response", "drop": "truncate"},
    {"operation": "ContainerGroups_Delete", "stage": "response", "drop": "reset"},
    {"operation": "Containers_ExecuteCommand", "status": 503, "code": "ServiceUnavailable", "count": 2},
]

OPTIONS = {
    "image": "debian:12",
    "entrypoint": "/bin/sh",
    "cmd": ["-c", "while sleep 1; do :; done"],
    "labels": ["devpod.user=root", "a=B"],
}


@dataclass(frozen=True)
class Variant:
    """One kind of ACI."""

    settings: dict[str, Any] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    reword: words.Reword | None = None


VARIANTS = {
    "strict": Variant({"preset": "strict", "timings": SHORT, "control": {"delete_async": True}}),
    "old front end": Variant(
        {
            "exec": {"front_end": "bridge", "text_frames": True, "argv": "split", "greeting": False}
            | {"cap": 1, "cap_status": 429, "bye": True, "abrupt_close": 1.0},
            "control": {"stop_readback": "vanished"},
        }
    ),
    "dirty terminal": Variant(
        {
            "exec": {"argv": "shell", "utf8_lossy": "both", "seven_bit": "both", "eat": "xonxoff"}
            | {"max_output_frame": 100, "cap": 1},
            "isolation": "process",
        }
    ),
    "slow and narrow": Variant(
        {"exec": {"start_delay": 2.2, "lose_early": True, "size": [1, 3], "orphan": True, "text_frames": True}}
    ),
    "short messages": Variant({"exec": {"truncate_input": 50, "swallow_eom": True}}),
    "lost answers": Variant({"timings": {"window": 0.5, "provision": 0.5}}, LOST),
    "loud words": Variant(
        {"timings": {"window": 0.5}},
        reword=words.all_of(words.upper_case, words.location_only, words.no_ids, words.unlisted_status, words.nested),
    ),
    "few words": Variant(
        {"timings": {"provision": 0.5}},
        reword=words.all_of(
            words.lower_case,
            words.no_operation,
            words.no_container_view,
            words.no_view_once_stopped,
            words.no_tags,
            words.more,
        ),
    ),
    "throttled and ailing": Variant(
        {"timings": {"provision": 0.5}}, THROTTLED, words.all_of(words.other_states, words.html_errors)
    ),
}


@contextmanager
def somebody(azure: Running, env: dict[str, str] | None = None, **more: str) -> Iterator[Provider]:
    """A user of this ACI with a machine, whose home is short and goes afterwards."""
    home = Path(mkdtemp(prefix="dpaci-"))
    (home / "run").mkdir(mode=0o700)
    try:
        user = Provider(home, env or azure.env, {"MACHINE_ID": "quirk", "MACHINE_CONTEXT": "default", **more})
        yield user
        user.call("delete")
    finally:
        rmtree(home, ignore_errors=True)


def live(variant: Variant) -> None:
    """From NotFound to NotFound."""
    with ExitStack() as stack:
        azure = stack.enter_context(running_emulator(**{"preset": "instant", **variant.settings}))
        env = stack.enter_context(words.second_aci(azure, variant.reword)) if variant.reword else None
        for fault in variant.faults:
            azure.control.set_fault(**fault)
        user = stack.enter_context(somebody(azure, env))
        assert user.status() == "NotFound"
        user.ok("create")
        assert user.status() == "Running"
        data = os.urandom(SIZE)
        answer = user.shell("cat; echo oops >&2; exit 7", data)
        assert (answer.returncode, answer.stderr, answer.stdout == data) == (7, b"oops\n", True)
        user.ok("stop")
        assert user.status() == "Stopped"
        user.ok("start")
        answer = user.shell("echo again; exit 3")
        assert (answer.returncode, answer.stdout) == (3, b"again\n")
        user.ok("delete")
        assert user.status() == "NotFound"


@pytest.fixture(scope="module")
def lives(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """Those that were asked for, all begun at once."""
    asked = [name for name in VARIANTS if any(f"[{name}]" in item.nodeid for item in request.session.items)]
    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(live, VARIANTS[name]) for name in asked}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_whole_life(lives: dict[str, Future[None]], name: str) -> None:
    lives[name].result(180)


@pytest.fixture(scope="module")
def aci() -> Iterator[Running]:
    with running_emulator("instant") as running:
        yield running


def the_group(azure: Running) -> str:
    """The name of the container group asked for last."""
    return str(azure.control.requests("ContainerGroups_CreateOrUpdate")[-1]["path"]).rsplit("/", 1)[1]


Happening = Callable[[Running], None]
HAPPENINGS: dict[str, tuple[Happening, str]] = {
    "killed": (lambda azure: azure.control.world.kill(the_group(azure)), "Stopped"),
    "stopped": (lambda azure: azure.control.world.stop(the_group(azure)), "Stopped"),
    "deleted": (lambda azure: azure.control.world.delete(the_group(azure)), "NotFound"),
}


@pytest.mark.parametrize("what", HAPPENINGS)
def test_what_happens_elsewhere_ends_a_running_command_with_a_status_of_its_own(aci: Running, what: str) -> None:
    happen, word = HAPPENINGS[what]
    with somebody(aci, MACHINE_ID=f"w-{what}") as user:
        user.ok("create")
        call = user.start("command", COMMAND="echo up; sleep 300; exit 3")
        assert call.stdout is not None
        assert call.stdout.readline() == b"up\n"
        happen(aci)
        try:
            _, err = call.communicate(timeout=PATIENCE)  # and not the five minutes for which a broken line is dialled
        finally:
            call.kill()
        assert call.returncode == 95
        assert len(err.splitlines()) == 1
        assert b"devpod up" in err, "to run the command again would be no help"
        assert user.status() == word


def test_a_group_that_was_stopped_elsewhere_says_so_to_a_command(aci: Running) -> None:
    with somebody(aci, MACHINE_ID="elsewhere") as user:
        user.ok("create")
        aci.control.world.stop(the_group(aci))
        answer = user.shell("echo hi")
        assert answer.returncode == 90
        assert b"stopped" in answer.stderr
        assert b"devpod up" in answer.stderr
        assert user.status() == "Stopped"
        user.ok("start")
        assert user.shell("echo hi").stdout == b"hi\n"


ENDED = ("close", "text", "hang")


SLOW = pytest.mark.skipif(not os.environ.get("ACI_SLOW_TESTS"), reason="half a minute; ACI_SLOW_TESTS=1 runs it")


@pytest.mark.parametrize("how", [pytest.param(how, marks=SLOW if how == "hang" else ()) for how in ENDED])
def test_a_session_into_a_container_that_has_ended(aci: Running, how: str) -> None:
    with somebody(aci, MACHINE_ID=f"ended-{how}", ACI_RESTART_POLICY="Never") as user:
        user.ok("create")
        aci.control.world.kill(the_group(aci))
        aci.control.exec_options(ended=how)
        try:
            answer = user.shell("echo hi")
        finally:
            aci.control.exec_options(ended="close")
        said = answer.stderr.decode()
        assert answer.returncode in (90, 67), said
        assert "does not run any more" in said
        assert "devpod up" in said
        assert len(said.splitlines()) == 1


def test_a_container_that_restarts_under_a_holder_takes_the_next_command(aci: Running) -> None:
    with somebody(aci) as user:
        named = Provider(user.home, aci.env, {"DEVCONTAINER_ID": "default-ws-again", "ACI_RESTART_POLICY": "Always"})
        named.ok("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS))
        assert named.shell("echo one").stdout == b"one\n"
        aci.control.world.kill(the_group(aci))
        assert eventually(lambda: named.status() == "Running")
        assert eventually(lambda: named.shell("echo two").stdout == b"two\n")
        named.ok("delete")


def test_a_dev_container_is_found_whatever_the_letter_case(aci: Running) -> None:
    with words.second_aci(aci, words.all_of(words.upper_case, words.more)) as env, somebody(aci, env) as user:
        named = Provider(user.home, env, {"DEVCONTAINER_ID": "default-ws-quirk"})
        named.ok("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(OPTIONS))
        found = json.loads(named.ok("find"))
        assert (found["State"]["Status"], found["Config"]["Labels"]["a"]) == ("running", "B")
        named.ok("delete")
