"""What exists in the emulated subscription: resource groups, container groups, operations."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from emulator.clock import now, stamp

if TYPE_CHECKING:
    from emulator.containers.container import Container


@dataclass
class Event:
    """One line of an ``events`` array; repeats are counted, as Azure does."""

    name: str
    message: str
    kind: str = "Normal"
    first: datetime = field(default_factory=now)
    last: datetime = field(default_factory=now)
    count: int = 1

    def render(self) -> dict[str, Any]:
        """As Azure shows it."""
        return {
            "count": self.count,
            "firstTimestamp": stamp(self.first, fraction=False),
            "lastTimestamp": stamp(self.last, fraction=False),
            "name": self.name,
            "message": self.message,
            "type": self.kind,
        }


def containers_of(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """Every container that a group's properties ask for, init containers last."""
    return [*properties["containers"], *(properties.get("initContainers") or [])]


def add_event(events: list[Event], name: str, message: str, kind: str = "Normal") -> None:
    """Append an event, or count a repeat of the same one."""
    for event in events:
        if (event.name, event.message) == (name, message):
            event.count += 1
            event.last = now()
            return
    events.append(Event(name, message, kind))


@dataclass
class ResourceGroup:
    """A resource group."""

    name: str
    location: str
    tags: dict[str, str]
    deleting: bool = False


@dataclass
class Operation:
    """A long-running operation as its URL shows it."""

    id: str
    resource_id: str
    location: str
    signature: str
    started: datetime = field(default_factory=now)
    status: str = "Pending"
    events: list[Event] = field(default_factory=list)


@dataclass
class Group:
    """A container group. ``body`` is what the last PUT said, secrets included."""

    subscription: str
    resource_group: str
    name: str
    location: str
    body: dict[str, Any]
    tags: dict[str, str]
    provisioning: str = "Pending"
    stopped: bool = False
    hidden_view: bool = False
    containers: list[Container] = field(default_factory=list)
    init_containers: list[Container] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    ip: str = ""
    fqdn: str = ""
    caas: str = ""
    created: float = field(default_factory=time.monotonic)
    busy: str = ""
    quiet_until: float = 0.0
    stuck: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def id(self) -> str:
        """The ARM resource id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.ContainerInstance/containerGroups/{self.name}"
        )

    @property
    def properties(self) -> dict[str, Any]:
        """The ``properties`` of the last PUT."""
        found: dict[str, Any] = self.body["properties"]
        return found

    @property
    def restart_policy(self) -> str:
        """``Always`` unless the body says otherwise."""
        return str(self.properties.get("restartPolicy") or "Always")

    @property
    def transitioning(self) -> bool:
        """Whether operations are to be refused: one is running, or has just ended."""
        return bool(self.busy) or self.stuck or time.monotonic() < self.quiet_until

    @property
    def state(self) -> str:
        """``instanceView.state``."""
        if self.stopped:
            return "Stopped"
        if self.provisioning == "Failed":
            return "Failed"
        if not self.containers or not all(c.launched for c in self.containers):
            return "Pending"
        if any(c.alive_or_restarting for c in self.containers):
            return "Running"
        if all(c.exit_code == 0 for c in self.containers):
            return "Succeeded"
        return "Failed"

    @property
    def cores(self) -> float:
        """The sum of the requested CPUs."""
        return sum(float(c["properties"]["resources"]["requests"]["cpu"]) for c in self.properties["containers"])

    @property
    def spot(self) -> bool:
        """Whether it is a Spot group."""
        return str(self.properties.get("priority", "")).lower() == "spot"

    def container(self, name: str) -> Container | None:
        """The container of that name."""
        return next((c for c in self.containers if c.name == name.lower()), None)


@dataclass
class Store:
    """Everything in memory; keys are lower case because ARM's names are case-insensitive."""

    resource_groups: dict[tuple[str, str], ResourceGroup] = field(default_factory=dict)
    groups: dict[tuple[str, str, str], Group] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)

    def resource_group(self, subscription: str, name: str) -> ResourceGroup | None:
        """A resource group, or None."""
        return self.resource_groups.get((subscription.lower(), name.lower()))

    def group(self, subscription: str, resource_group: str, name: str) -> Group | None:
        """A container group, or None."""
        return self.groups.get((subscription.lower(), resource_group.lower(), name.lower()))

    def put_group(self, group: Group) -> None:
        """Add or replace a container group."""
        key = (group.subscription.lower(), group.resource_group.lower(), group.name.lower())
        self.groups[key] = group

    def drop_group(self, group: Group) -> None:
        """Forget a container group, if it is still the one stored."""
        key = (group.subscription.lower(), group.resource_group.lower(), group.name.lower())
        if self.groups.get(key) is group:
            del self.groups[key]

    def groups_in(self, subscription: str, resource_group: str = "") -> list[Group]:
        """Container groups of a subscription or a resource group, by name."""
        found = [
            group
            for (sub, rg, _), group in self.groups.items()
            if sub == subscription.lower() and (not resource_group or rg == resource_group.lower())
        ]
        return sorted(found, key=lambda group: group.name)
