"""What a PUT on an existing group may not change."""

from __future__ import annotations

from typing import Any

from emulator.arm.errors import ArmError, arm_error
from emulator.model import Group, location_of

_KEYS: dict[str, Any] = {
    "osType": None,
    "restartPolicy": "Always",
    "subnetIds": [],
    "priority": "Regular",
    "sku": "Standard",
}


def check_update(group: Group, body: dict[str, Any], code: str) -> None:
    """Refuse changes the service cannot make in place. An omitted property is a change too."""
    old, new = group.properties, body["properties"]
    changed = [k for k, default in _KEYS.items() if (old.get(k) or default) != (new.get(k) or default)]
    if location_of(body) != group.location:
        changed.append("location")
    if _resources(old) != _resources(new):
        changed.append("resources")
    if _address(old) != _address(new):
        changed.append("ipAddress")
    if (old.get("diagnostics") or {}) != (new.get("diagnostics") or {}):
        changed.append("diagnostics")
    if changed:
        known = arm_error("InvalidContainerGroupUpdate", name=group.name, what=", ".join(changed))
        raise ArmError(known.status, code, known.message)


def _resources(properties: dict[str, Any]) -> dict[str, Any]:
    return {c["name"]: c["properties"]["resources"]["requests"] for c in properties["containers"]}


def _address(properties: dict[str, Any]) -> Any:
    address = properties.get("ipAddress")
    if not address:
        return None
    ports = sorted((p["port"], p.get("protocol") or "TCP") for p in address["ports"])
    return (address["type"], address.get("dnsNameLabel"), ports)
