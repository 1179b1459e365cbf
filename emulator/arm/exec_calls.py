"""The REST half of exec, attach and logs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from emulator.arm.errors import arm_error
from emulator.arm.groups import existing, require_calm
from emulator.call import Call, reply
from emulator.containers.container import Container
from emulator.model import Group


def _container(call: Call, group: Group) -> Container:
    name = call.params["container"]
    known = [item["name"].lower() for item in group.properties["containers"]]
    if name.lower() not in known:
        raise arm_error("ContainerNotFound", container=name, name=group.name)
    container = group.container(name)
    if container is None or not container.launched:
        raise arm_error("ContainerGroupDeploymentNotReady", name=group.name)
    return container


def _base(call: Call) -> str:
    host = call.request.host
    if call.emulator.exec_port:
        host = f"{host.rpartition(':')[0] or host}:{call.emulator.exec_port}"
    return f"wss://{host}"


async def execute(call: Call) -> web.StreamResponse:
    """A socket's address and its password. Terminated containers get one too (and then 1011)."""
    group = existing(call)
    if group.stopped:
        raise arm_error("ContainerGroupStopped", name=group.name)
    require_calm(group)
    container = _container(call, group)
    body = call.json()
    command = body.get("command")
    if not isinstance(command, str) or not command:
        raise arm_error("InvalidCommand")
    limit = call.emulator.sessions.options.command_length
    if limit and len(command) > limit:
        raise arm_error("InvalidCommandLength", length=len(command), limit=limit)
    size = _size(body.get("terminalSize"))
    ticket = call.emulator.sessions.issue(group, container, command, size, _base(call))
    return reply({"webSocketUri": ticket.uri, "password": ticket.password})


def _size(wanted: Any) -> tuple[int, int]:
    if wanted is None:
        return (24, 80)
    try:
        rows, columns = int(wanted.get("rows") or 24), int(wanted.get("cols") or 80)
    except (AttributeError, TypeError, ValueError):
        raise arm_error("InvalidRequestContent", text="terminalSize") from None
    if not (0 < rows < 65536 and 0 < columns < 65536):
        raise arm_error("InvalidRequestContent", text="terminalSize")
    return (rows, columns)


async def attach(call: Call) -> web.StreamResponse:
    """A log stream's address; its password goes into the Authorization header."""
    group = existing(call)
    if group.stopped:
        raise arm_error("ContainerGroupStopped", name=group.name)
    require_calm(group)
    container = _container(call, group)
    ticket = call.emulator.sessions.issue(group, container, "", (24, 80), _base(call), kind="attach")
    return reply({"webSocketUri": ticket.uri, "password": ticket.password})


async def logs(call: Call) -> web.StreamResponse:
    """The log so far; 409 while the group moves, as every other operation."""
    group = existing(call)
    if not group.stopped:
        require_calm(group)
    container = _container(call, group)
    query = call.request.query
    tail = query.get("tail")
    if tail is not None and not tail.isdigit():
        raise arm_error("InvalidRequestContent", text=f"tail '{tail}'")
    text = container.log.read(
        int(tail) if tail is not None else None,
        timestamps=query.get("timestamps", "").lower() == "true",
        stopped=not container.alive,
    )
    return reply({"content": text})
