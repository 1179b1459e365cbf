"""A small HTTP proxy that knows CONNECT and nothing else, and writes down what it was asked."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class ConnectProxy:
    """``asked`` has each request's first line, ``authorizations`` what came as Proxy-Authorization."""

    port: int = 0
    password: str = ""
    blocked: Callable[[int], bool] = lambda _: False
    answer: bytes = b""  # instead of all that
    asked: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    def serve(self, sock: socket.socket) -> None:
        """One client, to its end."""
        with sock, contextlib.suppress(OSError, ValueError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = sock.recv(4096)
                if not piece:
                    return
                head += piece
            first, *lines = head.partition(b"\r\n\r\n")[0].decode().split("\r\n")
            given = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            self.asked.append(first)
            self.authorizations.append(given.get("proxy-authorization", ""))
            host, _, port = first.split()[1].rpartition(":")
            if self.answer:
                sock.sendall(self.answer)
            elif self.password and self.authorizations[-1] != f"Basic {self.password}":
                sock.sendall(
                    b'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n'
                )
            elif self.blocked(int(port)):
                sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            else:
                with socket.create_connection((host, int(port))) as far:
                    sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
                    _relay(sock, far)


def _relay(near: socket.socket, far: socket.socket) -> None:
    other = {near: far, far: near}
    while True:
        for sock in select.select([near, far], [], [])[0]:
            data = sock.recv(65536)
            if not data:
                return
            other[sock].sendall(data)


@contextlib.contextmanager
def connect_proxy(**options: object) -> Iterator[ConnectProxy]:
    """A proxy at a port of its own until the block ends."""
    proxy = ConnectProxy(**options)  # type: ignore[arg-type]  # the tests' own words
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy.port = listener.getsockname()[1]

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    threading.Thread(target=proxy.serve, args=(sock,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield proxy
        finally:
            listener.shutdown(socket.SHUT_RDWR)
