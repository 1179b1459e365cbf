"""A line to a storage account that fails where a test says: before the account hears of a request, or after."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

ERROR = '<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>no</Message></Error>'
ANSWERS = {
    "busy": (503, "ServerBusy"),
    "timed out": (500, "OperationTimedOut"),
    "internal": (500, "InternalError"),
    "throttled": (429, "TooManyRequests"),
    "slow": (408, "RequestTimeout"),
    "changed on the way": (400, "Md5Mismatch"),
}
"""What the account says instead of doing, or after having done, what was asked."""


class Line:
    """The requests that went over a line, and which of them fail how.

    ``fails(number, method, query)`` gives, for a request counted from 0, nothing or a pair: whether the account
    hears of it (``before`` or ``after``), and a name of ``ANSWERS``, ``reset`` (no answer), or ``cut`` (half of one).
    """

    def __init__(self, upstream: str, fails: Callable[[int, str, str], tuple[str, str] | None]) -> None:
        self.upstream = urlsplit(upstream)
        self.fails = fails
        self.requests: list[tuple[str, str]] = []
        self.failed = 0
        self.mutex = threading.Lock()


@contextmanager
def faulty(account: str, fails: Callable[[int, str, str], tuple[str, str] | None]) -> Iterator[tuple[str, Line]]:
    """The address of an account behind a faulty line."""
    line = Line(account, fails)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"line": line}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{line.upstream.path}", line
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    line: Line
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        line, query = self.line, urlsplit(self.path).query
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with line.mutex:
            number = len(line.requests)
            line.requests.append((self.command, query))
        fault = line.fails(number, self.command, query)
        line.failed += fault is not None
        if fault is None or fault[0] == "after":
            answer, data = self.forwarded(body)
            if fault is None:
                self.reply(answer.status, dict(answer.getheaders()), data)
                return
            if fault[1] == "cut":
                self.reply(answer.status, dict(answer.getheaders()), data, send=len(data) // 2)
                self.reset()
                return
        assert fault is not None
        if fault[1] == "reset":
            self.reset()
            return
        status, code = ANSWERS[fault[1]]
        text = ERROR.format(code=code).encode()
        self.reply(status, {"x-ms-error-code": code, "Content-Type": "application/xml"}, text)

    do_GET = do_PUT = do_HEAD = do_DELETE = handle_any

    def forwarded(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self.line.upstream.hostname or "", self.line.upstream.port)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def reply(self, status: int, headers: dict[str, str], data: bytes, *, send: int | None = None) -> None:
        self.send_response_only(status)
        length = headers.get("content-length", str(len(data))) if self.command == "HEAD" else str(len(data))
        hop = {"connection", "keep-alive", "transfer-encoding", "content-length"}
        for name, value in {n: v for n, v in headers.items() if n.lower() not in hop}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:send])
            self.wfile.flush()

    def reset(self) -> None:
        """End the connection without a word more."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.close_connection = True

    def log_error(self, *_: object) -> None:
        """Nobody reads it."""
