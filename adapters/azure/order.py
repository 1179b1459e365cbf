"""What to create: the order, and the body of the request that places it (API version 2023-05-01)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.azure import labels as labels_document
from adapters.azure.rules import check_order
from statemachine.events import GroupFacts, GroupRef
from statemachine.secret import Secret

REQUEST_TAG: Final = "devpod-aci-request"
"""Names the PUT that made the group: after a lost connection it tells whether Azure had accepted ours."""


@dataclass(frozen=True, kw_only=True)
class EmptyDir:
    """A volume that lives as long as the group runs, and is lost when it stops."""

    name: str
    mount_path: str


@dataclass(frozen=True, kw_only=True)
class RegistryLogin:
    """How the image is pulled: with a user name and password, or with a user-assigned identity."""

    server: str
    username: str = ""
    password: Secret | None = None
    identity: str = ""
    """Resource id of a user-assigned identity; Container Instances pulls with no other kind."""


@dataclass(frozen=True, kw_only=True)
class GroupOrder:
    """One container group with one container, as it is to be created."""

    ref: GroupRef
    facts: GroupFacts
    command: tuple[str, ...] = ()
    """Replaces the image's ENTRYPOINT and CMD both; empty keeps them."""
    secure_environment: Mapping[str, Secret] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[EmptyDir, ...] = ()
    registry: RegistryLogin | None = None
    identity_id: str = ""
    """Resource id of a user-assigned identity the container may act as."""
    labels: bytes = b""

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret in the order, to be masked in whatever Azure answers."""
        password = self.registry.password if self.registry else None
        return (*self.secure_environment.values(), *([password] if password else []))


def body(order: GroupOrder, *, request: str) -> dict[str, Any]:
    """The request's JSON; ``request`` marks the group as made by this very PUT.

    Raises NameRefusedError and OptionError for what Azure is known to refuse.
    """
    check_order(order)
    properties: dict[str, Any] = {
        "osType": order.facts.os_type or "Linux",
        "restartPolicy": order.facts.restart_policy or "Always",
        "containers": [{"name": order.ref.container, "properties": _container(order)}],
    }
    if order.volumes:
        properties["volumes"] = [{"name": volume.name, "emptyDir": {}} for volume in order.volumes]
    if order.facts.ports or order.facts.dns_label:
        properties["ipAddress"] = _address(order.facts)
    if order.registry:
        properties["imageRegistryCredentials"] = [_registry(order.registry)]
    group: dict[str, Any] = {
        "location": order.facts.location,
        "tags": {**order.tags, REQUEST_TAG: request},
        "properties": properties,
    }
    if identities := _identities(order):
        group["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {name: {} for name in identities}}
    return group


def _container(order: GroupOrder) -> dict[str, Any]:
    container: dict[str, Any] = {
        "image": order.facts.image,
        "resources": {"requests": {"cpu": order.facts.cpu, "memoryInGB": order.facts.memory_gb}},
        "environmentVariables": list(_environment(order)),
    }
    if order.command:
        container["command"] = list(order.command)
    if order.facts.ports:
        container["ports"] = _ports(order.facts)
    if order.volumes:
        container["volumeMounts"] = [{"name": volume.name, "mountPath": volume.mount_path} for volume in order.volumes]
    return container


def _environment(order: GroupOrder) -> Iterator[dict[str, str]]:
    known = [(name, secret.reveal()) for name, secret in order.secure_environment.items()]
    for name, value in known:
        yield {"name": name, "secureValue": value}
    if packed := labels_document.pack(order.labels, known):
        yield {"name": labels_document.VARIABLE, "value": packed}


def _address(facts: GroupFacts) -> dict[str, Any]:
    label = {"dnsNameLabel": facts.dns_label} if facts.dns_label else {}
    return {"type": "Public", "ports": _ports(facts), **label}


def _ports(facts: GroupFacts) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in facts.ports]


def _registry(login: RegistryLogin) -> dict[str, str]:
    if login.identity:
        return {"server": login.server, "identity": login.identity}
    return {
        "server": login.server,
        "username": login.username,
        "password": login.password.reveal() if login.password else "",
    }


def _identities(order: GroupOrder) -> list[str]:
    """The identities the group must have: one that pulls the image has to be assigned to the group too."""
    names = [order.identity_id, order.registry.identity if order.registry else ""]
    return list(dict.fromkeys(name for name in names if name))
