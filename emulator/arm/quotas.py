"""What the region and the subscription still have room for."""

from __future__ import annotations

from typing import Any

from emulator.arm.errors import arm_error
from emulator.core import Emulator
from emulator.model import Group, is_spot, label_scope, location_of


def check_quotas(emulator: Emulator, params: dict[str, str], body: dict[str, Any], present: Group | None) -> None:
    """Groups, cores and DNS labels; a group being replaced does not count against itself."""
    name, limits = params["name"], emulator.settings.limits
    location = location_of(body)
    others = [g for g in emulator.store.groups_in(params["sub"]) if g.location == location and g is not present]
    properties = body["properties"]
    cores = sum(c["properties"]["resources"]["requests"]["cpu"] for c in properties["containers"])
    spot = is_spot(properties)
    used = sum(g.cores for g in others if not g.stopped and g.spot == spot)
    rows = [
        ("ContainerGroups", limits.groups, len(others), 1),
        (
            "StandardSpotCores" if spot else "StandardCores",
            limits.spot_cores if spot else limits.standard_cores,
            used,
            cores,
        ),
    ]
    for quota, limit, usage, requested in rows:
        if limit and usage + requested > limit + 1e-9:
            raise arm_error(
                "ContainerGroupQuotaReached",
                quota=quota,
                location=location,
                limit=f"{limit:g}",
                usage=f"{usage:g}",
                requested=f"{requested:g}",
            )
    _check_label(emulator, name, properties, others)


def _check_label(emulator: Emulator, name: str, properties: dict[str, Any], others: list[Group]) -> None:
    address = properties.get("ipAddress") or {}
    label = address.get("dnsNameLabel")
    if not label or label_scope(address) != "Unsecure":
        return
    taken = set(emulator.settings.limits.taken_dns_labels)
    for group in others:
        other = group.properties.get("ipAddress") or {}
        if label_scope(other) == "Unsecure":
            taken.add(str(other.get("dnsNameLabel") or ""))
    if label in taken:
        raise arm_error("DnsNameLabelNotAvailable", label=label, name=name)
