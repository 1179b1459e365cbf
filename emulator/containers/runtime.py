"""The emulator's side of a container: start its agent, ask it for processes, end it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Level = Literal["namespaces", "process"]

_BOOT = "import sys; sys.path.insert(0, sys.argv.pop(1));from emulator.containers.agent import main; main()"
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])
_MESSAGE = 1 << 20
# Folders of the host that a container made from the host must not see, and their modes.
# ruff: noqa: S108 - paths inside containers, not temporary files of ours
HIDDEN = {
    "/tmp": 0o1777,
    "/var/tmp": 0o1777,
    "/run": 0o755,
    "/root": 0o700,
    "/home": 0o755,
    "/mnt": 0o755,
    "/media": 0o755,
}
# What every container has of its own in any case.
OWN = ("/dev", "/dev/shm")


class SandboxError(Exception):
    """The container could not be made."""


class SpawnError(Exception):
    """A process could not be started in the container; the text is the runtime's own."""


@dataclass(frozen=True)
class SandboxSpec:
    """What the agent must build. ``rootfs`` is ``/`` for images served from the host."""

    scratch: Path
    hostname: str
    rootfs: str = "/"
    workdir: str = "/"
    binds: tuple[tuple[str, str, bool], ...] = ()
    hide: tuple[str, ...] = ()
    writable: tuple[str, ...] = ("/tmp", *OWN)
    noexec: tuple[str, ...] = ()
    read_only: bool = False
    disk: str = "50%"


@dataclass
class Process:
    """A process in a container: its pid, our end of its terminal or pipe, its exit status."""

    pid: int
    fd: int
    exited: asyncio.Future[int]


