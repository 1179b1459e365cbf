"""One WebSocket over TLS that never blocks once it is open, built on websockets' sans-I/O protocol."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from statemachine.errors import ExecRefusedError, TunnelUnreachableError

if TYPE_CHECKING:
    import ssl

    from websockets.client import ClientProtocol

READ_SIZE: Final = 65536
READ_MOST: Final = 262144
JOIN_SIZE: Final = 16384


class ChannelClosedError(Exception):
    """The socket is closed; ``code`` and ``reason`` are the close frame's, 1006 when there was none."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"code {code}" + (f" {reason}" if reason else ""))
        self.code = code
        self.reason = reason


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Verify against ``ca_file`` if given, else against the system's store, else certifi's."""
    import ssl

    if ca_file:
        try:
            return ssl.create_default_context(cafile=ca_file)
        except OSError as problem:
            raise TunnelUnreachableError(
                f"the certificate bundle {ca_file} cannot be read: {problem.strerror or problem}",
                remedy="Correct REQUESTS_CA_BUNDLE or SSL_CERT_FILE.",
            ) from problem
    paths = ssl.get_default_verify_paths()
    # The stubs say str, but each is None where the path does not exist.
    known = [Path(name) for name in (paths.cafile, paths.capath) if name]
    if not any(path.is_file() or any(path.iterdir()) for path in known):
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    return ssl.create_default_context()


def _proxy_for(host: str, port: int) -> tuple[str, int] | None:
    from urllib.request import getproxies, proxy_bypass

    proxy = getproxies().get("https")
    if not proxy or proxy_bypass(f"{host}:{port}"):
        return None
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return (parts.hostname, parts.port or 3128) if parts.hostname else None


def _connect_tcp(host: str, port: int, timeout: float) -> socket.socket:
    proxy = _proxy_for(host, port)
    try:
        sock = socket.create_connection(proxy or (host, port), timeout)
        if proxy:
            _ask_proxy(sock, host, port)
    except OSError as problem:
        way = f" through the proxy {proxy[0]}:{proxy[1]}" if proxy else ""
        why = "no answer" if isinstance(problem, TimeoutError) else (problem.strerror or str(problem))
        raise TunnelUnreachableError(
            f"the container's exec endpoint {host}:{port} cannot be reached{way}: {why}",
            remedy=f"Ask your network team to allow outbound TCP to port {port} of *.atlas.cloudapp.azure.com.",
        ) from problem
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _ask_proxy(sock: socket.socket, host: str, port: int) -> None:
    sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte or len(answer) > READ_SIZE:
            raise OSError(0, "the proxy closed the connection")
        answer += byte
    status = answer.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise OSError(0, f"the proxy answered {answer.splitlines()[0].decode('latin-1')}")


class Channel:
    """An open WebSocket. ``receive`` and ``flush`` never wait; ``wait`` does, for the bootstrap."""

    def __init__(self, sock: socket.socket, protocol: ClientProtocol) -> None:
        from websockets.protocol import State

        self._open_state = State.OPEN
        self._sock = sock
        self._protocol = protocol
        self._queue: deque[memoryview] = deque()
        self._received: list[bytes | bytearray] = []
        self.backlog = 0
        self._upgraded = False
        self.closed: ChannelClosedError | None = None

    @classmethod
    def open(cls, uri: str, ca_file: str | None, timeout: float) -> Channel:
        """Connect, verify, upgrade; raises TunnelUnreachableError or ExecRefusedError."""
        from websockets.client import ClientProtocol
        from websockets.exceptions import InvalidHandshake, InvalidMessage
        from websockets.uri import parse_uri

        parts = urlsplit(uri)
        host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "ws" else 443)
        deadline = time.monotonic() + timeout
        sock = _connect_tcp(host, port, timeout)
        try:
            if parts.scheme != "ws":
                sock = _start_tls(sock, host, port, ca_file, timeout)
            protocol = ClientProtocol(parse_uri(uri), max_size=None)
            channel = cls(sock, protocol)
            sock.settimeout(0)
            protocol.send_request(protocol.connect())
            channel._collect()
            while not channel._upgraded and protocol.handshake_exc is None:
                channel._step(deadline)
            problem = protocol.handshake_exc
        except ChannelClosedError as closed:
            sock.close()
            raise TunnelUnreachableError(f"{host}:{port} closed the connection before it was upgraded") from closed
        except TimeoutError as late:
            sock.close()
            raise TunnelUnreachableError(f"{host}:{port} did not answer in {timeout:g} s") from late
        except BaseException:
            sock.close()
            raise
        if problem is not None:
            sock.close()
            said = " ".join(str(problem).split())
            kind = (
                ExecRefusedError
                if isinstance(problem, InvalidHandshake) and not isinstance(problem, InvalidMessage)
                else TunnelUnreachableError
            )
            raise kind(f"{host}:{port} refused the WebSocket: {said}")
        return channel

    def fileno(self) -> int:
        """For poll."""
        return self._sock.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether ``flush`` has something to do."""
        return bool(self._queue)

    def send(self, data: bytes, size: int) -> None:
        """Queue ``data`` as binary messages of at most ``size`` bytes."""
        if self._protocol.state is not self._open_state:
            return  # the other end has begun to close: receive will say so
        for at in range(0, len(data), size):
            self._protocol.send_binary(data if len(data) <= size else data[at : at + size])
        self._collect()

    def send_text(self, text: str) -> None:
        """Queue one text message: only the password is one."""
        self._protocol.send_text(text.encode())
        self._collect()

    def _collect(self) -> None:
        pieces = [piece for piece in self._protocol.data_to_send() if piece]
        if not pieces:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self.backlog += len(data)
        self._queue.append(memoryview(data))

    def flush(self) -> None:
        """Send what the socket takes."""
        import ssl

        while self._queue and self.closed is None:
            head = self._queue[0]
            try:
                count = self._sock.send(head)
            except (BlockingIOError, ssl.SSLWantWriteError):
                return
            except ssl.SSLWantReadError:
                return
            except OSError as problem:
                self._close(1006, problem.strerror or str(problem))
                return
            self.backlog -= count
            if count == len(head):
                self._queue.popleft()
            else:
                self._queue[0] = head[count:]

    def receive(self) -> list[bytes | bytearray]:
        """What has come in, message bounds forgotten; raises ChannelClosedError once nothing is left."""
        import ssl

        total = 0
        while total < READ_MOST and self.closed is None:
            try:
                data = self._sock.recv(READ_SIZE)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as problem:
                self._close(1006, problem.strerror or str(problem))
                break
            if not data:
                self._protocol.receive_eof()
                self._close_as_told()
                break
            total += len(data)
            self._protocol.receive_data(data)
            for event in self._protocol.events_received():
                self._take(event)
            self._collect()
            if self._protocol.close_expected() and self._protocol.close_rcvd is not None:
                self.flush()
                self._close_as_told()
        received, self._received = self._received, []
        if not received and self.closed is not None:
            raise self.closed
        return received

    @property
    def pending(self) -> bool:
        """Whether decrypted bytes wait inside the TLS layer, which poll cannot see."""
        pending = getattr(self._sock, "pending", None)
        return bool(pending and self.closed is None and pending())

    def _take(self, event: object) -> None:
        from websockets.frames import Frame, Opcode

        if not isinstance(event, Frame):
            self._upgraded = True  # the only other event is the answer to our request
        elif event.opcode in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT) and event.data:
            self._received.append(bytes(event.data) if isinstance(event.data, memoryview) else event.data)

    def _close_as_told(self) -> None:
        frame = self._protocol.close_rcvd
        self._close(frame.code if frame else 1006, frame.reason if frame else "")

    def _close(self, code: int, reason: str) -> None:
        if self.closed is None:
            self.closed = ChannelClosedError(code, reason)

    def wait(self, deadline: float) -> list[bytes | bytearray]:
        """Flush and wait for something to come; raises TimeoutError and ChannelClosedError."""
        while True:
            received = self._step(deadline)
            if received:
                return received

    def _step(self, deadline: float) -> list[bytes | bytearray]:
        upgraded = self._upgraded
        self.flush()
        received = self.receive()
        if received or self._upgraded != upgraded or self._protocol.handshake_exc is not None:
            return received
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._queue else 0))
        poll.poll(left * 1000)
        return []

    def shut(self, patience: float = 0.5) -> None:
        """Say good-bye if that is quickly done, then close."""
        with contextlib.suppress(Exception):
            if self.closed is None:
                self._protocol.send_close(1000)
                self._collect()
            deadline = time.monotonic() + patience
            poll = select.poll()
            poll.register(self._sock, select.POLLOUT)
            while self._queue and self.closed is None and time.monotonic() < deadline:
                self.flush()
                if self._queue:
                    poll.poll(50)
        self._close(1000, "")
        with contextlib.suppress(OSError):
            self._sock.close()


def _start_tls(sock: socket.socket, host: str, port: int, ca_file: str | None, timeout: float) -> socket.socket:
    import ssl

    context = tls_context(ca_file)
    sock.settimeout(timeout)
    try:
        return context.wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError as problem:
        raise TunnelUnreachableError(
            f"the certificate of {host}:{port} is not trusted: {problem.verify_message}",
            remedy="If a proxy opens TLS here, set REQUESTS_CA_BUNDLE to its certificates.",
        ) from problem
    except OSError as problem:
        raise TunnelUnreachableError(f"TLS with {host}:{port} failed: {problem.strerror or problem}") from problem
