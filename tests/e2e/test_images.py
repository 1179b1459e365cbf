"""At home in any image: bytes, statuses and signals are exact in all of them, or one line says what is missing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir, mkdtemp

import pytest

from adapters.tunnel import CommandSpec, ExecEndpoint, Tuning, run_command
from emulator.testing import Running, running_emulator
from statemachine import errors
from statemachine.secret import Secret
from tests.e2e.images import KINDS, REFUSED, Kind
from tests.e2e.provider import Provider, eventually
from tests.e2e.test_bad_input import one_line
from tests.emulator.clients import Azure, container
from tests.waiting import PATIENCE

SLOW = pytest.mark.skipif(not os.environ.get("ACI_SLOW_TESTS"), reason="takes minutes; ACI_SLOW_TESTS=1 runs it")
IDLE = ["/bin/sh", "-c", "while :; do sleep 1; done"]
PATIENT = Tuning(dead=300, resume=60, backoff_first=0.05)
RARE = ("busybox-alone", "unknown-uid", "only-dev", "noexec-perl-not-root")
EXACT = "tee /dev/stderr; exit 7"


@contextmanager
def emulated(kinds: dict[str, Kind], folder: Path) -> Iterator[Running]:
    images = [kind.image(name, folder) for name, kind in kinds.items()]
    with running_emulator("instant", images=images, exec={"cap": 20}) as running:
        if running.control.health()["isolation"] != "namespaces":
            pytest.skip("images of their own need namespaces, which do not work here")
        yield running


@pytest.fixture(scope="module")
def aci(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with emulated(KINDS | REFUSED, tmp_path_factory.mktemp("images")) as running:
        yield running


class Inside:
    """Commands in one container of an image, each over an exec session of its own."""

    def __init__(self, azure: Azure, name: str, kind: Kind) -> None:
        properties = {}
        if kind.volume:
            properties = {"volumeMounts": [{"name": "volume", "mountPath": kind.volume}]}
        volumes = [{"name": "volume", "emptyDir": {}}] if kind.volume else None
        command = kind.options.get("cmd") or IDLE
        self.azure = azure
        self.group = azure.group(container(image=name, command=command, **properties), volumes=volumes)

    def opener(self) -> ExecEndpoint:
        ticket = self.azure.ticket(self.group)
        return ExecEndpoint(ticket.web_socket_uri, Secret(ticket.password))

    def run(self, command: str, data: bytes = b"", out: int | None = None) -> tuple[int, bytes, bytes]:
        with _fed(data) as stdin, _drained() as first, _drained() as second:
            fds = {"stdin": stdin, "stdout": first.fd if out is None else out, "stderr": second.fd}
            ca_file = self.azure.emulator.ca_file
            status = run_command(CommandSpec(command), self.opener, ca_file=ca_file, tuning=PATIENT, **fds)
        return status, first.data, second.data


class _Drain:
    data = b""
    fd = -1


@contextmanager
def _drained() -> Iterator[_Drain]:
    drain = _Drain()
    source, drain.fd = os.pipe()

    def read() -> None:
        with os.fdopen(source, "rb") as file:
            drain.data = file.read()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield drain
    finally:
        os.close(drain.fd)
        thread.join(30)


@contextmanager
def _fed(data: bytes) -> Iterator[int]:
    fd, sink = os.pipe()

    def write() -> None:
        with os.fdopen(sink, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield fd
    finally:
        os.close(fd)
        thread.join(30)


def live(azure: Azure, name: str) -> None:
    inside = Inside(azure, name, KINDS[name])
    data = os.urandom(1 << 20)
    status, out, err = inside.run(EXACT, data)
    assert status == 7
    assert [hashlib.sha256(heard).digest() for heard in (out, err)] == [hashlib.sha256(data).digest()] * 2
    status, out, err = inside.run("id -un 2>/dev/null || id -u; exit 0")
    assert (status, out.split()[-1].decode(), err) == (0, KINDS[name].user, b"")
    source, sink = os.pipe()
    results: list[int] = []
    sleeper = threading.Thread(
        target=lambda: results.append(inside.run("echo $$; sleep 300; exit 1", out=sink)[0]), daemon=True
    )
    sleeper.start()
    pid = os.read(source, 100).decode().strip()
    assert inside.run(f"kill -TERM -{pid}")[0] == 0
    sleeper.join(PATIENCE)
    os.close(source)
    os.close(sink)
    assert results == [128 + signal.SIGTERM]
    assert inside.run(f"kill -0 {pid} 2>/dev/null")[0] != 0


@pytest.fixture(scope="module")
def lives(aci: Running, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """Those that were asked for, all begun at once."""
    items = [item for item in request.session.items if not any(mark.args[0] for mark in item.iter_markers("skipif"))]
    asked = [name for name in KINDS if any(f"test_exact_in[{name}]" in item.nodeid for item in items)]
    azure = Azure(aci)
    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(live, azure, name) for name in asked}
    azure.close()


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW if name in RARE else ()) for name in KINDS])
def test_exact_in(lives: dict[str, Future[None]], name: str) -> None:
    lives[name].result(PATIENCE)


@pytest.mark.parametrize("size", [(0, 0), (1, 3), (500, 2000)])
def test_line_editors_in_terminals_of_any_size(aci: Running, lives: object, size: tuple[int, int]) -> None:
    del lives  # they have ended: what follows changes the terminals of all
    aci.control.exec_options(size=size)
    azure = Azure(aci)
    try:
        for name in ("alpine", "loud-bash", "banner-zsh"):
            data = os.urandom(50_000)
            assert Inside(azure, name, KINDS[name]).run(EXACT, data) == (7, data, data)
    finally:
        aci.control.exec_options(size=None)
        azure.close()


# What a person sees, through ``command``.


@contextmanager
def workspace(aci: Running, image: str, **more: str) -> Iterator[Provider]:
    """A machine of that image, unless something else is named."""
    home = Path(mkdtemp(prefix="dpaci-"))
    (home / "run").mkdir(mode=0o700)
    machine = {"MACHINE_ID": image, "MACHINE_CONTEXT": "default", "WORKSPACE_IMAGE": image}
    user = Provider(home, aci.env, more or machine)
    try:
        yield user
    finally:
        user.call("delete")
        rmtree(home, ignore_errors=True)


REFUSALS = {
    "noexec": (
        errors.NoPlaceError,
        ("/tmp (mounted noexec), /dev/shm (mounted noexec), /run (not writable)", "python3", "type=volume,target="),
    ),
    "nothing-writable": (errors.NoPlaceError, ("/tmp (not writable), /dev/shm (not writable)", "/home/user (not wr")),
    "shell-alone": (errors.NoPlaceError, ("/tmp (no folder can be made there without mkdir", "python3")),
    "flooding": (errors.TunnelError, ("does not speak the tunnel's protocol", "writes to its terminals")),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=SLOW if name in ("flooding", "shell-alone") else ()) for name in REFUSALS]
)
def test_refused_in(aci: Running, name: str) -> None:
    kind, parts = REFUSALS[name]
    with workspace(aci, name) as machine:
        machine.ok("create")
        began = time.monotonic()
        line = one_line(machine.shell("echo never"), kind)
        assert time.monotonic() - began < 100
        assert all(part in line for part in parts), line


def test_an_image_without_a_shell(aci: Running) -> None:
    with workspace(aci, "no-shell") as machine:
        assert "/bin/sh" in one_line(machine.call("create"), errors.ProvisioningError)
    options = {"image": "no-shell", "entrypoint": "/bin/sleep", "cmd": ["86400"]}
    with workspace(aci, "no-shell", DEVCONTAINER_ID="default-no-shell") as container:
        container.ok("run", DEVCONTAINER_RUN_OPTIONS=json.dumps(options))
        line = one_line(container.shell("echo never"), errors.NoShellError)
        assert "/bin/sh" in line
        assert "no such file" in line


def through_command(aci: Running, name: str) -> None:
    """What ``command`` promises, in one image; the provider is killed in the midst of a command."""
    with workspace(aci, name) as machine:
        machine.ok("create")
        data = os.urandom(1 << 20)
        answer = machine.shell(EXACT, data)
        assert (answer.returncode, answer.stdout == data, answer.stderr == data) == (7, True, True)
        assert machine.shell("exit 0").returncode == 0
        call = machine.start("command", COMMAND="echo $$; sleep 300 & wait")
        assert call.stdout is not None
        pid = call.stdout.readline().decode().strip()
        call.kill()
        call.communicate()
        assert eventually(lambda: machine.shell(f"kill -0 -{pid}").returncode != 0)


def test_through_command_without_a_file(aci: Running) -> None:
    through_command(aci, "noexec-perl-not-root")


@SLOW
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name in KINDS if not KINDS[name].volume])
def test_through_command_in(aci: Running, name: str) -> None:
    through_command(aci, name)


@SLOW
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("form", ["folder", "tarball"])
def test_a_debian_made_by_debootstrap(debian: Path, tmp_path: Path, form: str) -> None:
    """The real thing, as its own tools make it; also what ``docker export`` would write of it."""
    place = debian
    if form == "tarball":
        place = tmp_path / "debian.tar.gz"
        subprocess.run(["tar", "-c", "-z", "-f", place, "-C", debian, "."], check=True)
    image = {"name": "minbase", "rootfs": str(place)}
    strict = {**image, "name": "strict", "read_only": True, "writable": ["/tmp"], "noexec": ["/tmp"], "user": "nobody"}
    with running_emulator("instant", images=[image, strict]) as running:
        through_command(running, "minbase")
        through_command(running, "strict")


@pytest.fixture(scope="module")
def debian() -> Path:
    """Made once a machine: kept in the temporary folder for the next run."""
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        pytest.skip("needs root and Debian's debootstrap")
    root = Path(gettempdir()) / "devpod-provider-aci-debootstrap" / "bookworm"
    if not (root / "etc" / "debian_version").exists():
        rmtree(root.parent, ignore_errors=True)
        making = root.with_name("making")
        making.mkdir(parents=True)
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", "bookworm", str(making)], capture_output=True, text=True, check=False
        )
        if made.returncode != 0:
            pytest.skip(f"debootstrap fails here: {made.stdout[-200:]}")
        making.rename(root)
    return root
