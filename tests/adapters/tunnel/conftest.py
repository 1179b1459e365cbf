"""Shared pieces: an exec endpoint with its own folder, and commands with their three streams captured."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.tunnel import helperfile

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]


def _sibling(name: str) -> object:
    """Import a module beside this one: tests are no package."""
    known = sys.modules.get(f"tunnel_tests_{name}")
    if known is not None:
        return known
    spec = importlib.util.spec_from_file_location(f"tunnel_tests_{name}", _HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


exec_server = _sibling("exec_server")


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
        Path(place, f".devpod-aci-{os.geteuid()}", built.build).unlink(missing_ok=True)
    return built


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
            thread.join(30)
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
            behaviour = exec_server.Behaviour(argv=list(argv), env=env, **options)
            return stack.enter_context(exec_server.ExecServer(folder, behaviour))

        yield start


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket's name, passable for other users."""
    with tempfile.TemporaryDirectory(prefix="tun", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
