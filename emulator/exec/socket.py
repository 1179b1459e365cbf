"""The exec WebSocket: handshake, start of the process, and how the session ends."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import re

from aiohttp import WSMsgType, web

from emulator.call import Call, Handler, empty
from emulator.containers.runtime import Process, SpawnError
from emulator.exec.argv import split_command
from emulator.exec.pump import Pump
from emulator.exec.sessions import Ticket
from emulator.exec.terminal import Terminal
from emulator.settings import Exec

_PATHS = {
    "Exec_WebSocket": re.compile(r"/execstream/sessionId/(?P<id>[^/]+)|/exec/caas-[0-9a-f]+/(?P<bridge>bridge-[^/]+)"),
    "Attach_WebSocket": re.compile(r"/logstream/sessionId/(?P<id>[^/]+)"),
}
_PATIENCE = 30.0


def match(path: str) -> tuple[str, Handler, dict[str, str]] | None:
    """The socket a path leads to, if any."""
    for operation, pattern in _PATHS.items():
        found = pattern.fullmatch(path)
        if found:
            number = next(value for value in found.groupdict().values() if value)
            handler = serve if operation == "Exec_WebSocket" else serve_attach
            return operation, handler, {"id": number}
    return None


async def serve(call: Call) -> web.StreamResponse:
    """One exec session from upgrade to close."""
    options = call.emulator.sessions.options
    if "websocket" not in call.request.headers.get("Upgrade", "").lower():
        return empty(426, {"Upgrade": "websocket"})
    # Without a limit of aiohttp's, which would say why it closes; the pump has ours.
    ws = web.WebSocketResponse(compress=False, autoping=False, max_msg_size=0)
    await ws.prepare(call.request)
    if options.greeting:
        await (ws.send_str("") if options.text_frames else ws.send_bytes(b""))
    ticket = await _admit(call, ws)
    if ticket is None:
        return ws
    sessions = call.emulator.sessions
    sessions.open[ticket.id] = ticket
    try:
        await _session(call, ws, ticket)
    finally:
        sessions.open.pop(ticket.id, None)
        if not ws.closed and call.request.transport is not None:
            call.request.transport.close()
    return ws


async def _admit(call: Call, ws: web.WebSocketResponse) -> Ticket | None:
    """The first message must be the password, as text, in time; each ticket has one try."""
    try:
        async with asyncio.timeout(_PATIENCE):
            message = await ws.receive()
    except TimeoutError:
        await ws.close(code=1008)
        return None
    ticket = call.emulator.sessions.redeem(call.params["id"])
    if (
        ticket is not None
        and ticket.kind == "exec"
        and message.type is WSMsgType.TEXT
        and hmac.compare_digest(message.data.encode(), ticket.password.encode())
    ):
        return ticket
    await ws.close(code=1008, message=b"invalid password")
    call.entry.code = "1008"
    return None


async def _session(call: Call, ws: web.WebSocketResponse, ticket: Ticket) -> None:
    options, emulator, container = ticket.options, call.emulator, ticket.container
    if not container.alive:
        await _refuse(call, ws, ticket)
        return
    await _wait_for_start(ws, options)
    try:
        argv = split_command(options.argv, ticket.command)
        rows, columns = options.size or ticket.size
        process = await container.exec(argv, (rows, columns))
    except SpawnError as problem:
        text = f"OCI runtime exec failed: exec failed: unable to start container process: {problem}\r\n"
        await ws.send_bytes(text.encode())
        await _finish(call, ws, ticket)
        return
    await _pump(call, ws, ticket, process)
    call.entry.code = call.entry.code or str(ws.close_code or "")
    emulator.sessions.open.pop(ticket.id, None)


async def _refuse(call: Call, ws: web.WebSocketResponse, ticket: Ticket) -> None:
    """The container has ended, and nobody can say how Azure's front end tells."""
    if ticket.options.ended == "hang":
        while not ws.closed:
            await ws.receive()
        return
    if ticket.options.ended == "text":
        await ws.send_bytes(b"OCI runtime exec failed: exec failed: cannot exec in a stopped container: unknown\r\n")
        await _finish(call, ws, ticket)
        return
    call.entry.code = "1011"
    await ws.close(code=1011, message=b"container is not running")


async def _wait_for_start(ws: web.WebSocketResponse, options: Exec) -> None:
    """A front end that takes its time; what it is sent meanwhile waits, or is lost."""
    if not options.lose_early:
        await asyncio.sleep(options.start_delay)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(options.start_delay):
            while not ws.closed:
                await ws.receive()


async def _pump(call: Call, ws: web.WebSocketResponse, ticket: Ticket, process: Process) -> None:
    transport = call.request.transport
    terminal = Terminal(process.fd, process.exited)
    if transport is None:
        terminal.close()
        return
    emulator = call.emulator
    pump = Pump(
        ws=ws,
        transport=transport,
        terminal=terminal,
        ticket=ticket,
        rng=emulator.random,
        sessions=emulator.sessions,
        entry=call.entry,
    )
    ending = "client"
    try:
        ending = await pump.run()
    finally:
        if ticket.options.orphan and ending != "exit" and not process.exited.done():
            emulator.background(terminal.drain())
        else:
            terminal.close()
    if ending == "exit":
        await _finish(call, ws, ticket)


async def _finish(call: Call, ws: web.WebSocketResponse, ticket: Ticket) -> None:
    """The process has ended: close, mostly in good form. No exit status is told."""
    try:
        if ticket.options.bye:
            await ws.send_bytes(b"Bye.")
        if call.emulator.random.random() >= ticket.options.abrupt_close:
            await ws.close(code=1000)
            return
    except ConnectionError:
        return
    transport = call.request.transport
    if transport is not None:
        transport.close()  # without a close frame, but with everything said before


async def serve_attach(call: Call) -> web.StreamResponse:
    """The log as a stream. Here the password travels in the Authorization header."""
    ticket = call.emulator.sessions.redeem(call.params["id"])
    given = call.request.headers.get("Authorization", "")
    if ticket is None or ticket.kind != "attach" or not hmac.compare_digest(given.encode(), ticket.password.encode()):
        return empty(401)
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(call.request)
    reader = asyncio.create_task(ws.receive())
    offset = 0
    try:
        while not reader.done():
            ended = ticket.container.finished.is_set()
            data, offset = ticket.container.log.since(offset)
            if data:
                await ws.send_bytes(data)
            elif ended:
                break
            else:
                await asyncio.wait([reader], timeout=0.1)
    finally:
        reader.cancel()
        await ws.close(code=1000)
    return ws
