"""The master side of a container's terminal, for asyncio: bounded, both ways."""

from __future__ import annotations

import asyncio
import os
import select
import termios

BATCH = 65536
# A terminal does not always wake a poller when room appears: look again by ourselves.
_RECHECK = 0.02
# Milliseconds to wait in place: a reader makes room in far less than it takes to come back here through the loop.
_SOON = 1


class Terminal:
    """Reads what the process wrote and writes what it shall read; never buffers a byte."""

    def __init__(self, fd: int, exited: asyncio.Future[int]) -> None:
        self._fd = fd
        self._exited = exited
        self._loop = asyncio.get_running_loop()
        self._readable: asyncio.Future[None] | None = None
        self._hung_up = False
        self._closed = False
        self._room = select.poll()
        self._room.register(fd, select.POLLOUT)
        exited.add_done_callback(self._wake)

    async def read(self) -> bytes:
        """Some output; empty when the process has ended and everything it wrote was read."""
        while True:
            data = self._grab()
            if data or self._exited.done():
                # Once more after the end: it may have come between the two looks.
                return data or self._grab()
            if self._hung_up:  # no slave is open, but the process itself goes on
                await asyncio.wait([self._exited])
                return b""
            await self._wait_readable()

    def _grab(self) -> bytes:
        if self._hung_up or self._closed:
            return b""
        chunks: list[bytes] = []
        total = 0
        while total < BATCH:
            try:
                data = os.read(self._fd, BATCH)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self._hung_up = True
                break
            chunks.append(data)
            total += len(data)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _wait_readable(self) -> None:
        self._readable = self._loop.create_future()
        self._loop.add_reader(self._fd, self._wake)
        try:
            await self._readable
        finally:
            self._readable = None
            if not self._closed:
                self._loop.remove_reader(self._fd)

    def _wake(self, _: object = None) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)

    async def write(self, data: bytes) -> bool:
        """Hand all of ``data`` to the process, waiting until it takes it; False when it is gone."""
        view = memoryview(data)
        looked = False
        while view:
            if self._closed:
                return False
            try:
                view = view[os.write(self._fd, view) :]
                looked = False
            except BlockingIOError:
                # Once: a terminal that nobody has open any more polls as ready, and takes nothing.
                looked = not looked and bool(self._room.poll(_SOON))
                if not looked:
                    await self._wait_writable()
            except OSError:
                return False
        return True

    async def _wait_writable(self) -> None:
        # By hand rather than with Event and timeout: this runs for every few KiB of a large input.
        ready = self._loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        self._loop.add_writer(self._fd, wake)
        timer = self._loop.call_later(_RECHECK, wake)
        try:
            await ready
        finally:
            timer.cancel()
            if not self._closed:
                self._loop.remove_writer(self._fd)

    @property
    def echoes(self) -> bool:
        """Whether the terminal is in a mode that echoes input."""
        try:
            return bool(termios.tcgetattr(self._fd)[3] & termios.ECHO)
        except (termios.error, OSError):
            return False

    def close(self) -> None:
        """Hang up: whoever has this as controlling terminal gets SIGHUP."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        os.close(self._fd)
        self._wake()

    async def drain(self) -> None:
        """Read and forget until the process ends: an orphan with nobody listening."""
        while await self.read():
            pass
        self.close()
