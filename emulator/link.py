"""The line between client and cloud: a TCP proxy in front that adds time and takes bandwidth.

Loopback connects at once, so the first round trip (TCP's own) is added before the first byte
passes. Each direction then has half the round-trip time as delay, a bandwidth, and a bounded
amount in flight: a sender that outruns the line is stopped, as on a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from emulator.peer import gone, listening
from emulator.settings import Link

_CHUNK = 65536


class _Lane:
    """One direction: bytes leave when their time has come."""

    def __init__(self, link: Link, writer: asyncio.StreamWriter, start: float) -> None:
        self._link = link
        self._writer = writer
        self._queue: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._free = start
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False
        self.passed = 0
        self._loop = asyncio.get_running_loop()

    async def feed(self, reader: asyncio.StreamReader) -> None:
        """Take bytes in, as fast as the line and its buffer allow."""
        while True:
            try:
                data = await reader.read(_CHUNK)
            except OSError:
                data = b""
            if not data:
                break
            rate = self._link.mbit * 125_000
            self._free = max(self._free, self._loop.time()) + (len(data) / rate if rate else 0.0)
            self._queue.append((self._free + self._link.rtt_ms / 2000, data))
            self._size += len(data)
            self._changed.set()
            if self._size >= self._allowed():
                self._room.clear()
                await self._room.wait()
        self._ended = True
        self._changed.set()

    def _allowed(self) -> float:
        in_flight = self._link.mbit * 125_000 * self._link.rtt_ms / 1000
        return in_flight + self._link.buffer

    async def deliver(self) -> None:
        """Let bytes out, each at its time."""
        while True:
            while not self._queue:
                if self._ended:
                    return
                self._changed.clear()
                await self._changed.wait()
            due, data = self._queue.popleft()
            wait = due - self._loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            self._size -= len(data)
            self.passed += len(data)
            self._writer.write(data)
            await self._writer.drain()
            if self._size < self._allowed():
                self._room.set()


class Shaper:
    """Listens in front of one port of the emulator."""

    def __init__(self, link: Link, host: str, target: int) -> None:
        self._link = link
        self._host = host
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, port: int) -> int:
        """Start; returns the port."""
        self._server = await asyncio.start_server(self._accept, sock=listening(self._host, port), limit=_CHUNK)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def close(self) -> None:
        """Stop listening and cut every line."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._tasks.add(task)
        try:
            await self._join(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._target, limit=_CHUNK)
        loop = asyncio.get_running_loop()
        up = _Lane(self._link, far_writer, loop.time() + self._link.rtt_ms / 1000)
        down = _Lane(self._link, writer, loop.time())
        feeds = [asyncio.create_task(up.feed(reader)), asyncio.create_task(down.feed(far_reader))]
        watch = asyncio.create_task(gone(writer.get_extra_info("socket"), lambda: up.passed))
        lanes = [asyncio.create_task(up.deliver()), asyncio.create_task(down.deliver())]
        try:
            # Either direction's end is passed on; the connection ends with the server's.
            done, _ = await asyncio.wait([*lanes, watch], return_when=asyncio.FIRST_COMPLETED)
            if lanes[0] in done and lanes[1] not in done:
                with contextlib.suppress(OSError, RuntimeError):
                    far_writer.write_eof()
                await asyncio.wait([lanes[1]], timeout=5)
        finally:
            for task in [*feeds, *lanes, watch]:
                task.cancel()
            await asyncio.gather(*feeds, *lanes, watch, return_exceptions=True)
            far_writer.close()
