"""The subscription itself, its provider registration, and what locations offer."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from emulator.arm.errors import arm_error
from emulator.arm.versions import ACI
from emulator.call import Call, reply

NAMESPACE = "Microsoft.ContainerInstance"


def _subscription(call: Call) -> dict[str, Any]:
    settings = call.emulator.settings
    sub = settings.subscription_id
    return {
        "id": f"/subscriptions/{sub}",
        "subscriptionId": sub,
        "displayName": "Emulator",
        "state": "Enabled",
        "tenantId": settings.tenant_id,
    }


async def get(call: Call) -> web.StreamResponse:
    """The one subscription."""
    return reply(_subscription(call))


async def list_all(call: Call) -> web.StreamResponse:
    """A list of one."""
    return reply({"value": [_subscription(call)], "count": {"type": "Total", "value": 1}})


async def locations(call: Call) -> web.StreamResponse:
    """The regions of the subscription."""
    sub = call.params["sub"]
    return reply(
        {
            "value": [
                {
                    "id": f"/subscriptions/{sub}/locations/{name}",
                    "name": name,
                    "type": "Region",
                    "displayName": name,
                    "regionalDisplayName": name,
                }
                for name in call.emulator.settings.limits.locations
            ]
        }
    )


async def provider(call: Call) -> web.StreamResponse:
    """Registration state and resource types of a provider namespace."""
    return reply(_provider(call))


async def register(call: Call) -> web.StreamResponse:
    """Begin registration; the state is ``Registering`` for a while."""
    emulator = call.emulator
    if emulator.registration != "Registered":
        emulator.registration = "Registering"

        async def work() -> None:
            await asyncio.sleep(emulator.settings.timings.registration)
            emulator.registration = "Registered"

        emulator.background(work())
    return reply(_provider(call))


def _provider(call: Call) -> dict[str, Any]:
    namespace = call.params["namespace"]
    if namespace.lower() != NAMESPACE.lower():
        raise arm_error("InvalidResourceNamespace", namespace=namespace)
    emulator = call.emulator
    return {
        "id": f"/subscriptions/{call.params['sub']}/providers/{NAMESPACE}",
        "namespace": NAMESPACE,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": emulator.registration,
        "resourceTypes": [
            {
                "resourceType": "containerGroups",
                "locations": emulator.settings.limits.locations,
                "apiVersions": list(ACI),
                "capabilities": "SupportsTags, SupportsLocation, SystemAssignedResourceIdentity",
            }
        ],
    }


def _location(call: Call) -> str:
    location = call.params["location"].lower()
    known = call.emulator.settings.limits.locations
    if location not in known:
        raise arm_error("LocationNotAvailableForResourceType", location=location, locations=",".join(known))
    return location


async def capabilities(call: Call) -> web.StreamResponse:
    """What sizes a location offers."""
    location, limits = _location(call), call.emulator.settings.limits
    return reply(
        {
            "value": [
                {
                    "resourceType": "containerGroups",
                    "osType": system,
                    "location": location,
                    "ipAddressType": kind,
                    "gpu": "None",
                    "capabilities": {"maxMemoryInGB": limits.max_memory, "maxCpu": limits.max_cpu, "maxGpuCount": 0},
                }
                for system in ("Linux", "Windows")
                for kind in ("Public", "Private")
            ]
        }
    )


async def usages(call: Call) -> web.StreamResponse:
    """How much of each quota is used in a location."""
    location, limits, sub = _location(call), call.emulator.settings.limits, call.params["sub"]
    groups = [g for g in call.emulator.store.groups_in(sub) if g.location == location]
    billed = [g for g in groups if not g.stopped]
    rows = {
        "ContainerGroups": ("Container Groups", len(groups), limits.groups),
        "StandardCores": ("Standard Cores", sum(g.cores for g in billed if not g.spot), limits.standard_cores),
        "StandardSpotCores": ("Standard Spot Cores", sum(g.cores for g in billed if g.spot), limits.spot_cores),
    }
    return reply(
        {
            "value": [
                {
                    "id": f"/subscriptions/{sub}/providers/{NAMESPACE}/locations/{location}/usages/{name}",
                    "unit": "Count",
                    "currentValue": value,
                    "limit": limit,
                    "name": {"value": name, "localizedValue": text},
                }
                for name, (text, value, limit) in rows.items()
            ]
        }
    )


async def cached_images(call: Call) -> web.StreamResponse:
    """Images every location keeps close."""
    _location(call)
    names = ("mcr.microsoft.com/azuredocs/aci-helloworld:latest", "ubuntu:22.04", "alpine:3.19")
    return reply({"value": [{"osType": "Linux", "image": name} for name in names]})
