"""Container groups: create, read, list, tag, delete."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from emulator.arm.errors import arm_error
from emulator.arm.links import operation_header
from emulator.arm.quotas import check_quotas
from emulator.arm.updates import check_update
from emulator.arm.validation import check_group, check_tags
from emulator.arm.views import group_view
from emulator.call import Call, empty, reply
from emulator.model import Group, containers_of, location_of


def existing(call: Call) -> Group:
    """The group a call names, or 404 in Azure's words."""
    p = call.params
    group = call.emulator.store.group(p["sub"], p["rg"], p["name"])
    if group is None or _not_there_yet(call, group):
        raise arm_error("ResourceNotFound", name=p["name"], rg=p["rg"])
    return group


def _not_there_yet(call: Call, group: Group) -> bool:
    delay = call.emulator.settings.timings.eventual_404
    return call.request.method == "GET" and time.monotonic() - group.created < delay


def require_calm(group: Group) -> None:
    """Refuse while another operation runs, and for a while after it."""
    if group.transitioning:
        raise arm_error("ContainerGroupTransitioning", name=group.name)


async def put(call: Call) -> web.StreamResponse:
    """Create, or replace: a full deployment of the body either way."""
    emulator, p = call.emulator, call.params
    body = call.json()
    check_group(emulator.settings, p["name"], body)
    group = emulator.store.group(p["sub"], p["rg"], p["name"])
    if group is not None:
        require_calm(group)
        if not group.stopped:
            check_update(group, body, emulator.settings.control.invalid_update_code)
    check_quotas(emulator, p, body, group)
    _check_images(call, body)
    call.headers |= emulator.throttle.spend("ContainerGroups_CreateOrUpdate")
    created = group is None
    if group is None:
        rg = emulator.store.resource_group(p["sub"], p["rg"])
        group = Group(p["sub"], rg.name if rg else p["rg"], p["name"], location_of(body), body, _tags(body))
        emulator.store.put_group(group)
    else:
        group.body, group.tags = body, _tags(body)
    operation = emulator.lifecycle.begin(group, fresh=created)
    headers = operation_header(call, group, operation)
    return reply(group_view(group, instance=True), 201 if created else 200, headers)


def _tags(body: dict[str, Any]) -> dict[str, str]:
    return dict(body.get("tags") or {})


def _check_images(call: Call, body: dict[str, Any]) -> None:
    properties = body["properties"]
    credentials = properties.get("imageRegistryCredentials") or []
    for item in containers_of(properties):
        image = item["properties"]["image"]
        call.emulator.images.find(image, properties["osType"], call.params["name"], credentials)


async def get(call: Call) -> web.StreamResponse:
    """The group with its instance views."""
    return reply(group_view(existing(call), instance=True))


async def list_in_group(call: Call) -> web.StreamResponse:
    """All groups of a resource group, without instance views."""
    found = call.emulator.store.groups_in(call.params["sub"], call.params["rg"])
    return reply({"value": [group_view(group, instance=False) for group in found]})


async def list_all(call: Call) -> web.StreamResponse:
    """All groups of a subscription, without instance views."""
    found = call.emulator.store.groups_in(call.params["sub"])
    return reply({"value": [group_view(group, instance=False) for group in found]})


async def patch(call: Call) -> web.StreamResponse:
    """Tags only, as the service does; anything else in the body is passed over."""
    group, body = existing(call), call.json()
    require_calm(group)
    check_tags(body.get("tags") or {})
    if body.get("tags") is not None:
        group.tags = _tags(body)
    return reply(group_view(group, instance=False))


async def delete(call: Call) -> web.StreamResponse:
    """200 with the last body, 202 in the asynchronous variant, 204 when there is nothing."""
    emulator, p = call.emulator, call.params
    group = emulator.store.group(p["sub"], p["rg"], p["name"])
    if group is None:
        return empty(204)
    # A stuck group can be deleted: that is the documented way out.
    if not group.stuck:
        require_calm(group)
    call.headers |= emulator.throttle.spend("ContainerGroups_Delete")
    if emulator.settings.control.delete_async:
        operation = emulator.lifecycle.begin_delete(group)
        return empty(202, operation_header(call, group, operation))
    view = group_view(group, instance=True)
    await emulator.lifecycle.delete(group)
    return reply(view)


async def outbound(call: Call) -> web.StreamResponse:
    """Always an empty list, as documented."""
    existing(call)
    return reply([])
