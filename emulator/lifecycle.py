"""What happens to a container group over time: provisioning, start, stop, restart, delete.

Every change of a group goes through here, one at a time for each group (``Group.busy``); the
request handlers only ask. Outside events (a container that exits, an eviction) come in through
the same doors.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import secrets
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

from emulator.containers.container import Container, Place
from emulator.containers.runtime import SandboxError
from emulator.containers.volumes import MountError, prepare_volumes
from emulator.faults import Fault, Faults
from emulator.images import Catalogue
from emulator.model import Group, Operation, Store, add_event, label_scope
from emulator.settings import Settings

STOPPED = "Container stopped per client request"


class Lifecycle:
    """Moves groups between their states."""

    def __init__(
        self, settings: Settings, *, store: Store, place: Place, images: Catalogue, faults: Faults, state: Path
    ) -> None:
        self._settings = settings
        self._store = store
        self._place = place
        self._images = images
        self._faults = faults
        self._state = state
        self._octets = 1

    # Asked by the request handlers

    def begin(self, group: Group, *, fresh: bool) -> Operation:
        """Provision a group in the background: after a PUT, or a start from Stopped."""
        rule = self._faults.take("ContainerGroups_Provision", group.id, "provision", "async")
        operation = self._operation(group)
        group.busy = "provision"
        group.stopped = False
        group.provisioning = "Pending"
        group.events = []
        group.task = self._run(group, self._provision(group, operation, rule, fresh=fresh))
        return operation

    def begin_restart(self, group: Group) -> Operation:
        """Kill and start all containers in place, in the background."""
        operation = self._operation(group)
        group.busy = "restart"
        group.provisioning = "Updating"
        group.task = self._run(group, self._restart(group, operation))
        return operation

    async def stop(self, group: Group) -> None:
        """Stop all containers; their files and the address are gone."""
        async with self._exclusive(group, "stop"):
            await asyncio.sleep(self._settings.timings.stop)
            if group.state in ("Succeeded", "Failed") and group.provisioning == "Succeeded":
                return
            await self.halt(group)

    async def halt(self, group: Group) -> None:
        """The effect of a stop, without its time."""
        for container in group.containers + group.init_containers:
            await container.stop(STOPPED)
            container.hidden_view = self._settings.control.stop_readback != "terminated"
        group.hidden_view = self._settings.control.stop_readback == "bare"
        group.stopped = True
        group.ip = ""
        group.provisioning = "Succeeded"
        await self._wipe(group)

    async def delete(self, group: Group) -> None:
        """Remove a group and everything of it; a provisioning under way is abandoned."""
        await self.abandon(group)
        async with self._exclusive(group, "delete"):
            await asyncio.sleep(self._settings.timings.delete)
            await self.vanish(group)

    def begin_delete(self, group: Group) -> Operation:
        """The asynchronous variant of a delete."""
        operation = self._operation(group)
        group.busy = "delete"

        async def work() -> None:
            await asyncio.sleep(self._settings.timings.delete)
            await self.vanish(group)
            operation.status = "Succeeded"

        group.task = self._run(group, work())
        return operation

    async def vanish(self, group: Group) -> None:
        """The effect of a delete, without its time."""
        for container in group.containers + group.init_containers:
            await container.stop("")
        self._store.drop_group(group)
        await self._wipe(group)

    async def evict(self, group: Group) -> None:
        """A Spot eviction: everything is killed; the platform starts it again by itself."""
        for container in group.containers:
            await container.stop("Evicted", "Killing container due to Spot eviction.")
        await self._wipe(group)
        self.begin(group, fresh=True)

    async def close(self) -> None:
        """End everything, for the emulator's own end."""
        for group in list(self._store.groups.values()):
            await self.abandon(group)
        await asyncio.gather(
            *(c.stop("") for g in self._store.groups.values() for c in g.containers + g.init_containers),
            return_exceptions=True,
        )

    async def abandon(self, group: Group) -> None:
        """Cancel what is under way with a group."""
        if group.task is not None and not group.task.done():
            group.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await group.task

    def settle(self, group: Group) -> None:
        """End of an operation: the group stays closed to others for the transition window."""
        group.busy = ""
        group.quiet_until = time.monotonic() + self._settings.timings.window
        if self._faults.take("ContainerGroups_Transition", group.id, "transition"):
            group.stuck = True

    # How it is done

    def _run(self, group: Group, work: Awaitable[None]) -> asyncio.Task[None]:
        async def body() -> None:
            try:
                await work
            finally:
                self.settle(group)

        return asyncio.create_task(body(), name=f"{group.busy} {group.name}")

    @contextlib.asynccontextmanager
    async def _exclusive(self, group: Group, what: str) -> AsyncIterator[None]:
        group.busy = what
        try:
            yield
        finally:
            self.settle(group)

    def _operation(self, group: Group) -> Operation:
        # As long as Azure's since 2024: a certificate and a signature travel in the query.
        padding = secrets.token_bytes(self._settings.control.operation_padding)
        c = base64.urlsafe_b64encode(padding).decode().rstrip("=")
        s = base64.urlsafe_b64encode(secrets.token_bytes(256)).decode().rstrip("=")
        h = base64.urlsafe_b64encode(hashlib.sha256(padding).digest()).decode().rstrip("=")
        operation = Operation(
            id=str(uuid.uuid4()),
            resource_id=group.id,
            location=group.location,
            signature=f"t={time.time_ns() // 100}&c={c}&s={s}&h={h}" if padding else "",
            events=group.events,
        )
        self._store.operations[operation.id] = operation
        return operation

    async def _provision(self, group: Group, operation: Operation, rule: Fault | None, *, fresh: bool) -> None:
        timings = self._settings.timings
        for container in group.containers + group.init_containers:
            await container.stop("")
        await self._wipe(group)
        await asyncio.sleep(timings.pending + (rule.delay if rule else 0))
        group.provisioning = operation.status = "Creating" if fresh else "Updating"
        try:
            async with asyncio.timeout(timings.provisioning_timeout):
                if rule is not None and rule.drop == "hang":
                    await asyncio.Event().wait()
                if rule is not None:
                    await asyncio.sleep(timings.provision)
                    raise MountError(
                        rule.code or "InsufficientCapacity.", rule.message or _CAPACITY.format(location=group.location)
                    )
                await self._bring_up(group, operation)
        except (MountError, TimeoutError, SandboxError) as problem:
            name = problem.event if isinstance(problem, MountError) else "ProvisioningTimeout"
            add_event(group.events, name, str(problem) or "Provisioning timed out.", "Warning")
            operation.events = group.events
            group.provisioning = operation.status = "Failed"
            return
        group.provisioning = operation.status = "Succeeded"

    async def _bring_up(self, group: Group, operation: Operation) -> None:
        timings = self._settings.timings
        self._containers(group)
        slowest = max((c.image.pull_seconds for c in group.containers), default=0.0)
        await asyncio.sleep(timings.provision + slowest)
        volumes: dict[str, Path] | None = None
        while volumes is None:
            try:
                volumes = await prepare_volumes(
                    self._folder(group), group, self._settings.shares, self._state / "shares"
                )
            except MountError as problem:
                # The platform goes on trying until the provisioning timeout.
                add_event(group.events, problem.event, str(problem), "Warning")
                await asyncio.sleep(max(0.2, timings.provision))
        for container in group.init_containers + group.containers:
            container.volumes.update(volumes)
        operation.events = [] if not group.containers else group.containers[0].events
        for container in group.init_containers:
            await container.start()
            await container.finished.wait()
            if container.exit_code != 0:
                raise MountError("InitContainerFailed", f"Init container {container.name} failed.")
        self._address(group)
        for container in group.containers:
            await container.start()

    def _containers(self, group: Group) -> None:
        properties = group.properties
        credentials = properties.get("imageRegistryCredentials") or []
        policy = group.restart_policy
        bridge = self._settings.exec.front_end == "bridge"
        group.caas = f"caas-{uuid.uuid4().hex}"
        hostname = group.caas if bridge else f"SandboxHost-{secrets.randbelow(10**18):018d}"

        def make(item: dict[str, Any], restart: str) -> Container:
            spec = item["properties"]
            image = self._images.find(spec["image"], properties["osType"], group.name, credentials)
            folder = self._folder(group) / item["name"].lower()
            return Container(item["name"], spec, image, self._place, policy=restart, hostname=hostname, folder=folder)

        init_policy = "Never" if policy == "Never" else "OnFailure"
        group.init_containers = [make(item, init_policy) for item in properties.get("initContainers") or []]
        group.containers = [make(item, policy) for item in properties["containers"]]

    def _address(self, group: Group) -> None:
        wanted = group.properties.get("ipAddress")
        if not wanted:
            return
        before = group.ip
        while not group.ip or group.ip == before:
            self._octets += 1 + secrets.randbelow(3)
            high, low = divmod(self._octets % 65000, 250)
            group.ip = f"{self._settings.control.ip_prefix}.{high}.{low + 1}"
        label = wanted.get("dnsNameLabel")
        if label:
            scope = label_scope(wanted)
            if scope != "Unsecure":
                mark = hashlib.sha256(f"{scope}{group.id}{label}".encode()).hexdigest()[:12]
                label = f"{label}.{mark}"
            group.fqdn = f"{label}.{group.location}.azurecontainer.io"

    async def _restart(self, group: Group, operation: Operation) -> None:
        operation.status = "Updating"
        await asyncio.sleep(self._settings.timings.restart)
        rule = self._faults.take("ContainerGroups_Restart", group.id, "async")
        if rule is not None:
            add_event(group.events, rule.code or "RestartFailed", rule.message, "Warning")
            operation.events = group.events
            group.provisioning = operation.status = "Failed"
            return
        for container in group.containers:
            await container.restart()
        operation.events = group.containers[0].events
        group.provisioning = operation.status = "Succeeded"

    def _folder(self, group: Group) -> Path:
        mark = hashlib.sha256(group.id.lower().encode()).hexdigest()[:16]
        return self._state / "groups" / mark

    async def _wipe(self, group: Group) -> None:
        await asyncio.to_thread(shutil.rmtree, self._folder(group), ignore_errors=True)


_CAPACITY = (
    "The requested resource is not available in the location '{location}' at this "
    "moment. Please retry with a different resource request or in another location."
)
