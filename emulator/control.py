"""The control API under ``/_emulator/``: faults, journal, options, and the outside world."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from emulator.arm.errors import ArmError
from emulator.call import reply
from emulator.core import Emulator
from emulator.faults import Fault
from emulator.model import Group
from emulator.settings import changed

Body = dict[str, Any]
Answer = Awaitable[Any]


class RefusedError(Exception):
    """A control request that makes no sense; the text says why."""


async def handle(emulator: Emulator, request: web.BaseRequest) -> web.StreamResponse:
    """One control request: ``Authorization: Bearer <control token>``, JSON both ways."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), emulator.control_token.encode()):
        return reply({"error": "the control token is missing or wrong"}, 401)
    name = request.path.removeprefix("/_emulator/").strip("/")
    action = ACTIONS.get((request.method, name))
    if action is None:
        return reply({"error": f"no {request.method} {name}"}, 404)
    try:
        raw = await request.read()
        body = msgspec.json.decode(raw, type=dict[str, Any]) if raw else dict(request.query)
        return reply(await action(emulator, body))
    except (RefusedError, ArmError, msgspec.MsgspecError, KeyError, TypeError, ValueError) as problem:
        return reply({"error": f"{type(problem).__name__}: {problem}"}, 400)


async def _health(emulator: Emulator, _: Body) -> Any:
    return {
        "ok": True,
        "isolation": emulator.place.level,
        "registration": emulator.registration,
        "sessions": len(emulator.sessions.open),
    }


async def _settings(emulator: Emulator, _: Body) -> Any:
    shown = msgspec.to_builtins(emulator.settings)
    secrets = [(one, "secret") for one in shown["principals"]] + [(one, "password") for one in shown["registries"]]
    for holder, name in [*secrets, *((shown["shares"], share) for share in shown["shares"])]:
        holder[name] = "***" if holder[name] else ""
    return shown


async def _add_fault(emulator: Emulator, body: Body) -> Any:
    return emulator.faults.add(msgspec.convert(body, Fault))


async def _list_faults(emulator: Emulator, _: Body) -> Any:
    return {"faults": emulator.faults.rules()}


async def _clear_faults(emulator: Emulator, body: Body) -> Any:
    emulator.faults.clear(int(body["id"]) if "id" in body else None)
    return {}


async def _requests(emulator: Emulator, body: Body) -> Any:
    entries = emulator.journal.entries(int(body.get("since", 0)))
    wanted = body.get("operation")
    return {
        "last": emulator.journal.last,
        "requests": [e for e in entries if not wanted or e.operation == wanted],
    }


async def _exec_options(emulator: Emulator, body: Body) -> Any:
    emulator.settings.exec = emulator.sessions.options = changed(emulator.settings.exec, body)
    if "drop_after" in body or "drop_count" in body:
        emulator.sessions.drops = 0
    return emulator.settings.exec


async def _link_options(emulator: Emulator, body: Body) -> Any:
    if not emulator.settings.link.enabled:
        raise RefusedError("start the emulator with --link (link.enabled) to shape its line")
    return await _section_setter("link")(emulator, body)


def _section_setter(section: str) -> Callable[[Emulator, Body], Answer]:
    async def apply(emulator: Emulator, body: Body) -> Any:
        # In place: other parts hold a reference to the section.
        known = getattr(emulator.settings, section)
        fresh = changed(known, body)
        for name in fresh.__struct_fields__:
            setattr(known, name, getattr(fresh, name))
        return known

    return apply


async def _permissions(emulator: Emulator, body: Body) -> Any:
    principals = emulator.settings.principals
    wanted = body.get("client_id")
    found = [p for p in principals if not wanted or p.client_id == wanted]
    if not found:
        raise RefusedError(f"no principal {wanted}")
    for principal in found:
        principal.denied = [str(item) for item in body.get("denied", principal.denied)]
        principal.allowed = [str(item) for item in body.get("allowed", principal.allowed)]
    return {}


