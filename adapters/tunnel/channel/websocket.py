"""One WebSocket that never blocks once it is open: the handshake is websockets', the frames after it are ours.

The library's frames are whole messages, each read, checked and copied several times; here a holder's processor time is
what limits the tunnel, and nobody asks where a message ends.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from adapters.tunnel.channel.ahead import DEFAULT_PORT, place_of
from adapters.tunnel.channel.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Control,
    FrameError,
    FrameReader,
    FrameWriter,
    closing,
)
from adapters.tunnel.channel.wire import Wire
from statemachine.errors import ExecRefusedError, TunnelUnreachableError

if TYPE_CHECKING:
    from websockets.client import ClientProtocol

    from adapters.tunnel.channel.ahead import Ahead

WRITE_MOST: Final = 131072  # or a frame more
HEADER_MOST: Final = 65536
WELCOME: Final = b"HTTP/1.1 101 "
PONGS_MOST: Final = 1 << 20
"""Bytes that may wait before pings are not answered any more: who does not read cannot wait for an answer either."""
ABNORMAL: Final = 1006
PROTOCOL_ERROR: Final = 1002


class ChannelClosedError(Exception):
    """The socket is closed; ``code`` and ``reason`` are the close frame's, 1006 when there was none."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"code {code}" + (f" {reason}" if reason else ""))
        self.code = code
        self.reason = reason


class NothingRanError(ExecRefusedError):
    """Azure gave out a session and nothing came to run in it: the container may have ended, another try may work."""


