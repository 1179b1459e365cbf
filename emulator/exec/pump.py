"""Moves bytes between a WebSocket and a terminal until either ends, or a limit cuts them off."""

from __future__ import annotations

import asyncio
import contextlib
import random
import struct
from typing import Literal

from aiohttp import WSMsgType, web

from emulator.exec.channel import Channel
from emulator.exec.sessions import Sessions, Ticket
from emulator.exec.terminal import Terminal
from emulator.faults import reset
from emulator.journal import Entry
from emulator.peer import gone

Ending = Literal["exit", "client", "cut"]


class LineCutError(Exception):
    """The line is to be cut now."""


class Pump:
    """One exec session at work. Nothing is buffered: a full side stops the other."""

    def __init__(
        self,
        *,
        ws: web.WebSocketResponse,
        transport: asyncio.Transport,
        terminal: Terminal,
        ticket: Ticket,
        rng: random.Random,
        sessions: Sessions,
        entry: Entry,
    ) -> None:
        self._ws = ws
        self._transport = transport
        self._terminal = terminal
        options = self._options = ticket.options
        self._order = ticket.cut
        self._channel = Channel(options, rng)
        self._sessions = sessions
        self._entry = entry
        self._loop = asyncio.get_running_loop()
        self._began = self._active = self._loop.time()
        self._until_drop = options.drop_after
        self._stalled: asyncio.Event | None = None

    async def run(self) -> Ending:
        """Pump until the process ends, the client goes or a limit strikes."""
        work: dict[asyncio.Task[None], Ending] = {
            asyncio.create_task(self._outbound()): "exit",
            asyncio.create_task(self._inbound()): "client",
            asyncio.create_task(self._clock()): "cut",
            asyncio.create_task(self._on_order()): "cut",
            asyncio.create_task(self._peer()): "client",
        }
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        if any(isinstance(task.exception(), LineCutError) for task in done):
            return "cut"
        if any(task.exception() is not None for task in done):
            return "client"
        # A process that ended counts as such even when the client left at the same moment.
        return min((work[task] for task in done), key=["exit", "cut", "client"].index)

    async def _outbound(self) -> None:
        options = self._options
        while data := await self._terminal.read():
            self._active = self._loop.time()
            if options.echo == "delayed" and self._terminal.echoes:
                await asyncio.sleep(options.echo_delay)
            for frame in self._channel.outgoing(data):
                await self._send(frame)

    async def _send(self, frame: bytes) -> None:
        if self._stalled is not None:
            await self._stalled.wait()
        if self._options.drop_direction in ("out", "both") and (due := self._due(len(frame))):
            await self._drop(frame, due)
        self._entry.sent += len(frame)
        if self._options.text_frames:
            await self._ws.send_str(frame.decode("utf-8", "replace"))
        else:
            await self._ws.send_bytes(frame)

    async def _inbound(self) -> None:
        while (data := await self._receive()) is not None:
            if len(data) > self._options.max_message:
                raise LineCutError
            self._active = self._loop.time()
            self._entry.received += len(data)
            if self._stalled is not None:
                await self._stalled.wait()
            if self._options.drop_direction in ("in", "both") and (due := self._due(len(data))):
                await self._terminal.write(data[:due])
                data = data[due:]
                await self._drop()
            data = self._channel.incoming(data)
            if self._options.echo == "doubled" and self._terminal.echoes:
                await self._send(data)
            await self._terminal.write(data)

    async def _receive(self) -> bytes | None:
        """The next message with data in it, of either kind; None when the client has gone."""
        while True:
            message = await self._ws.receive()
            if message.type is WSMsgType.BINARY:
                return bytes(message.data)
            if message.type is WSMsgType.TEXT:
                return str(message.data).encode()
            if message.type is WSMsgType.PING:
                await self._ws.pong(message.data)
                if self._options.pings_count:
                    self._active = self._loop.time()
            elif message.type is WSMsgType.ERROR:
                raise LineCutError
            elif message.type is not WSMsgType.PONG:
                return None

    async def _clock(self) -> None:
        options = self._options
        while True:
            moment = self._loop.time()
            ends = [self._active + options.idle_cut] if options.idle_cut else []
            if options.absolute_cut:
                ends.append(self._began + options.absolute_cut)
            if not ends:
                await asyncio.Event().wait()
            if moment >= min(ends):
                await self._cut(options.cut_mode)
            await asyncio.sleep(max(0.001, min(ends) - moment))

    async def _peer(self) -> None:
        if self._options.drop_mode == "silent" and self._options.drop_after:
            await asyncio.Event().wait()  # a dead line tells nothing
        await gone(self._transport.get_extra_info("socket"), lambda: self._entry.received)

    async def _on_order(self) -> None:
        await self._order.wait()
        await self._cut("abort")

    def _due(self, size: int) -> int:
        """How many of so many bytes pass before the line is to be cut, by whoever asked; 0 when it is not yet."""
        due, self._until_drop = self._until_drop, max(0, self._until_drop - size)
        return due if due <= size else 0

    async def _drop(self, frame: bytes = b"", keep: int = 0) -> None:
        """Cut the line behind so many bytes of a frame, if there is a drop left."""
        options = self._options
        if options.drop_count and self._sessions.drops >= options.drop_count:
            return
        self._sessions.drops += 1
        if options.drop_mode == "stall":
            self._stalled = asyncio.Event()
            await asyncio.sleep(options.drop_silent)
            self._stalled.set()
            self._stalled = None
            self._until_drop = options.drop_after
            return
        if frame:
            self._transport.write(_header(len(frame)) + frame[:keep])
            await self._flush()
        await self._cut({"reset": "abort", "close": "fin", "silent": "silent"}[options.drop_mode])

    async def _cut(self, mode: str) -> None:
        if mode == "close":
            with contextlib.suppress(ConnectionError):
                await self._ws.close(code=1001, message=b"session limit")
        elif mode == "silent":
            self._stalled = asyncio.Event()
            self._transport.pause_reading()
            await asyncio.sleep(self._options.drop_silent)
            reset(self._transport)
        elif mode == "fin":
            self._transport.close()
        else:
            reset(self._transport)
        raise LineCutError

    async def _flush(self) -> None:
        for _ in range(100):
            if not self._transport.get_write_buffer_size():
                return
            await asyncio.sleep(0.01)


def _header(length: int) -> bytes:
    if length < 126:
        return struct.pack("!BB", 0x82, length)
    if length < 65536:
        return struct.pack("!BBH", 0x82, 126, length)
    return struct.pack("!BBQ", 0x82, 127, length)
