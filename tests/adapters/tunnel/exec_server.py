"""A small exec endpoint: a real terminal with a real shell behind a TLS WebSocket, in a thread.

It is less than the project's emulator: no REST, no container. Tests of the tunnel need only this much,
and hostile behaviour that can be switched on one by one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
import ssl
import struct
import termios
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import trustme
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from adapters.tunnel import ExecEndpoint
from statemachine.secret import Secret


@dataclass
class Behaviour:
    """What the endpoint does; change it at any time."""

    argv: list[str] = field(default_factory=lambda: ["/bin/sh"])
    env: dict[str, str] = field(default_factory=dict)
    user: int = 0
    cwd: str = "/"
    close_with: int | None = None
    say_first: bytes = b""
    cut_input: int = 0
    refuse_above: int = 0
    text_frames: bool = False
    output: Callable[[bytes], bytes] = bytes
    input: Callable[[bytes], bytes] = bytes
    drop_after: int = 0  # bytes of output after which the TCP connection is cut, once
    frame_most: int = 65536
    rate: float = 0.0  # bytes of output a second; 0: as fast as it goes
    silent: bool = False


class ExecServer:
    """``opener`` is what the tunnel wants; ``sessions`` counts the exec calls, ``live`` the open ones.

    ``accepted`` counts the connections, and ``connected`` are those still open, whether or not anything came over them.
    """

    def __init__(self, folder: Path, behaviour: Behaviour | None = None) -> None:
        self.behaviour = behaviour or Behaviour()
        self.sessions = 0
        self.live: list[ServerConnection] = []
        self.accepted = 0
        self.connected: list[ServerConnection] = []
        self.ca_file = str(folder / "ca.pem")
        self._folder = folder
        self._passwords: set[str] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def __enter__(self) -> Self:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(self._context)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def opener(self) -> ExecEndpoint:
        """One exec call."""
        self.sessions += 1
        password = secrets.token_hex(8) + "[[EOM]]"
        self._passwords.add(password)
        return ExecEndpoint(f"wss://localhost:{self.port}/exec?rows=24&cols=80", Secret(password))

    def drop_all(self) -> None:
        """Cut every connection without a close frame."""
        for connection in list(self.connected):
            self._loop.call_soon_threadsafe(connection.transport.abort)

    def close_all(self, code: int) -> None:
        """Close every connection with this code."""
        for connection in list(self.live):
            asyncio.run_coroutine_threadsafe(connection.close(code), self._loop)

    def _noting_connections(self) -> type[ServerConnection]:
        server = self

        class Noted(ServerConnection):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                server.accepted += 1
                server.connected.append(self)

            def connection_lost(self, exc: Exception | None) -> None:
                server.connected.remove(self)
                super().connection_lost(exc)

        return Noted

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with serve(
            self._serve,
            "localhost",
            0,
            ssl=self._context,
            compression=None,
            max_size=None,
            ping_interval=None,
            create_connection=self._noting_connections(),
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._stop.wait()
            self.drop_all()

    async def _serve(self, connection: ServerConnection) -> None:
        first = await connection.recv()
        if first not in self._passwords:
            await connection.close(1008, "password")
            return
        self._passwords.discard(str(first))
        behaviour = self.behaviour
        if behaviour.say_first:
            await connection.send(behaviour.say_first)
        if behaviour.close_with is not None:
            await connection.close(behaviour.close_with)
            return
        await connection.send(b"")
        pid, master = _spawn(behaviour)
        self.live.append(connection)
        try:
            await self._pump(connection, master)
        finally:
            self.live.remove(connection)
            os.close(master)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGHUP)
            await asyncio.to_thread(os.waitpid, pid, 0)

    async def _pump(self, connection: ServerConnection, master: int) -> None:
        ended = asyncio.Event()
        sender = asyncio.create_task(self._output(connection, master, ended))
        receiver = asyncio.create_task(self._input(connection, master))
        await asyncio.wait([sender, receiver], return_when=asyncio.FIRST_COMPLETED)
        for task in (sender, receiver):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed, OSError):
                await task
        await connection.close()

    async def _output(self, connection: ServerConnection, master: int, ended: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        sent = 0
        while True:
            try:
                data = os.read(master, 65536)
            except BlockingIOError:
                waiter = loop.create_future()
                loop.add_reader(master, lambda waiter=waiter: waiter.done() or waiter.set_result(None))
                try:
                    await waiter
                finally:
                    loop.remove_reader(master)
                continue
            except OSError:
                return
            behaviour = self.behaviour
            data = behaviour.output(data)
            sent += len(data)
            if behaviour.rate:
                await asyncio.sleep(len(data) / behaviour.rate)
            if behaviour.drop_after and sent >= behaviour.drop_after:
                behaviour.drop_after = 0
                connection.transport.abort()
                return
            if behaviour.silent:
                continue
            for at in range(0, len(data), behaviour.frame_most):
                piece = data[at : at + behaviour.frame_most]
                await connection.send(piece.decode("utf-8", "replace") if behaviour.text_frames else piece)

    async def _input(self, connection: ServerConnection, master: int) -> None:
        loop = asyncio.get_running_loop()
        async for message in connection:
            behaviour = self.behaviour
            data = message.encode() if isinstance(message, str) else bytes(message)
            if behaviour.refuse_above and len(data) > behaviour.refuse_above:
                await connection.close(1009)
                return
            if behaviour.cut_input:
                data = data[: behaviour.cut_input]
            data = behaviour.input(data)
            while data and not behaviour.silent:
                try:
                    data = data[os.write(master, data) :]
                except BlockingIOError:
                    waiter = loop.create_future()
                    loop.add_writer(master, lambda waiter=waiter: waiter.done() or waiter.set_result(None))
                    try:
                        await waiter
                    finally:
                        loop.remove_writer(master)


def _spawn(behaviour: Behaviour) -> tuple[int, int]:
    pid, master = os.forkpty()
    if pid == 0:
        try:
            os.chdir(behaviour.cwd)
            if behaviour.user:
                os.setgroups([])
                os.setgid(behaviour.user)
                os.setuid(behaviour.user)
            os.execve(behaviour.argv[0], behaviour.argv, {"PATH": os.environ["PATH"], "TERM": "xterm", **behaviour.env})
        finally:
            os.write(1, f'exec: "{behaviour.argv[0]}": cannot be run'.encode())
            os._exit(127)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.set_blocking(master, False)
    return pid, master
