"""Checks on ports, addresses, DNS labels and subnets."""

from __future__ import annotations

import re
from typing import Any

from emulator.arm.errors import arm_error
from emulator.settings import Settings

LABEL = re.compile(r"[a-z][a-z0-9-]{3,61}[a-z0-9]")
RESERVED = (
    (22, 22),
    (1025, 1027),
    (3389, 3399),
    (9999, 9999),
    (19000, 19000),
    (19080, 19080),
    (19100, 19100),
    (19390, 19390),
    (20000, 30000),
    (49152, 65534),
)


def check_address(settings: Settings, name: str, body: dict[str, Any]) -> None:
    """``ipAddress``, and the ports containers expose."""
    exposed: set[tuple[int, str]] = set()
    for item in body["properties"]["containers"]:
        for port in item["properties"].get("ports") or []:
            exposed.add(_port(name, port))
    wanted = body["properties"].get("ipAddress")
    if not wanted:
        return
    if wanted.get("type") not in ("Public", "Private"):
        raise arm_error("InvalidIPAddressType", value=wanted.get("type") or "", name=name)
    ports = wanted.get("ports")
    if not ports:
        raise arm_error("InvalidPort", port="", name=name, rule="At least one port is needed.")
    if len(ports) > settings.limits.ports:
        raise arm_error("TooManyPorts", name=name, limit=settings.limits.ports)
    seen: set[tuple[int, str]] = set()
    for item in ports:
        port = _port(name, item)
        if port in seen:
            raise arm_error("DuplicatePort", port=port[0], name=name)
        if port not in exposed:
            raise arm_error("PortNotExposedByContainer", port=port[0], name=name)
        seen.add(port)
    _check_label(name, wanted)


def _check_label(name: str, wanted: dict[str, Any]) -> None:
    label = wanted.get("dnsNameLabel")
    if label is not None and not LABEL.fullmatch(str(label)):
        raise arm_error("InvalidDnsNameLabel", label=label, name=name)
    if label is not None and wanted["type"] == "Private":
        raise arm_error("InvalidDnsNameLabel", label=label, name=name)


def _port(name: str, item: Any) -> tuple[int, str]:
    value = item.get("port") if isinstance(item, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise arm_error("InvalidPort", port=value, name=name, rule="It must be from 1 to 65535.")
    if any(low <= value <= high for low, high in RESERVED):
        raise arm_error("ReservedPort", port=value, name=name)
    protocol = item.get("protocol") or "TCP"
    if protocol not in ("TCP", "UDP"):
        raise arm_error("InvalidPort", port=value, name=name, rule="The protocol is TCP or UDP.")
    return value, protocol


def check_subnets(settings: Settings, name: str, body: dict[str, Any]) -> None:
    """A subnet is in the same subscription and excludes a public address."""
    properties = body["properties"]
    subnets = properties.get("subnetIds") or []
    address = properties.get("ipAddress") or {}
    if address.get("type") == "Private" and not subnets:
        raise arm_error("InvalidSubnet", text=f"A private IP address needs a subnet in '{name}'.")
    if subnets and address.get("type") == "Public":
        raise arm_error(
            "InvalidSubnet", text=f"A container group in a virtual network cannot have a public IP address ('{name}')."
        )
    for item in subnets:
        path = str(item.get("id") or "").lower()
        prefix = f"/subscriptions/{settings.subscription_id.lower()}/resourcegroups/"
        if not path.startswith(prefix) or "/virtualnetworks/" not in path or "/subnets/" not in path:
            raise arm_error("InvalidSubnet", text=f"The subnet '{item.get('id')}' is invalid.")
