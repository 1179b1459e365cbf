"""Faults on demand: which calls, how often, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import itertools
import socket
import struct
from typing import Any, Literal

import msgspec
from aiohttp import web

Stage = Literal["request", "response", "async", "provision", "transition"]
Drop = Literal["", "reset", "close", "hang", "truncate"]


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A rule. ``operation`` is a glob over operation names; see docs/emulator.md."""

    operation: str = "*"
    path: str = "*"
    stage: Stage = "request"
    skip: int = 0
    count: int | None = 1
    status: int = 0
    code: str = ""
    message: str = ""
    body: str | None = None
    headers: dict[str, str] = {}
    delay: float = 0.0
    drop: Drop = ""
    id: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError("a fault that strikes no more than 0 times is none: count is 1 or more, or null")


class Faults:
    """The rules in force, oldest first."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._numbers = itertools.count(1)

    def add(self, rule: Fault) -> Fault:
        """Put a rule in force."""
        rule.id = next(self._numbers)
        self._rules.append(rule)
        return rule

    def clear(self, number: int | None = None) -> None:
        """Remove one rule, or all."""
        self._rules = [r for r in self._rules if number is not None and r.id != number]

    def rules(self) -> list[Fault]:
        """The rules, with how often each was hit."""
        return list(self._rules)

    def take(self, operation: str, path: str, *stages: Stage) -> Fault | None:
        """The first rule that applies to this call now; it is counted."""
        for rule in self._rules:
            if rule.stage not in stages or not (
                fnmatch.fnmatchcase(operation, rule.operation) and fnmatch.fnmatchcase(path.lower(), rule.path.lower())
            ):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.count is not None and rule.hits >= rule.count:
                continue
            rule.hits += 1
            return rule
        return None


class DroppedError(Exception):
    """The connection was cut: there is nobody to answer."""


def reset(transport: asyncio.Transport | None) -> None:
    """Cut a connection so that the other end sees RST."""
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def apply(rule: Fault, request: web.BaseRequest) -> web.Response | None:
    """Do what a rule says; returns the answer it prescribes, or None to go on."""
    if rule.delay:
        await asyncio.sleep(rule.delay)
    transport = request.transport
    if rule.drop == "hang":
        await asyncio.Event().wait()
    if rule.drop == "truncate" and transport is not None:
        head = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n{"val'
        transport.write(head)
        await asyncio.sleep(0.05)
        transport.close()
        raise DroppedError
    if rule.drop == "close" and transport is not None:
        transport.close()
        raise DroppedError
    if rule.drop == "reset":
        reset(transport)
        raise DroppedError
    if not rule.status:
        return None
    if rule.body is not None:
        return web.Response(status=rule.status, text=rule.body, headers=rule.headers)
    error: dict[str, Any] = {"code": rule.code or "InternalServerError", "message": rule.message or "Injected fault."}
    return web.json_response({"error": error}, status=rule.status, headers=rule.headers)
