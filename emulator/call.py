"""One request on its way through the emulator."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from emulator.arm.errors import arm_error
from emulator.core import Emulator
from emulator.journal import Entry
from emulator.tokens import Caller


@dataclass
class Call:
    """What a handler gets."""

    emulator: Emulator
    request: web.BaseRequest
    operation: str
    params: dict[str, str]
    entry: Entry
    body: bytes = b""
    version: str = ""
    caller: Caller = field(default_factory=lambda: Caller("", ""))
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def base(self) -> str:
        """The address the client used, so that links lead back through the same door."""
        return f"https://{self.request.host}"

    def json(self) -> dict[str, Any]:
        """The request body, which must be a JSON object."""
        try:
            value = msgspec.json.decode(self.body)
        except msgspec.DecodeError as problem:
            raise arm_error("InvalidRequestContent", text=problem) from None
        if not isinstance(value, dict):
            raise arm_error("InvalidRequestContent", text="an object is expected")
        return value


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    return web.Response(
        body=msgspec.json.encode(body),
        status=status,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def empty(status: int, headers: dict[str, str] | None = None) -> web.Response:
    """An answer without a body."""
    return web.Response(status=status, headers=headers)
