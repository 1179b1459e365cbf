"""Shared pieces: an exec endpoint with its own folder, and commands with their three streams captured."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, run_through_holder, stop_holder
from adapters.tunnel.starting import helperfile
from emulator.testing import running_emulator
from tests.adapters.tunnel.exec_server import Behaviour, ExecServer
from tests.emulator.clients import Azure
from tests.waiting import PATIENCE, until

_ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session", autouse=True)
def helper() -> helperfile.Helper:
    """The helper, built when the sources are newer."""
    folder = _ROOT / "adapters" / "tunnel" / "helper"
    binary = folder / helperfile.NAME
    newest = max(path.stat().st_mtime for path in [*folder.glob("*.[ch]"), folder / "build.py"])
    if not binary.exists() or binary.stat().st_mtime < newest:
        subprocess.run([sys.executable, str(folder / "build.py")], check=True)
    built = helperfile.load_helper()
    # What an earlier run left in a folder that every shell looks into would hide whether we place it.
    for place in ("/tmp", "/dev/shm", "/run", "/var/tmp", "/root"):
        folder = Path(place, f".devpod-aci-{os.geteuid()}")
        if os.access(folder, os.W_OK):
            (folder / built.build).unlink(missing_ok=True)
    return built


@pytest.fixture(scope="module")
def emulated():
    """The emulator with one group that runs, and room for many sessions in it."""
    with running_emulator(exec={"cap": 200}) as emulator:
        azure = Azure(emulator)
        azure.running_group = azure.group()
        yield azure
        azure.close()


@dataclass(frozen=True)
class Outcome:
    """How a command went."""

    status: int
    out: bytes
    err: bytes


class Capture:
    """Three pipes: feeds ``data`` in, gathers what comes out, in threads of its own."""

    def __init__(self, data: bytes = b"") -> None:
        self.stdin, feed = os.pipe()
        drain_out, self.stdout = os.pipe()
        drain_err, self.stderr = os.pipe()
        self._parts: dict[str, bytes] = {}
        self._threads = [
            threading.Thread(target=self._feed, args=(feed, data)),
            threading.Thread(target=self._drain, args=("out", drain_out)),
            threading.Thread(target=self._drain, args=("err", drain_err)),
        ]
        for thread in self._threads:
            thread.start()

    def _feed(self, fd: int, data: bytes) -> None:
        with contextlib.suppress(OSError), open(fd, "wb", buffering=0) as file:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]

    def _drain(self, name: str, fd: int) -> None:
        with open(fd, "rb") as file:
            self._parts[name] = file.read()

    def close(self) -> tuple[bytes, bytes]:
        for fd in (self.stdin, self.stdout, self.stderr):
            os.close(fd)
        for thread in self._threads:
            thread.join(PATIENCE)
        return self._parts["out"], self._parts["err"]


def run_captured(run: Callable[[int, int, int], int], data: bytes = b"") -> Outcome:
    """Run something with three pipes; its exception, if any, comes through."""
    capture = Capture(data)
    try:
        status = run(capture.stdin, capture.stdout, capture.stderr)
    finally:
        out, err = capture.close()
    return Outcome(status, out, err)


@pytest.fixture
def captured() -> Callable[..., Outcome]:
    """Run something with three pipes."""
    return run_captured


@pytest.fixture
def endpoint(short_folder: Path) -> Iterator[Callable[..., object]]:
    """Start exec endpoints; each has a folder of its own for TMPDIR and HOME, so a helper of its own too."""
    with contextlib.ExitStack() as stack:

        def start(argv: Sequence[str] = ("/bin/sh",), **options: object) -> object:
            folder = Path(tempfile.mkdtemp(dir=short_folder))
            (folder / "tmp").mkdir()
            folder.chmod(0o777)
            (folder / "tmp").chmod(0o777)
            env = {"TMPDIR": str(folder / "tmp"), "HOME": str(folder), **options.pop("env", {})}
            behaviour = Behaviour(argv=list(argv), env=env, **options)
            return stack.enter_context(ExecServer(folder, behaviour))

        yield start


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket's name, passable for other users."""
    with tempfile.TemporaryDirectory(prefix="tun", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


class Holder:
    """Starts holders for one endpoint and runs commands through them."""

    def __init__(self, server, path, *, idle_seconds=30.0, tuning=None):
        self.server = server
        self.path = path
        self.idle_seconds = idle_seconds
        # A machine that stands still for a while is no dead line, unless a test wants it to be one.
        self.tuning = {"resume": 300, "dead": 300, **(tuning or {})}
        self.started = []
        self.refuse = False

    def spawn(self):
        options = {
            "path": str(self.path), "broker": str(self.broker), "ca_file": self.server.ca_file,
            "idle_seconds": self.idle_seconds, "tuning": self.tuning, "refuse": self.refuse,
        }  # fmt: skip
        program = Path(__file__).parent / "holder" / "process.py"
        environ = {**os.environ, "PYTHONPATH": str(_ROOT)}
        self.started.append(
            subprocess.Popen([sys.executable, str(program), json.dumps(options)], start_new_session=True, env=environ)
        )

    def __call__(self, command, data=b"", **options):
        spec = CommandSpec(command, **options)
        return run_captured(
            lambda i, o, e: run_through_holder(
                spec, self.path, spawn=self.spawn, stdin=i, stdout=o, stderr=e, start_seconds=PATIENCE
            ),
            data,
        )


@pytest.fixture
def held(endpoint, short_folder):
    """Start holders for one endpoint, each with a socket of its own; `server` shares another's endpoint."""
    made = []

    def start(**options):
        server = options.pop("server", None) or endpoint(**options.pop("behaviour", {}))
        folder = short_folder / f"s{len(made)}"
        folder.mkdir(mode=0o700)
        path = folder / "broker"
        broker = socket.socket(socket.AF_UNIX)
        broker.bind(str(path))
        broker.listen()

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = broker.accept()
                    with sock:
                        given = server.opener()
                        sock.sendall(f"{given.uri} {given.password.reveal()}".encode())

        threading.Thread(target=serve, daemon=True).start()
        holder = Holder(server, folder / "holder.sock", **options)
        holder.broker = path
        made.append((holder, broker))
        return holder

    yield start
    for holder, broker in made:

        def over(holder=holder):
            stop_holder(holder.path)  # again: one that waited for its turn takes it when another one goes
            return all(process.poll() is not None for process in holder.started)

        with contextlib.suppress(AssertionError):
            until(over, 20)
        for process in holder.started:
            process.kill()
            process.wait()
        broker.close()


def is_gone(pid: int, seconds: float = PATIENCE) -> bool:
    """Whether the process has ended, or does in time: much less than any grace, and enough for a busy machine."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def gone() -> Callable[..., bool]:
    """Whether a process ends in time."""
    return is_gone
