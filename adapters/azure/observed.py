"""What ``GET`` shows of a container group, read from its JSON without trusting its shape.

The service adds words and leaves fields out between versions and back ends (a stopped group may lack
the container's instanceView altogether), so every field has a value for "not there".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from adapters.azure import labels as labels_document
from adapters.azure.presence import presence
from statemachine.errors import bounded
from statemachine.events import GroupFacts, GroupRef
from statemachine.ports import Presence, Sighting


@dataclass(frozen=True)
class ContainerEvent:
    """One entry of an instanceView's events; equal events are the same occurrence."""

    name: str
    message: str
    type: str
    count: int
    first: str
    last: str

    @property
    def warning(self) -> bool:
        """Whether something went wrong."""
        return self.type == "Warning" or self.name in ("Failed", "BackOff", "FailedMount")


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A container group at one moment."""

    provisioning: str
    group: str
    """instanceView.state of the group."""
    container: str
    """currentState.state of our container."""
    exit_code: int | None = None
    detail_status: str = ""
    started: str = ""
    finished: str = ""
    restarts: int = 0
    previous_exit_code: int | None = None
    events: tuple[ContainerEvent, ...] = ()
    """Oldest first; the service promises no order."""
    ip: str = ""
    fqdn: str = ""
    created: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    facts: GroupFacts | None = None
    labels: bytes = b""

    @property
    def presence(self) -> Presence:
        """The group's state as a decision needs it."""
        return presence(self.provisioning, self.group, self.container)

    @property
    def detail(self) -> str:
        """Azure's own words in one line."""
        parts = [
            f"provisioning {self.provisioning or 'unknown'}",
            f"group {self.group or 'unknown'}",
            f"container {self.container or 'unknown'}",
        ]
        if self.exit_code is not None:
            parts.append(f"exit code {self.exit_code}")
        if self.detail_status:
            parts.append(self.detail_status)
        if self.presence is not Presence.RUNNING:
            parts.extend(f"{event.name}: {event.message}" for event in self.warnings()[-1:])
        return bounded(", ".join(parts), 600)

    def warnings(self) -> tuple[ContainerEvent, ...]:
        """What went wrong, oldest first."""
        return tuple(event for event in self.events if event.warning)

    def tag(self, name: str) -> str:
        """A tag's value, empty where there is none; the letter case of a tag's name means nothing in ARM."""
        return next((value for known, value in self.tags if known.lower() == name.lower()), "")

    @property
    def says_nothing(self) -> bool:
        """Whether nothing in it tells if the container runs: some answers come without any instanceView."""
        return not self.group and not self.container

    def run(self) -> tuple[object, ...]:
        """Tells one run of the container from the next; equal for two looks at the same ended run."""
        return (self.group, self.container, self.started, self.finished, self.exit_code, self.restarts)

    def sighting(self, ref: GroupRef, request_id: str) -> Sighting:
        """The same as the lifecycle wants it."""
        return Sighting(
            presence=self.presence,
            detail=self.detail,
            exit_code=self.exit_code,
            group=ref,
            facts=self.facts,
            request_id=request_id,
            ip=self.ip,
            fqdn=self.fqdn,
            created=self.created,
            started=self.started,
            tags=dict(self.tags),
            labels=self.labels,
            silent=self.says_nothing,
        )


def observe(group: object, container: str) -> Observed:
    """Read a container group's JSON; ``container`` names the one that is ours."""
    properties = _dict(_dict(group).get("properties"))
    ours = _container(properties, container)
    view = _dict(ours.get("instanceView"))
    group_view = _dict(properties.get("instanceView"))
    current = _dict(view.get("currentState"))
    address = _dict(properties.get("ipAddress"))
    events = read_events([*_list(group_view.get("events")), *_list(view.get("events"))])
    variables = map(_dict, _list(ours.get("environmentVariables")))
    environment = {_text(item.get("name")): _text(item.get("value")) for item in variables}
    labels = labels_document.unpack(environment.pop(labels_document.VARIABLE, ""))
    return Observed(
        provisioning=_text(properties.get("provisioningState")),
        group=_text(group_view.get("state")),
        container=_text(current.get("state")),
        exit_code=_whole(current.get("exitCode")),
        detail_status=_text(current.get("detailStatus")),
        started=_text(current.get("startTime")),
        finished=_text(current.get("finishTime")),
        restarts=_whole(view.get("restartCount")) or 0,
        previous_exit_code=_whole(_dict(view.get("previousState")).get("exitCode")),
        events=events,
        ip=_text(address.get("ip")),
        fqdn=_text(address.get("fqdn")),
        created=_created(group, events),
        tags=tuple((_text(name), _text(value)) for name, value in _dict(_dict(group).get("tags")).items()),
        facts=_facts(group, properties, ours, tuple(environment), labels),
        labels=labels,
    )


def read_events(items: object) -> tuple[ContainerEvent, ...]:
    """Events as Azure lists them, sorted by when they last happened; none in what is no list."""
    events = [
        ContainerEvent(
            name=_text(item.get("name")),
            message=_text(item.get("message")),
            type=_text(item.get("type")),
            count=_whole(item.get("count")) or 1,
            first=_text(item.get("firstTimestamp")),
            last=_text(item.get("lastTimestamp")),
        )
        for item in map(_dict, _list(items))
    ]
    return tuple(sorted(events, key=lambda event: event.last))


def _container(properties: dict[str, Any], name: str) -> dict[str, Any]:
    containers = [_dict(item) for item in _list(properties.get("containers"))]
    for item in containers:
        # Names come back in whatever letter case the service likes.
        if _text(item.get("name")).lower() == name.lower():
            return _dict(item.get("properties"))
    return {}


def _facts(
    group: object, properties: dict[str, Any], ours: dict[str, Any], names: tuple[str, ...], labels: bytes
) -> GroupFacts:
    requests = _dict(_dict(ours.get("resources")).get("requests"))
    address = _dict(properties.get("ipAddress"))
    ports = _list(address.get("ports")) or _list(ours.get("ports"))
    return GroupFacts(
        image=_text(ours.get("image")),
        location=_text(_dict(group).get("location")),
        cpu=_number(requests.get("cpu")),
        memory_gb=_number(requests.get("memoryInGB")),
        restart_policy=_text(properties.get("restartPolicy")),
        os_type=_text(properties.get("osType")) or "Linux",
        dns_label=_text(address.get("dnsNameLabel")),
        ports=tuple(port for item in ports if (port := _whole(_dict(item).get("port"))) is not None),
        environment=names,
        labels=hashlib.sha256(labels).hexdigest() if labels else "",
    )


def _created(group: object, events: tuple[ContainerEvent, ...]) -> str:
    """When systemData says, where the service gives it, else the first thing that ever happened to the group."""
    stamp = _text(_dict(_dict(group).get("systemData")).get("createdAt"))
    return stamp or min((event.first for event in events if event.first), default="")


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    # JSON can escape half a character, which no encoder takes.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
