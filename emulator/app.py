"""Every request's way: find the operation, let faults strike, check, handle, record."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid

from aiohttp import web

from emulator import control, entra, faults
from emulator.arm import gate, routes
from emulator.arm.errors import ArmError, arm_error
from emulator.arm.routes import Route
from emulator.call import Call, Handler
from emulator.clock import now, stamp
from emulator.core import Emulator
from emulator.exec import socket as exec_socket

log = logging.getLogger("emulator")
_BODY_MOST = 4 * 1024 * 1024


class App:
    """The handler the server calls for every request."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle one request of the TLS port."""
        path, method = request.path, request.method
        if path.startswith("/_emulator/"):
            return await control.handle(self.emulator, request)
        found = entra.match(method, path) or exec_socket.match(path)
        if found is not None:
            operation, handler, params = found
            return await self._run(request, operation, params, None, handler)
        route, params, known = routes.match(method, path)
        if route is None:
            return await self._run(request, "Unknown", params, None, None, known_path=known)
        return await self._run(request, route.operation, params, route, route.handler)

    async def imds(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle one request of the plain IMDS port."""
        if request.method == "GET" and request.path == "/metadata/identity/oauth2/token":
            return await self._run(request, "Imds_Token", {}, None, entra.imds)
        return web.Response(status=404)

    async def _run(
        self,
        request: web.BaseRequest,
        operation: str,
        params: dict[str, str],
        route: Route | None,
        handler: Handler | None,
        *,
        known_path: bool = False,
    ) -> web.StreamResponse:
        emulator = self.emulator
        entry = emulator.journal.begin(
            operation,
            request.method,
            request.path,
            request.query.get("api-version", ""),
            id(request.transport) & 0xFFFFFFFF,
        )
        call = Call(emulator, request, operation, params, entry)
        entry.request_id = call.request_id
        started = time.perf_counter()
        response: web.StreamResponse | None = None
        try:
            response = await self._answer(call, route, handler, known_path=known_path)
        except faults.DroppedError:
            entry.code = entry.code or "dropped"
            return web.Response(status=500)
        finally:
            entry.milliseconds = round((time.perf_counter() - started) * 1000, 3)
            if response is not None:
                entry.status = response.status
            log.info(
                "%s %s %s -> %s %s %.1f ms",
                operation,
                request.method,
                request.path,
                entry.status,
                entry.code,
                entry.milliseconds,
            )
        return response

    async def _answer(
        self, call: Call, route: Route | None, handler: Handler | None, *, known_path: bool
    ) -> web.StreamResponse:
        arm = call.operation == "Unknown" or route is not None
        try:
            if call.operation not in ("Exec_WebSocket", "Attach_WebSocket"):
                call.body = await _body(call.request)
            response = await self._strike(call, "request")
            if response is None:
                response = await self._handle(call, route, handler, known_path=known_path)
                response = await self._strike(call, "response") or response
        except ArmError as error:
            call.entry.code = error.code
            response = error.response()
        except (asyncio.CancelledError, faults.DroppedError, ConnectionError):
            raise
        except Exception:
            log.exception("%s failed", call.operation)
            response = arm_error(
                "InternalServerError",
                time=stamp(now()),
                activity=call.request_id,
                correlation=uuid.uuid4(),
            ).response()
        if arm and not response.prepared:
            gate.decorate(call, response, route.kind if route else "reads")
        return response

    async def _handle(
        self, call: Call, route: Route | None, handler: Handler | None, *, known_path: bool
    ) -> web.StreamResponse:
        if handler is None:
            gate.authenticate(call)
            raise gate.unknown(call, known_path=known_path)
        if route is not None:
            gate.authenticate(call)
            gate.check_version(call, route)
            gate.authorize(call, route)
            gate.check_scope(call, route)
        return await handler(call)

    async def _strike(self, call: Call, stage: faults.Stage) -> web.StreamResponse | None:
        rule = self.emulator.faults.take(call.operation, call.request.path, stage)
        if rule is None:
            return None
        call.entry.fault = f"{stage}:{rule.id}"
        response = await faults.apply(rule, call.request)
        if response is not None:
            call.entry.code = rule.code
        return response


async def _body(request: web.BaseRequest) -> bytes:
    body = await request.read()
    if len(body) > _BODY_MOST:
        raise arm_error("InvalidRequestContent", text="the body is too large")
    return body