async def _revoke(emulator: Emulator, _: Body) -> Any:
    emulator.tokens.revoke()
    return {}


async def _registration(emulator: Emulator, body: Body) -> Any:
    emulator.registration = str(body["state"])
    return {}


async def _sessions(emulator: Emulator, _: Body) -> Any:
    return {
        "open": [
            {"id": t.id, "group": t.group.name, "container": t.container.name, "kind": t.kind}
            for t in emulator.sessions.open.values()
        ],
        "issued": len(emulator.sessions.tickets),
        "drops": emulator.sessions.drops,
    }


# The outside world


def _group(emulator: Emulator, body: Body) -> Group:
    wanted = str(body["group"]).lower()
    rg = str(body.get("resource_group", "")).lower()
    found = [
        g
        for g in emulator.store.groups.values()
        if g.name.lower() == wanted and (not rg or g.resource_group.lower() == rg)
    ]
    if len(found) != 1:
        raise RefusedError(f"{len(found)} groups are named {wanted}")
    return found[0]


async def _kill(emulator: Emulator, body: Body) -> Any:
    group = _group(emulator, body)
    container = group.container(str(body["container"])) if "container" in body else None
    for item in [container] if container else group.containers:
        await item.kill_main(int(body.get("signal", 9)))
    return {}


async def _interrupted(emulator: Emulator, body: Body) -> Group:
    group = _group(emulator, body)
    await emulator.lifecycle.abandon(group)
    return group


async def _evict(emulator: Emulator, body: Body) -> Any:
    await emulator.lifecycle.evict(await _interrupted(emulator, body))
    return {}


async def _vanish(emulator: Emulator, body: Body) -> Any:
    await emulator.lifecycle.vanish(await _interrupted(emulator, body))
    return {}


async def _stop(emulator: Emulator, body: Body) -> Any:
    await emulator.lifecycle.halt(await _interrupted(emulator, body))
    return {}


async def _start(emulator: Emulator, body: Body) -> Any:
    emulator.lifecycle.begin(await _interrupted(emulator, body), fresh=True)
    return {}


async def _restart(emulator: Emulator, body: Body) -> Any:
    emulator.lifecycle.begin_restart(await _interrupted(emulator, body))
    return {}


async def _stuck(emulator: Emulator, body: Body) -> Any:
    _group(emulator, body).stuck = bool(body.get("stuck", True))
    return {}


async def _tags(emulator: Emulator, body: Body) -> Any:
    _group(emulator, body).tags = {str(k): str(v) for k, v in body["tags"].items()}
    return {}


async def _drop_sessions(emulator: Emulator, body: Body) -> Any:
    wanted = body.get("group")
    found = [t for t in emulator.sessions.open.values() if not wanted or t.group.name == wanted]
    for ticket in found:
        ticket.cut.set()
    return {"cut": len(found)}


ACTIONS: dict[tuple[str, str], Callable[[Emulator, Body], Answer]] = {
    ("GET", "health"): _health,
    ("GET", "settings"): _settings,
    ("GET", "faults"): _list_faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "requests"): _requests,
    ("GET", "sessions"): _sessions,
    ("POST", "sessions/cut"): _drop_sessions,
    ("PATCH", "exec"): _exec_options,
    ("PATCH", "link"): _link_options,
    ("PATCH", "timings"): _section_setter("timings"),
    ("PATCH", "control"): _section_setter("control"),
    ("PATCH", "limits"): _section_setter("limits"),
    ("POST", "permissions"): _permissions,
    ("POST", "tokens/revoke"): _revoke,
    ("POST", "registration"): _registration,
    ("POST", "world/kill"): _kill,
    ("POST", "world/evict"): _evict,
    ("POST", "world/delete"): _vanish,
    ("POST", "world/stop"): _stop,
    ("POST", "world/start"): _start,
    ("POST", "world/restart"): _restart,
    ("POST", "world/stuck"): _stuck,
    ("POST", "world/tags"): _tags,
}