class Sandbox:
    """A live container: one agent process and whatever it started."""

    def __init__(self, level: Level, root: Path, sock: socket.socket, agent: asyncio.subprocess.Process) -> None:
        self.level = level
        self.root = root
        self._sock = sock
        self._agent = agent
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._asked: dict[int, asyncio.Future[Process]] = {}
        self._running: dict[int, asyncio.Future[int]] = {}
        self._count = 0
        self.closed = False
        self._loop.add_reader(sock, self._receive)

    @classmethod
    async def launch(cls, level: Level, spec: SandboxSpec) -> Sandbox:
        """Start the agent and wait until the sandbox stands."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(0)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _MESSAGE)
        spec.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        with theirs, contextlib.ExitStack() as given_up:
            given_up.callback(ours.close)
            agent = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                "-c",
                _BOOT,
                _PACKAGE_PARENT,
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            given_up.pop_all()
        self = cls(level, spec.scratch, ours, agent)
        try:
            await self._send(_encode(level, spec))
            await asyncio.wait_for(self._ready, 20)
        except (OSError, TimeoutError, SandboxError) as problem:
            await self.close()
            raise SandboxError(str(problem) or type(problem).__name__) from problem
        except asyncio.CancelledError:
            await self.close()
            raise
        return self

    async def spawn(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        *,
        cwd: str,
        user: str = "0",
        tty: tuple[int, int] | None = None,
    ) -> Process:
        """Start a process; with ``tty`` (rows, columns) under a terminal of its own."""
        if self.closed:
            raise SpawnError("container is not running: unknown")
        self._count += 1
        number = self._count
        answer: asyncio.Future[Process] = self._loop.create_future()
        self._asked[number] = answer
        self._running[number] = self._loop.create_future()
        request = {
            "op": "spawn",
            "id": number,
            "argv": list(argv),
            "env": dict(env),
            "cwd": cwd,
            "user": user,
            "tty": tty,
        }
        try:
            await self._send(request)
        except OSError as problem:
            raise SpawnError(f"container is not running: {problem}") from problem
        return await answer

    async def signal(self, pid: int, number: int) -> None:
        """Send a signal to a process of the container, by its pid inside."""
        with contextlib.suppress(OSError):
            await self._send({"op": "signal", "pid": pid, "signal": number})

    async def close(self) -> None:
        """Kill everything in the container and remove its files."""
        self._lost()
        try:
            await asyncio.wait_for(self._agent.wait(), 10)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._agent.kill()
            await self._agent.wait()
        await asyncio.to_thread(shutil.rmtree, self.root, ignore_errors=True)

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._loop.sock_sendall(self._sock, json.dumps(message).encode())

    def _receive(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._sock, _MESSAGE, 1)
        except BlockingIOError:
            return
        except OSError:
            data, fds = b"", []
        if not data:
            self._lost()
            return
        message = json.loads(data)
        event = message.get("event")
        if event == "ready":
            self._ready.set_result(None)
        elif event == "failed":
            self._ready.set_exception(SandboxError(message["error"]))
        elif event == "exit":
            _settle(self._running.pop(message["id"]), message["status"])
        else:
            self._started(message, fds)

    def _started(self, message: Mapping[str, Any], fds: list[int]) -> None:
        number = message["id"]
        answer = self._asked.pop(number)
        if "error" in message:
            del self._running[number]
            if not answer.done():
                answer.set_exception(SpawnError(message["error"]))
            return
        # Descriptors that came over a socket are inheritable unless told otherwise.
        os.set_inheritable(fds[0], False)  # noqa: FBT003 - it takes no keyword
        os.set_blocking(fds[0], False)
        if answer.done():  # the asker has gone: hang up, or the process would run on unseen
            os.close(fds[0])
        else:
            answer.set_result(Process(message["pid"], fds[0], self._running[number]))

    def _lost(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock)
        self._sock.close()
        if not self._ready.done():
            self._ready.set_exception(SandboxError("the container's agent ended"))
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(SpawnError("container is not running: unknown"))
        for exited in self._running.values():
            _settle(exited, 137)
        self._asked.clear()
        self._running.clear()


def _settle(future: asyncio.Future[int], value: int) -> None:
    if not future.done():
        future.set_result(value)


def _encode(level: Level, spec: SandboxSpec) -> dict[str, Any]:
    from_host = spec.rootfs == "/"
    fresh = dict(HIDDEN) if from_host else {}
    fresh |= dict.fromkeys(spec.hide if from_host else (), 0o700)
    fresh |= {path: 0o1777 for path in (*spec.writable, *spec.noexec) if path not in fresh and path not in OWN}
    locked = [path for path in (*sorted(fresh), *OWN) if spec.read_only and path not in spec.writable]
    files = {"/etc/hostname": spec.hostname + "\n", "/etc/hosts": f"127.0.0.1 localhost {spec.hostname}\n"}
    with contextlib.suppress(OSError):
        files["/etc/resolv.conf"] = Path("/etc/resolv.conf").read_text(encoding="utf-8")
    workdir = spec.workdir if level == "namespaces" else str(spec.scratch / "work")
    return {
        "level": level,
        "scratch": str(spec.scratch),
        "rootfs": spec.rootfs,
        "disk": spec.disk,
        "fresh": sorted(fresh.items()),
        "noexec": list(spec.noexec),
        "locked": locked,
        "binds": list(spec.binds),
        "hostname": spec.hostname,
        "files": files,
        "workdir": workdir,
        "read_only": spec.read_only,
    }


async def probe(wanted: Literal["auto", "namespaces", "process"], state: Path) -> Level:
    """The strongest isolation that works here (or exactly the wanted one, or an error)."""
    if wanted == "process":
        return "process"
    with tempfile.TemporaryDirectory(dir=state) as folder:
        try:
            sandbox = await Sandbox.launch("namespaces", SandboxSpec(Path(folder) / "probe", "probe"))
            try:
                process = await sandbox.spawn(["/bin/true"], {}, cwd="/", tty=(24, 80))
                os.close(process.fd)
                await asyncio.wait_for(process.exited, 10)
            finally:
                await sandbox.close()
        except (SandboxError, SpawnError, TimeoutError) as problem:
            if wanted == "namespaces":
                raise SandboxError(f"namespaces do not work here: {problem}") from problem
            return "process"
    return "namespaces"
