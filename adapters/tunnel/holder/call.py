"""Run one command over the session that a holder keeps, starting a holder when there is none."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from adapters.tunnel.caller.signals import ENDING_SIGNALS, signals_noted
from adapters.tunnel.caller.terminal import come_to_the_foreground, terminal_given_over, terminal_shared
from adapters.tunnel.holder import protocol
from adapters.tunnel.loop import Loop
from adapters.tunnel.packets import messages
from adapters.tunnel.spec import CommandSpec, OnEvent, TtySize, ignore_event
from statemachine.errors import ProviderError, TunnelError, TunnelLostError

START_SECONDS: Final = 20.0
ATTEMPTS: Final = 4
STOP_SECONDS: Final = 10.0
_PAUSE: Final = 0.02
_TURN_MOST: Final = 1.0
"""Seconds that one round of waiting counts for at most: a computer that was suspended has not been waiting."""


Ended = Callable[[], str | None]
"""None while the holder lives, empty when another may be started, else what it said before it failed."""
Spawn = Callable[[], Ended | None]
"""Starts a process that calls ``hold``."""


def run_through_holder(
    spec: CommandSpec,
    socket_path: Path,
    *,
    spawn: Spawn,
    stdin: int,
    stdout: int,
    stderr: int,
    on_event: OnEvent = ignore_event,
    say: OnEvent = ignore_event,
    start_seconds: float = START_SECONDS,
    idle_seconds: float | None = None,
) -> int:
    """As ``run_command``, but over the session of the holder at ``socket_path``.

    ``spawn`` is called when nobody answers at the socket. ``say`` gets lines for the person who waits. ``idle_seconds``
    is what a holder goes by from now on that was started with another number.
    """
    order = messages.encode_open(spec)
    for attempt in range(ATTEMPTS):
        with _connect(socket_path, spawn, start_seconds) as sock:
            request = _Request(sock, on_event, idle_seconds, say)
            result = request.run(order, (stdin, stdout, stderr), terminal=spec.tty is not None)
        if request.holder_died:
            try:
                spawn()  # its successor ends what was left in the container, whether or not another command comes
            except OSError as problem:
                # What killed it may be what is in the way here; its session ends by itself as well, only later.
                on_event(f"no successor for the holder: {problem.strerror or problem}")
        if isinstance(result, ProviderError):
            raise result
        if result is not None:
            return result
        on_event(f"the holder ended before it took the command (attempt {attempt + 1})")
    raise TunnelLostError("the tunnel's holder ended again and again before it took the command")


def stop_holder(socket_path: Path) -> bool:
    """Ask the holder to end its session and go; False when there is none that listens."""
    try:
        sock = protocol.connect(socket_path)
    except protocol.MuteError:
        return False
    if sock is None:
        return False
    with sock:
        _say_and_wait(sock, {"stop": True})
    return True


def ask_holder(socket_path: Path, question: object, seconds: float) -> object | None:
    """The holder's answer to a question (see ``hold``); None when there is no holder of our build, or no answer."""
    try:
        met = protocol.meet(socket_path, seconds)
        if met is None:
            return None
        with met[0] as sock:
            if not met[1]:
                return None
            sock.settimeout(seconds)
            sock.sendall(protocol.line({"ask": question}))
            data = b"".join(iter(lambda: sock.recv(65536), b""))
        told = json.loads(data)
    except (OSError, ValueError, TunnelError):
        return None
    return told.get("answer") if isinstance(told, dict) else None


def _say_and_wait(sock: socket.socket, message: dict[str, object]) -> None:
    """Say it, and wait until the other end has done what closes the connection."""
    sock.settimeout(STOP_SECONDS)
    # It died of something else meanwhile, or takes its time: either way it goes.
    with contextlib.suppress(OSError):
        sock.sendall(protocol.line(message))
        while sock.recv(4096):
            continue


