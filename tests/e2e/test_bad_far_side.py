"""What a container, or Azure before it, can do to a command: one line, a status of its own, and never for long."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any

import pytest

from adapters.tunnel import stop_holder
from adapters.tunnel.packets import armour
from adapters.tunnel.packets.armour import Armour
from adapters.tunnel.packets.messages import PROTOCOL_VERSION
from adapters.tunnel.packets.packet import Type, pack
from adapters.tunnel.starting import helperfile
from emulator.testing import Running, running_emulator
from statemachine import errors
from tests.e2e.provider import PROGRAM, ROOT, Provider
from tests.e2e.test_bad_input import one_line

EXEC = "Containers_ExecuteCommand"
SLOW = pytest.mark.skipif(not os.environ.get("ACI_SLOW_TESTS"), reason="waits minutes; ACI_SLOW_TESTS=1 runs it")
MEBIBYTE = 1 << 20
WIDE = {f"WIDE{number}": "x" * 104_000 for number in range(10)}


@pytest.fixture(scope="module")
def aci() -> Iterator[Running]:
    images = [{"name": "plain"}, {"name": "wide", "env": WIDE}]
    with running_emulator("instant", images=images) as running:
        yield running


@contextmanager
def workspace(aci: Running, name: str, image: str = "plain", **more: str) -> Iterator[Provider]:
    """A machine of its own, with a home of its own."""
    home = Path(mkdtemp(prefix="dpaci-"))
    (home / "run").mkdir(mode=0o700)
    named = {"MACHINE_ID": name, "MACHINE_CONTEXT": "default", "WORKSPACE_IMAGE": image, **more}
    user = Provider(home, aci.env, named)
    try:
        user.ok("create")
        yield user
    finally:
        user.call("delete")
        rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def machine(aci: Running) -> Iterator[Provider]:
    """The machine of those tests that leave it as it was."""
    with workspace(aci, "shared") as made:
        yield made


@pytest.fixture
def alone(machine: Provider, aci: Running) -> Iterator[Provider]:
    """The same without a session, so that the next command begins one."""
    leave(machine)
    yield machine
    leave(machine)


def leave(machine: Provider) -> None:
    for path in (machine.home / "run").rglob("*.sock"):
        stop_holder(path)


def group_of(machine: Provider) -> str:
    """The name of its container group."""
    return str(machine.events()[0]["data"]["group"]["name"])


@contextmanager
def refusing(aci: Running, machine: Provider, **fault: Any) -> Iterator[None]:
    """Exec calls for this machine fail so."""
    number = aci.control.set_fault(EXEC, path=f"*{group_of(machine)}*", **fault)
    try:
        yield
    finally:
        aci.control.clear(number)


def failure(machine: Provider, kind: type[errors.ProviderError], within: float = 100, **how: Any) -> str:
    """The line of a command that fails in time, and is in the log with its end."""
    began = time.monotonic()
    line = one_line(machine.shell("echo never", timeout=within + 60, **how), kind)
    assert time.monotonic() - began < within
    ended = machine.events()[-1]
    assert (ended["type"], ended["data"]["reason"]) == ("CommandClosed", "failed")
    return line


# Sizes and bytes


def test_a_command_of_a_mebibyte(machine: Provider) -> None:
    words = ["ab" * 50_000] * 11
    answer = machine.call("shell", "printf", "%s", *words)
    assert (answer.returncode, answer.stdout) == (0, "".join(words).encode())
    assert len(answer.stdout) > MEBIBYTE


def test_a_container_whose_environment_is_a_million_bytes(aci: Running) -> None:
    with workspace(aci, "wide", "wide") as machine:
        answer = machine.shell("env | wc -c; exit 4")
        assert answer.returncode == 4
        assert int(answer.stdout) > 1_040_000


def test_a_caller_whose_environment_is_a_million_bytes(alone: Provider) -> None:
    answer = alone.shell("printf %s ${#WIDE0}; exit 4", **WIDE)
    assert (answer.returncode, answer.stdout) == (4, b"0"), "it is the caller's, not the container's"


def test_binary_in_the_command(machine: Provider) -> None:
    every = bytes(value for value in range(1, 256) if value != 0x27)
    program = [os.fsencode(word) for word in PROGRAM]
    environ = {os.fsencode(name): os.fsencode(value) for name, value in machine.env.items()}
    answer = subprocess.run(
        [*program, b"command"],
        env={**environ, b"COMMAND": b"printf %s '" + every + b"'"},
        capture_output=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout) == (0, every)


def test_no_such_user(aci: Running) -> None:
    options = {"image": "plain", "entrypoint": "/bin/sh", "cmd": ["-c", "while sleep 1; do :; done"]}
    home = Path(mkdtemp(prefix="dpaci-"))
    (home / "run").mkdir(mode=0o700)
    container = Provider(home, aci.env, {"DEVCONTAINER_ID": "default-nobody"})
    try:
        container.ok("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(options))
        line = failure(container, errors.UserUnknownError, DEVCONTAINER_USER="nosuchuser")
        assert "nosuchuser" in line
        assert "remoteUser" in line
        line = failure(container, errors.UserUnknownError, DEVCONTAINER_USER="root:nosuchgroup")
        assert "nosuchgroup" in line
    finally:
        container.call("delete")
        rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("idle", ["10m", "0"])
def test_a_caller_with_closed_streams(machine: Provider, idle: str) -> None:
    log = machine.log.read_bytes()
    for closed, out, err in ((">&-", b"", b"err\n"), ("2>&-", b"out\n", b""), ("<&- >&- 2>&-", b"", b"")):
        answer = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, "command"],
            env=machine.env | {"COMMAND": "cat; echo out; echo err >&2; exit 5", "ACI_TUNNEL_IDLE": idle},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert (answer.returncode, answer.stdout, answer.stderr) == (5, out, err)
    machine.ok("verify")
    assert machine.log.read_bytes().startswith(log)


# Azure refuses


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (
            {
                "status": 403,
                "code": "AuthorizationFailed",
                "message": "The client 'x' does not have authorization to perform action "
                "'Microsoft.ContainerInstance/containerGroups/containers/exec/action' over scope '/s'.",
            },
            errors.AccessDeniedError,
            "Ask for a role with Microsoft.ContainerInstance/containerGroups/containers/exec/action",
        ),
        ({"status": 404, "code": "ContainerNotFound"}, errors.ExecRefusedError, "does not find it"),
        ({"status": 409, "code": "ContainerGroupStopped"}, errors.ExecRefusedError, "devpod up"),
        ({"status": 400, "code": "InvalidCommandLength"}, errors.AzureError, "InvalidCommandLength"),
        pytest.param({"status": 409, "code": "Unheard"}, errors.AzureError, "end one, or try again", marks=SLOW),
        pytest.param(
            {"status": 409, "code": "ContainerGroupTransitioning"}, errors.TransitioningError, "in a minute", marks=SLOW
        ),
        pytest.param(
            {"status": 429, "code": "TooManyRequests", "headers": {"Retry-After": "1"}},
            errors.ThrottledError,
            "Azure asks to wait 1 s",
            marks=SLOW,
        ),
    ],
    ids=lambda value: f"{value['status']} {value['code']}" if isinstance(value, dict) else "",
)
@pytest.mark.timeout(400)
def test_azure_refuses(
    alone: Provider, aci: Running, fault: dict[str, Any], kind: type[errors.ProviderError], said: str
) -> None:
    with refusing(aci, alone, count=None, **fault):
        assert said in failure(alone, kind, within=180)


@pytest.mark.parametrize("status", [409, 429, 503])
def test_what_passes_is_waited_for(alone: Provider, aci: Running, status: int) -> None:
    with refusing(aci, alone, count=2, status=status, code="ItWillPass", headers={"Retry-After": "1"}):
        assert alone.shell("echo passed").stdout == b"passed\n"


def test_a_container_that_has_ended(aci: Running) -> None:
    with workspace(aci, "ended", ACI_RESTART_POLICY="Never") as machine:
        aci.control.world.kill(group_of(machine))
        line = failure(machine, errors.RefusedError)
        assert "does not run any more" in line
        assert "devpod up" in line


# What sits in the helper's place


def replaced(machine: Provider, script: str, **files: bytes) -> None:
    """Put a script in the helper's place; ``files`` are made beside it."""
    build = helperfile.load_helper().build
    for name, data in files.items():
        machine.ok("command", COMMAND=f"cat >/tmp/.devpod-aci-0/{name}", stdin=data)
    text = f"#!/bin/sh\n[ $1 = check ] && {{ echo whole; exit; }}\ncd /tmp/.devpod-aci-0\n{script}\n"
    machine.ok(
        "command", COMMAND=f"cd /tmp/.devpod-aci-0 && cat >new && chmod 700 new && mv new {build}", stdin=text.encode()
    )
    leave(machine)


