"""Actions on a container group: start, stop, restart, and the operations they begin."""

from __future__ import annotations

from aiohttp import web

from emulator.arm.errors import arm_error
from emulator.arm.groups import existing, require_calm
from emulator.arm.links import operation_header
from emulator.arm.quotas import check_quotas
from emulator.call import Call, empty, reply
from emulator.clock import stamp


async def start(call: Call) -> web.StreamResponse:
    """204 when it runs already, else a new deployment: 202 and an operation."""
    group = existing(call)
    require_calm(group)
    if group.state == "Running":
        return empty(204)
    check_quotas(call.emulator, call.params, group.body, group)
    operation = call.emulator.lifecycle.begin(group, fresh=True)
    return empty(202, operation_header(call, group, operation))


async def stop(call: Call) -> web.StreamResponse:
    """Synchronous: the answer comes when the containers are dead. A second stop is 204 too."""
    group = existing(call)
    require_calm(group)
    if not group.stopped:
        await call.emulator.lifecycle.stop(group)
    return empty(204)


async def restart(call: Call) -> web.StreamResponse:
    """204 *with* an operation header."""
    group = existing(call)
    require_calm(group)
    if group.stopped:
        raise arm_error("ContainerGroupStopped", name=group.name)
    operation = call.emulator.lifecycle.begin_restart(group)
    return empty(204, operation_header(call, group, operation))


async def operation_status(call: Call) -> web.StreamResponse:
    """Always 200. A failure has no ``error`` object: the reason is among the events."""
    operation = call.emulator.store.operations.get(call.params["id"].lower())
    if operation is None:
        raise arm_error("OperationNotFound", id=call.params["id"])
    if operation.signature and operation.signature not in call.request.raw_path:
        # The URL is opaque and signed: a client that rebuilt it has lost its right.
        raise arm_error("OperationNotFound", id=call.params["id"])
    return reply(
        {
            "id": operation.resource_id,
            "status": operation.status,
            "startTime": stamp(operation.started),
            "properties": {"events": [event.render() for event in operation.events]},
        }
    )
