"""Checks on CPU and memory: requests, limits, and their sums over the group."""

from __future__ import annotations

from typing import Any

from emulator.arm.errors import arm_error
from emulator.model import is_spot
from emulator.settings import Settings

Sums = dict[str, float]


def check_resources(settings: Settings, name: str, body: dict[str, Any]) -> None:
    """Every container requests both, in allowed steps; limits and sums stay in bounds."""
    containers = body["properties"]["containers"]
    sums: Sums = {"cpu": 0.0, "memoryInGB": 0.0}
    for item in containers:
        for what, value in _requests(settings, name, item).items():
            sums[what] += value
    for item in containers:
        _check_limits(name, item, sums)
    limits = settings.limits
    spot = is_spot(body["properties"])
    most_cpu = limits.spot_max_cpu if spot else limits.max_cpu
    most_memory = limits.spot_max_memory if spot else limits.max_memory
    if sums["cpu"] > most_cpu + 1e-9 or sums["memoryInGB"] > most_memory + 1e-9:
        raise arm_error(
            "ContainerGroupResourcesOverLimit",
            cpu=sums["cpu"],
            name=name,
            memory=sums["memoryInGB"],
            max_cpu=most_cpu,
            max_memory=most_memory,
            location=body["location"],
        )


def _requests(settings: Settings, name: str, item: dict[str, Any]) -> Sums:
    resources = item["properties"].get("resources")
    requests = resources.get("requests") if isinstance(resources, dict) else None
    steps = {"cpu": settings.limits.cpu_step, "memoryInGB": settings.limits.memory_step}
    if not isinstance(requests, dict) or any(requests.get(what) is None for what in steps):
        raise arm_error("ResourceRequestsNotSpecified", container=item["name"], name=name)
    if requests.get("gpu"):
        raise arm_error("GpuNotSupported", name=name)
    found: Sums = {}
    for what, step in steps.items():
        value = requests[what]
        fields = {"what": what, "value": value, "container": item["name"], "name": name}
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise arm_error("InvalidContainerResource", rule="It must be positive.", **fields)
        if abs(value / step - round(value / step)) > 1e-6:
            raise arm_error("InvalidContainerResource", rule=f"Steps of {step} are allowed.", **fields)
        found[what] = float(value)
    return found


def _check_limits(name: str, item: dict[str, Any], sums: Sums) -> None:
    resources = item["properties"]["resources"]
    for what, total in sums.items():
        limit = (resources.get("limits") or {}).get(what)
        if limit is None:
            continue
        if limit < resources["requests"][what]:
            raise arm_error("ResourceLimitsLessThanRequests", container=item["name"], name=name)
        if limit > total + 1e-9:
            raise arm_error("ContainerLimitGreaterThanContainerGroupTotalRequest", container=item["name"], name=name)
