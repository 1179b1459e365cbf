"""A TCP connection with TLS that never waits once it is open.

TLS works on memory and not on the socket: a socket's own TLS makes two system calls for each record of 16 KiB, this one
moves a dozen records with one.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.tunnel.channel.proxy import connect_through, proxy_for
from statemachine.errors import TunnelUnreachableError

if TYPE_CHECKING:
    import ssl

READ_MOST: Final = 262144
_RECORD: Final = 16384
_ANSWER_MOST: Final = 65536


class Wire:
    """``read`` takes what has come, ``put`` and ``flush`` send; none of them waits."""

    def __init__(self, sock: socket.socket, tls: _Tls | None = None) -> None:
        sock.settimeout(0)
        self._sock = sock
        self._tls = tls
        self._waiting = memoryview(b"")

    @classmethod
    def connect(cls, host: str, port: int, timeout: float, ca_file: str | None) -> Wire:
        """Connect, through the environment's proxy if it names one, and verify; raises TunnelUnreachableError."""
        sock = _connect_tcp(host, port, timeout)
        try:
            return cls(sock, _start_tls(sock, host, port, timeout, ca_file))
        except BaseException:
            sock.close()
            raise

    def fileno(self) -> int:
        """For poll."""
        return self._sock.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether the socket was too full for what was put."""
        return bool(self._waiting)

    def wait(self, milliseconds: float, *, write: bool) -> None:
        """Until something comes, or, when asked for, until something can go."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | (select.POLLOUT if write else 0))
        poll.poll(milliseconds)

    def read(self) -> bytes | None:
        """Some bytes that have come; None when there are none now, empty at the end; raises OSError."""
        try:
            data = self._sock.recv(READ_MOST)
        except BlockingIOError:
            return None
        if self._tls is None:
            return data
        plain = self._tls.opened(data)
        return plain if plain or self._tls.ended else None

    @property
    def ended(self) -> bool:
        """Whether the other end has said that nothing more will come."""
        return self._tls is not None and self._tls.ended

    def put(self, data: bytes) -> None:
        """Take bytes to send; only when ``flush`` has said that there are none left. Raises OSError."""
        if self._tls is None:
            self._waiting = memoryview(data)
        else:
            self._tls.seal(data)

    def flush(self) -> bool:
        """Send what the socket takes; whether that was all. Raises OSError."""
        if not self._waiting and self._tls is not None:
            self._waiting = memoryview(self._tls.sealed())
        while self._waiting:
            try:
                self._waiting = self._waiting[self._sock.send(self._waiting) :]
            except BlockingIOError:
                return False
        return True

    def close(self) -> None:
        """Let go of the socket."""
        with contextlib.suppress(OSError):
            self._sock.close()


class _Tls:
    """TLS over memory buffers: bytes in and out, without a socket."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        import ssl

        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._more = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self._over = (ssl.SSLZeroReturnError, ssl.SSLEOFError)
        self.ended = False

    def greet(self, sock: socket.socket, deadline: float) -> None:
        """The handshake, over a socket that waits; raises OSError, however little comes however often."""
        while not self._agreed(sock):
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            data = sock.recv(_ANSWER_MOST)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def _agreed(self, sock: socket.socket) -> bool:
        try:
            self._tls.do_handshake()
        except self._more:
            return False
        finally:
            with contextlib.suppress(OSError):  # if it fails, what we hear next says more
                sock.sendall(self._outgoing.read())
        return True

    def opened(self, data: bytes) -> bytes:
        """Take what came, empty at its end; give what can be read of it."""
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        pieces = []
        try:
            while piece := self._tls.read(_RECORD):
                pieces.append(piece)
            self.ended = True
        except self._more:
            self.ended = not data
        except self._over:
            self.ended = True
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def seal(self, data: bytes) -> None:
        """Take bytes for ``sealed``; raises OSError, also where an old server wants to agree on keys anew."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]

    def sealed(self) -> bytes:
        """What is to be sent."""
        return self._outgoing.read()


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
    if not any(map(_has_something, known)):
        import certifi

        return ssl.create_default_context(cafile=certifi.where())
    return ssl.create_default_context()


def _has_something(store: Path) -> bool:
    try:
        return store.is_file() or any(store.iterdir())
    except OSError:
        return False  # we may not look into it, and so TLS may not either


def _connect_tcp(host: str, port: int, timeout: float) -> socket.socket:
    proxy = proxy_for(host, port)
    try:
        if proxy is None:
            sock = socket.create_connection((host, port), timeout)
        else:
            sock = connect_through(proxy, host, port, timeout)
    except OSError as problem:
        way = f" through the proxy {proxy}" if proxy else ""
        why = "no answer" if isinstance(problem, TimeoutError) else (problem.strerror or str(problem))
        raise TunnelUnreachableError(
            f"the container's exec endpoint {host}:{port} cannot be reached{way}: {why}",
            remedy=f"Ask your network team to allow outbound TCP to port {port} of *.atlas.cloudapp.azure.com.",
        ) from problem
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _start_tls(sock: socket.socket, host: str, port: int, timeout: float, ca_file: str | None) -> _Tls:
    import ssl

    tls = _Tls(tls_context(ca_file), host)
    try:
        tls.greet(sock, time.monotonic() + timeout)
    except ssl.SSLCertVerificationError as problem:
        raise TunnelUnreachableError(
            f"the certificate of {host}:{port} is not trusted: {problem.verify_message}",
            remedy="If a proxy opens TLS here, set REQUESTS_CA_BUNDLE to its certificates.",
        ) from problem
    except OSError as problem:
        raise TunnelUnreachableError(f"TLS with {host}:{port} failed: {problem.strerror or problem}") from problem
    return tls