class Channel:
    """An open WebSocket. ``receive`` and ``flush`` never wait; ``wait`` does, for the bootstrap."""

    def __init__(self, wire: Wire, first: bytes = b"") -> None:
        self._wire = wire
        self._first = first  # came together with the answer to the handshake
        self._reader, self._writer = FrameReader(), FrameWriter()
        self._queue: deque[bytes] = deque()
        self.backlog = 0
        self.closed: ChannelClosedError | None = None

    @classmethod
    def open(cls, uri: str, ca_file: str | None, timeout: float, ahead: Ahead | None = None) -> Channel:
        """Connect, verify, upgrade; raises TunnelUnreachableError or ExecRefusedError."""
        wire = ahead.take(place_of(uri)) if ahead else None
        if wire is not None:
            # The server may have closed a connection that was idle for too long; then a fresh one works.
            with contextlib.suppress(TunnelUnreachableError):
                return cls._upgraded(wire, uri, timeout)
        parts = urlsplit(uri)
        # Over TLS whatever the address says: what comes first is a password.
        wire = Wire.connect(parts.hostname or "", parts.port or DEFAULT_PORT, timeout, ca_file)
        return cls._upgraded(wire, uri, timeout)

    @classmethod
    def _upgraded(cls, wire: Wire, uri: str, timeout: float) -> Channel:
        place = place_of(uri) or urlsplit(uri).netloc
        try:
            return cls(wire, _upgrade(wire, uri, place, time.monotonic() + timeout))
        except TimeoutError as late:
            wire.close()
            raise TunnelUnreachableError(f"{place} did not answer in {timeout:g} s") from late
        except OSError as problem:
            wire.close()
            raise TunnelUnreachableError(f"{place} closed the connection before it was upgraded") from problem
        except BaseException:
            wire.close()
            raise

    def fileno(self) -> int:
        """For poll."""
        return self._wire.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether ``flush`` has something to do."""
        return bool(self._queue) or self._wire.wants_write

    def send(self, data: bytes, size: int) -> None:
        """Queue ``data`` as binary messages of at most ``size`` bytes."""
        if len(data) <= size:
            self._queue_frame(BINARY, data)
            return
        view = memoryview(data)
        for at in range(0, len(data), size):
            self._queue_frame(BINARY, view[at : at + size])

    def send_text(self, text: str) -> None:
        """Queue one text message: only the password is one."""
        self._queue_frame(TEXT, text.encode())

    def _queue_frame(self, opcode: int, payload: bytes | memoryview) -> None:
        if self.closed is not None:
            return  # the other end has begun to close: receive will say so
        head, masked = self._writer.frame(opcode, payload)
        self.backlog += len(head) + len(masked)
        self._queue.append(head)
        self._queue.append(masked)

    def flush(self) -> None:
        """Send what the socket takes."""
        try:
            while self._wire.flush() and self._queue and self.closed is None:
                self._wire.put(self._some())
        except OSError as problem:
            self._close(ABNORMAL, problem.strerror or str(problem))

    def _some(self) -> bytes:
        """The next parts of frames, as many as are sent at a time."""
        size, parts = 0, []
        while self._queue and size < WRITE_MOST:
            parts.append(self._queue.popleft())
            size += len(parts[-1])
        self.backlog -= size
        return b"".join(parts)

    def receive(self) -> list[memoryview]:
        """What has come in, without message boundaries; raises ChannelClosedError once nothing is left."""
        received: list[memoryview] = []
        if self.closed is None:
            try:
                data, self._first = self._first or self._wire.read(), b""
                if data == b"":
                    self._close(ABNORMAL, "")
                elif data:
                    self._take(data, received)
                if self._wire.ended:
                    self._close(ABNORMAL, "")
            except OSError as problem:
                self._close(ABNORMAL, problem.strerror or str(problem))
        if not received and self.closed is not None:
            raise self.closed
        return received

    def _take(self, data: bytes, received: list[memoryview]) -> None:
        try:
            for event in self._reader.feed(data):
                if not isinstance(event, Control):
                    received.append(event)
                elif event.opcode == PING and self.backlog < PONGS_MOST:
                    self._queue_frame(PONG, event.payload)
                elif event.opcode == CLOSE:
                    self._queue_frame(CLOSE, event.payload)
                    self.flush()
                    self._close(*closing(event.payload))
                    return
        except FrameError as problem:
            self._close(PROTOCOL_ERROR, str(problem))

    def _close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = ChannelClosedError(code, reason)

    def wait(self, deadline: float) -> list[memoryview]:
        """Flush and wait for something to come; raises TimeoutError and ChannelClosedError."""
        while True:
            self.flush()
            received = self.receive()
            if received:
                return received
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._wire.wait(left * 1000, write=self.wants_write)

    def shut(self, patience: float = 0.5) -> None:
        """Say good-bye if that is quickly done, then close."""
        with contextlib.suppress(Exception):
            self._queue_frame(CLOSE, (1000).to_bytes(2, "big"))
            deadline = time.monotonic() + patience
            self.flush()
            while self.wants_write and self.closed is None and time.monotonic() < deadline:
                self._wire.wait(50, write=True)
                self.flush()
        self._close(1000, "")
        self._wire.close()


def _upgrade(wire: Wire, uri: str, place: str, deadline: float) -> bytes:
    """Ask for a WebSocket; returns what came behind the answer. Raises OSError and ``ProviderError`` subclasses."""
    from websockets.client import ClientProtocol
    from websockets.exceptions import InvalidHandshake, InvalidMessage
    from websockets.uri import parse_uri

    protocol = ClientProtocol(parse_uri(uri), max_size=None)
    protocol.send_request(protocol.connect())
    wire.put(b"".join(protocol.data_to_send()))
    answer, rest = bytearray(), b""
    data: bytes | None = None
    while not protocol.events_received() and protocol.handshake_exc is None:
        sent = wire.flush()
        data = wire.read()
        if data is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            wire.wait(left * 1000, write=not sent)
            continue
        answer += data
        rest = _hand_over(protocol, answer, ended=not data)
    problem = protocol.handshake_exc
    if problem is None:
        return rest
    if isinstance(problem, InvalidMessage) and not data:
        raise ConnectionResetError
    said = " ".join(str(problem).split())
    refused = isinstance(problem, InvalidHandshake) and not isinstance(problem, InvalidMessage)
    raise (NothingRanError if refused else TunnelUnreachableError)(f"{place} refused the WebSocket: {said}")


def _hand_over(protocol: ClientProtocol, answer: bytearray, *, ended: bool) -> bytes:
    """Give the library the answer and nothing of what follows a welcome; returns that."""
    welcome = answer.startswith(WELCOME) or WELCOME.startswith(answer)
    head, blank, rest = answer.partition(b"\r\n\r\n")
    if welcome and not blank and len(answer) < HEADER_MOST and not ended:
        return b""
    protocol.receive_data(bytes(head + blank) if welcome else bytes(answer))
    answer.clear()
    if ended:
        protocol.receive_eof()
    return bytes(rest) if welcome else b""