def _connect(path: Path, spawn: Spawn, seconds: float) -> socket.socket:
    ended: Ended | None = None
    spawn_next = True
    left, before = seconds, time.monotonic()
    while left > 0:
        now = time.monotonic()
        left, before = left - min(now - before, _TURN_MOST), now
        met = protocol.meet(path, protocol.GREETING_SECONDS)
        if met is not None and met[1]:
            return met[0]
        if met is not None:
            # Of an earlier or later version: it ends what it has begun, and its successor takes the place.
            with met[0] as sock:
                _say_and_wait(sock, {"retire": True})
            continue
        if spawn_next:
            ended, spawn_next = spawn(), False
        said = ended() if ended else None
        if said:
            raise TunnelError(f"the tunnel's holder ended at its start: {said}")
        spawn_next = said is not None  # the one it left its place to may be gone by now
        time.sleep(_PAUSE)
    raise TunnelError(
        f"the tunnel's holder did not start in {seconds:g} s",
        remedy="Set DEVPOD_DEBUG=true to see what it waits for, and try again.",
    )


class _Request:
    def __init__(
        self, sock: socket.socket, on_event: OnEvent, idle: float | None = None, say: OnEvent = ignore_event
    ) -> None:
        self._sock = sock
        self._say = say
        self._on_event = on_event
        self._idle = idle
        self._buffer = b""
        self._unsent = memoryview(b"")
        self._fds: tuple[int, ...] = ()
        self._sent = False
        self._begin: Callable[[], None] = lambda: None
        self._done = False
        self._result: int | ProviderError | None = None
        self.holder_died = False
        """The holder died while the command ran."""

    def run(self, order: bytes, fds: tuple[int, int, int], *, terminal: bool) -> int | ProviderError | None:
        """The result; None when the holder went away before it sent the command."""
        come_to_the_foreground(fds[0])
        self._unsent, self._fds = protocol.request(order, self._idle), fds
        loop = Loop()
        try:
            # Before the first byte leaves: the command may run, be heard and be told to end before we run again.
            with signals_noted(loop, self._caught, ENDING_SIGNALS), contextlib.ExitStack() as stack:
                if terminal:
                    self._begin = stack.enter_context(terminal_given_over(fds[0], loop, self._resized))
                else:
                    stack.enter_context(terminal_shared(fds[0], loop, self._take_turns))
                while not self._done:
                    events = select.POLLIN | (select.POLLOUT if self._unsent else 0)
                    loop.watch(self._sock.fileno(), events, self._turn)
                    loop.step()
        finally:
            loop.close()
        return self._result

    def _turn(self, events: int) -> None:
        if self._unsent and events & select.POLLOUT:
            self._ask()
        if events & ~select.POLLOUT:
            self._heard()

    def _ask(self) -> None:
        """In the loop: an order may be larger than what a holder that hangs takes, and we are to die all the same."""
        before = len(self._unsent)
        try:
            self._unsent = protocol.send_some(self._sock, self._unsent, self._fds)
        except OSError:
            self._unsent = memoryview(b"")  # it listens no more, but may have said why
        if len(self._unsent) < before:
            self._fds = ()

    def _caught(self, number: int) -> None:
        # Closing the socket is how the holder learns; it ends the command in the container.
        self._finish(128 + number)

    def _resized(self, size: TtySize) -> None:
        with contextlib.suppress(OSError):
            self._sock.sendall(protocol.line({"size": [size.rows, size.columns]}))

    def _take_turns(self, ours: bool) -> None:  # noqa: FBT001  # the terminal's own call
        # Behind the order, and at once: we may be about to stop.
        self._unsent = memoryview(bytes(self._unsent) + protocol.line({"read": ours}))
        self._ask()

    def _finish(self, result: int | ProviderError | None) -> None:
        if not self._done:
            self._done = True
            self._result = result

    def _heard(self) -> None:
        try:
            data = self._sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.holder_died = self._sent and not self._done
            lost = TunnelLostError("the tunnel's holder died while the command ran")
            self._finish(lost if self._sent else None)
            return
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for text in lines:
            self._obey(json.loads(text))

    def _obey(self, message: dict[str, Any]) -> None:
        if "sent" in message:
            self._sent = True
            self._begin()
        elif "event" in message:
            self._on_event(message["event"])
        elif "say" in message:
            self._say(message["say"])
        elif "exit" in message:
            self._finish(int(message["exit"]))
        elif "error" in message:
            self._finish(protocol.revive(message["error"]))