MARKER = 'stty raw -echo; printf "[devpod-aci:relay:%s]" $(echo $2 | rev)'


def hello(digest: bytes) -> bytes:
    """How a helper with that digest introduces itself, and the probe that follows."""
    payload = bytes([PROTOCOL_VERSION]) + digest + bytes(16) + bytes(4)
    text = armour.encode(Armour.BASE64, armour.NOTHING_BAD, pack(Type.HELLO, 0, 0, payload))
    return text + armour.probe()


@pytest.fixture
def own(aci: Running, request: pytest.FixtureRequest) -> Iterator[Provider]:
    """A machine that may be spoilt; without a holder that stays."""
    with workspace(aci, f"own-{abs(hash(request.node.nodeid)) % 10**6}", ACI_TUNNEL_IDLE="0") as made:
        yield made


def test_a_helper_that_is_another_program(own: Provider) -> None:
    replaced(own, 'echo "I am something else"; exit 3')
    line = failure(own, errors.HelperMismatchError)
    assert "I am something else" in line
    assert "Stop and start the workspace" in line


def test_a_helper_of_another_build(own: Provider) -> None:
    replaced(own, f"{MARKER}; cat hello; sleep 20", hello=hello(hashlib.sha256(b"another").digest()))
    line = failure(own, errors.HelperMismatchError)
    assert "another build" in line
    assert "Stop and start the workspace" in line


