"""One container: its process, its restarts, its log, and how ARM shows all that."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from emulator.clock import now, stamp
from emulator.containers.logs import LogBuffer
from emulator.containers.rootfs import RootfsError, root_folder
from emulator.containers.runtime import (
    Level,
    Process,
    Sandbox,
    SandboxError,
    SandboxSpec,
    SpawnError,
)
from emulator.model import Event, add_event
from emulator.settings import Image, Timings


@dataclass(frozen=True)
class Place:
    """Where and how a container runs; the same for all containers of the emulator."""

    level: Level
    hide: tuple[str, ...]
    disk: str
    timings: Timings
    images: Path


@dataclass(frozen=True)
class State:
    """``currentState`` or ``previousState``."""

    state: str
    detail: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    exit_code: int | None = None

    def render(self) -> dict[str, Any]:
        """As Azure shows it: fields that have no value are left out."""
        shown: dict[str, Any] = {"state": self.state}
        if self.started:
            shown["startTime"] = stamp(self.started)
        if self.exit_code is not None:
            shown["exitCode"] = self.exit_code
        if self.finished:
            shown["finishTime"] = stamp(self.finished)
        shown["detailStatus"] = self.detail
        return shown


class Container:
    """A container of a group. ``start`` and ``stop`` are its whole life; a task watches it."""

    def __init__(
        self,
        name: str,
        spec: dict[str, Any],
        image: Image,
        place: Place,
        *,
        policy: str,
        hostname: str,
        folder: Path,
    ) -> None:
        self.name = name.lower()
        self.spec = spec
        self.image = image
        self.policy = policy
        self.log = LogBuffer()
        self.events: list[Event] = []
        self.restart_count = 0
        self.current = State("Waiting")
        self.previous: State | None = None
        self.launched = False
        self.sandbox: Sandbox | None = None
        self.main: Process | None = None
        self.finished = asyncio.Event()
        self.hidden_view = False
        self._place = place
        self._hostname = hostname
        self.volumes: dict[str, Path] = {}
        self._folder = folder
        self._watcher: asyncio.Task[None] | None = None
        self._restarting = False
        self._runs = 0

    # What the rest of the emulator asks

    @property
    def alive(self) -> bool:
        """Whether its main process runs."""
        return self.main is not None

    @property
    def alive_or_restarting(self) -> bool:
        """Whether it runs or will again without anybody's doing."""
        return self.alive or self._restarting

    @property
    def exit_code(self) -> int | None:
        """The exit status of the last run."""
        return self.current.exit_code

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every process in the container."""
        env = dict(self.image.env)
        for item in self.spec.get("environmentVariables") or []:
            secure = item.get("secureValue")
            env[item["name"]] = secure if secure is not None else (item.get("value") or "")
        env.setdefault("HOSTNAME", self._hostname)
        if self._place.level == "process":
            scratch = self._scratch()
            env |= {"HOME": str(scratch / "work"), "TMPDIR": str(scratch / "work" / "tmp")}
        return env

    @property
    def workdir(self) -> str:
        """The working directory of every process in the container."""
        if self._place.level == "process":
            return str(self._scratch() / "work")
        return self.image.workdir

    @property
    def user(self) -> str:
        """The user of every process in the container."""
        context = self.spec.get("securityContext") or {}
        if context.get("runAsUser") is not None:
            return f"{context['runAsUser']}:{context.get('runAsGroup') or 0}"
        return self.image.user

    async def exec(self, argv: list[str], size: tuple[int, int]) -> Process:
        """A process under a terminal of its own; raises ``SpawnError``."""
        if self.sandbox is None:
            raise SpawnError("container is not running: unknown")
        env = {"TERM": "xterm", **self.environment}
        return await self.sandbox.spawn(argv, env, cwd=self.workdir, user=self.user, tty=size)

    def view(self) -> dict[str, Any]:
        """``instanceView`` of the container."""
        shown: dict[str, Any] = {
            "restartCount": self.restart_count,
            "currentState": self.current.render(),
        }
        if self.previous:
            shown["previousState"] = self.previous.render()
        shown["events"] = [event.render() for event in self.events]
        return shown

    # Its life

    async def start(self) -> None:
        """Run it, and keep it running as its policy says, until ``stop``."""
        self._pulled()
        self.finished.clear()
        await self._launch()
        self._watcher = asyncio.create_task(self._watch(), name=f"watch {self.name}")

    async def stop(self, detail: str, message: str = "") -> None:
        """Kill it and everything in it; its files are gone afterwards."""
        self._restarting = False
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
            self._watcher = None
        if self.main is not None:
            if self._place.timings.stop_grace and self.sandbox is not None:
                await self.sandbox.signal(self.main.pid, 15)
                with contextlib.suppress(TimeoutError):
                    exited = asyncio.shield(self.main.exited)
                    await asyncio.wait_for(exited, self._place.timings.stop_grace)
            killing = message or f"Killing container with id {os.urandom(16).hex()}."
            add_event(self.events, "Killing", killing)
            self.previous = State("Running", started=self.current.started)
            self.current = State("Terminated", detail, self.current.started, now())
        elif self.current.state == "Waiting":
            self.current = State("Terminated", detail, finished=now())
        await self._close()
        self.finished.set()

    async def restart(self) -> None:
        """Kill and start in place, as a manual restart does: ``restartCount`` does not move."""
        before = self.current
        await self.stop("", f"Killing container {self.name} (platform initiated).")
        await self.start()
        self.previous = State("Terminated", "", before.started, now())

    async def kill_main(self, number: int) -> None:
        """Send a signal to the main process, as an out-of-memory killer would."""
        if self.main is not None and self.sandbox is not None:
            await self.sandbox.signal(self.main.pid, number)

    # Inside

    def _scratch(self) -> Path:
        return self._folder / f"run{self._runs}"

    def _pulled(self) -> None:
        name = self.spec["image"]
        add_event(self.events, "Pulling", f'pulling image "{name}"')
        add_event(self.events, "Pulled", f'Successfully pulled image "{name}"')

    async def _spec(self) -> SandboxSpec:
        image = self.image
        return SandboxSpec(
            scratch=self._scratch(),
            hostname=self._hostname,
            rootfs=await asyncio.to_thread(root_folder, image.rootfs, self._place.images),
            workdir=image.workdir,
            binds=self._binds(),
            hide=self._place.hide,
            writable=tuple(image.writable),
            noexec=tuple(image.noexec),
            read_only=image.read_only,
            disk=self._place.disk,
        )

    async def _launch(self) -> None:
        self._runs += 1
        self.log = LogBuffer()
        self.current = State("Running", started=now())
        self.launched = True
        try:
            if self._place.level == "process" and self.image.rootfs != "/":
                raise SandboxError("an image of its own needs namespaces, which do not work here")
            self.sandbox = await Sandbox.launch(self._place.level, await self._spec())
            if self._place.level == "process":
                self._prepare_plain()
            self.main = await self.sandbox.spawn(self._argv(), self.environment, cwd=self.workdir, user=self.user)
        except (RootfsError, SandboxError, SpawnError) as problem:
            text = (
                "failed to create containerd task: failed to create shim task: OCI runtime "
                f"create failed: unable to start container process: {problem}"
            )
            add_event(self.events, "Failed", text, "Warning")
            self.log.write((text + "\n").encode())
            await self._close()
            self.current = State("Terminated", "Error", self.current.started, now(), 128)
            return
        add_event(self.events, "Started", "Started container")
        asyncio.get_running_loop().add_reader(self.main.fd, self._read_log, self.main.fd)

    def _argv(self) -> list[str]:
        command = self.spec.get("command")
        return list(command) if command else [*self.image.entrypoint, *self.image.cmd]

    def _binds(self) -> tuple[tuple[str, str, bool], ...]:
        return tuple(
            (str(self.volumes[mount["name"]]), mount["mountPath"], bool(mount.get("readOnly")))
            for mount in self.spec.get("volumeMounts") or []
        )

    def _prepare_plain(self) -> None:
        work = self._scratch() / "work"
        (work / "tmp").mkdir(parents=True, exist_ok=True)
        for source, target, _ in self._binds():
            place = work / target.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                place.symlink_to(source)

    def _read_log(self, fd: int) -> None:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.log.write(data)
        else:
            asyncio.get_running_loop().remove_reader(fd)

    async def _watch(self) -> None:
        delay = self._place.timings.backoff_first
        while True:
            if self.main is not None:
                code = await asyncio.shield(self.main.exited)
                self._drain_log(self.main.fd)
                self.current = State(
                    "Terminated", "Completed" if code == 0 else "Error", self.current.started, now(), code
                )
                await self._close()
            again = self.policy == "Always" or (self.policy == "OnFailure" and self.exit_code != 0)
            self._restarting = again
            if not again:
                self.finished.set()
                return
            self.previous = self.current
            self.current = State(
                "Waiting",
                f"CrashLoopBackOff: Back-off {int(delay)}s restarting failed container={self.name}",
            )
            add_event(self.events, "BackOff", "Back-off restarting failed container", "Warning")
            await asyncio.sleep(delay)
            delay = min(delay * 2, self._place.timings.backoff_most)
            self.restart_count += 1
            await self._launch()

    def _drain_log(self, fd: int) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(fd, 65536):
                self.log.write(data)

    async def _close(self) -> None:
        main, self.main = self.main, None
        if main is not None:
            asyncio.get_running_loop().remove_reader(main.fd)
            os.close(main.fd)
        sandbox, self.sandbox = self.sandbox, None
        if sandbox is not None:
            await sandbox.close()
