"""Resource groups."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from aiohttp import web

from emulator.arm.errors import arm_error
from emulator.arm.validation import check_resource_group_name, check_tags
from emulator.call import Call, empty, reply
from emulator.model import Operation, ResourceGroup, location_of


def view(subscription: str, group: ResourceGroup) -> dict[str, Any]:
    """A resource group as ARM shows it."""
    return {
        "id": f"/subscriptions/{subscription}/resourceGroups/{group.name}",
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": group.tags,
        "properties": {"provisioningState": "Deleting" if group.deleting else "Succeeded"},
    }


def existing(call: Call) -> ResourceGroup:
    """The resource group a call names, or 404."""
    group = call.emulator.store.resource_group(call.params["sub"], call.params["rg"])
    if group is None:
        raise arm_error("ResourceGroupNotFound", rg=call.params["rg"])
    return group


async def put(call: Call) -> web.StreamResponse:
    """Create or update; the location cannot change."""
    p, store = call.params, call.emulator.store
    check_resource_group_name(p["rg"])
    body = call.json()
    location = location_of(body)
    if not location:
        raise arm_error("LocationRequired")
    known = call.emulator.settings.limits.locations
    if location not in known:
        raise arm_error("LocationNotAvailableForResourceType", location=location, locations=",".join(known))
    tags = body.get("tags") or {}
    check_tags(tags)
    group = store.resource_group(p["sub"], p["rg"])
    if group is None:
        group = ResourceGroup(p["rg"], location, dict(tags))
        store.resource_groups[p["sub"].lower(), p["rg"].lower()] = group
        return reply(view(p["sub"], group), 201)
    if group.deleting:
        raise arm_error("ResourceGroupBeingDeleted", rg=group.name)
    if group.location != location:
        raise arm_error("InvalidResourceGroupLocation", wanted=location, location=group.location)
    group.tags = dict(tags)
    return reply(view(p["sub"], group))


async def get(call: Call) -> web.StreamResponse:
    """One resource group."""
    return reply(view(call.params["sub"], existing(call)))


async def head(call: Call) -> web.StreamResponse:
    """204 or 404, without a body."""
    group = call.emulator.store.resource_group(call.params["sub"], call.params["rg"])
    return empty(204 if group is not None else 404)


async def list_all(call: Call) -> web.StreamResponse:
    """All resource groups of the subscription."""
    sub = call.params["sub"]
    found = [g for (s, _), g in sorted(call.emulator.store.resource_groups.items()) if s == sub.lower()]
    return reply({"value": [view(sub, group) for group in found]})


async def delete(call: Call) -> web.StreamResponse:
    """202 and a Location to poll, as ARM itself does; all container groups inside go too."""
    group, emulator, sub = existing(call), call.emulator, call.params["sub"]
    group.deleting = True
    operation = Operation(str(uuid.uuid4()), "", group.location, "")
    emulator.store.operations[operation.id] = operation

    async def work() -> None:
        await asyncio.sleep(emulator.settings.timings.resource_group_delete)
        for member in emulator.store.groups_in(sub, group.name):
            await emulator.lifecycle.delete(member)
        emulator.store.resource_groups.pop((sub.lower(), group.name.lower()), None)
        operation.status = "Succeeded"

    emulator.background(work())
    return empty(202, _poll_headers(call, operation))


def _poll_headers(call: Call, operation: Operation) -> dict[str, str]:
    sub = call.params["sub"]
    return {
        "Location": f"{call.base}/subscriptions/{sub}/operationresults/{operation.id}?api-version=2021-04-01",
        "Retry-After": str(call.emulator.settings.timings.resource_group_retry_after),
    }


async def result(call: Call) -> web.StreamResponse:
    """202 while the delete goes on, then 200."""
    operation = call.emulator.store.operations.get(call.params["id"].lower())
    if operation is None:
        raise arm_error("OperationNotFound", id=call.params["id"])
    if operation.status != "Succeeded":
        return empty(202, _poll_headers(call, operation))
    return empty(200)