GARBAGE = {
    "noise": "cat /dev/urandom",
    "text": "while :; do echo Segmentation fault; sleep 0.1; done",
    "damaged": "while :; do cat damaged; sleep 0.1; done",
    "silence": "exec sleep 300",
    "the end": "exit 0",
}
BRIEF = ("damaged", "noise")


def nonsense(aci: Running, name: str) -> str:
    """What ``command`` says of a helper that begins well and goes on so."""
    with workspace(aci, name.replace(" ", "-"), ACI_TUNNEL_IDLE="0") as machine:
        digest = bytes.fromhex(helperfile.load_helper().digest)
        damaged = bytearray(pack(Type.WELCOME, 0, 0, bytes(100)))
        damaged[30] ^= 1
        replaced(machine, f"{MARKER}; cat hello; {GARBAGE[name]}", hello=hello(digest), damaged=bytes(damaged))
        return failure(machine, errors.TunnelError, within=300)


@pytest.fixture(scope="module", autouse=True)
def said_of_nonsense(aci: Running, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[str]]]:
    """Those that were asked for, begun at once: they are mostly waiting."""
    asked = [item for item in request.session.items if "speaks_nonsense" in item.nodeid]
    names = [name for name in GARBAGE if any(f"[{name}]" in item.nodeid and not skipped(item) for item in asked)]
    with ThreadPoolExecutor(len(GARBAGE)) as pool:
        yield {name: pool.submit(nonsense, aci, name) for name in names}


def skipped(item: pytest.Item) -> bool:
    """Whether a mark says so."""
    return any(mark.args[0] for mark in item.iter_markers("skipif"))


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in BRIEF else SLOW) for name in GARBAGE])
@pytest.mark.timeout(400)
def test_a_helper_that_speaks_nonsense(said_of_nonsense: dict[str, Future[str]], name: str) -> None:
    assert "protocol" in said_of_nonsense[name].result(300)


def test_our_own_helper_is_not_the_one_that_was_built(alone: Provider, tmp_path: Path) -> None:
    for package in ("adapters", "eventlog", "statemachine"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    binary = tmp_path / "adapters" / "tunnel" / "helper" / helperfile.NAME
    for content, said in ((binary.read_bytes()[:-1] + b"\0\0", "was built as"), (None, "is not built")):
        binary.write_bytes(content) if content else binary.unlink()
        line = failure(alone, errors.HelperMismatchError, PYTHONPATH=str(tmp_path))
        assert said in line
        assert "nstall devpod-provider-aci again" in line


def test_every_kind_has_a_status_of_its_own() -> None:
    kinds = [
        errors.AccessDeniedError, errors.GroupMissingError, errors.ThrottledError, errors.TransitioningError,
        errors.TunnelError, errors.ExecRefusedError, errors.TunnelUnreachableError, errors.NoShellError,
        errors.NoPlaceError, errors.UserUnknownError, errors.TunnelLostError, errors.HelperMismatchError,
    ]  # fmt: skip
    assert len({kind.exit_status for kind in kinds}) == len(kinds)
