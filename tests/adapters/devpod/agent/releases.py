"""A server of releases that can be slow, cut off, hang, or give something else."""

from __future__ import annotations

import http.server
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Releases:
    """What is served and how; everything may be changed while it serves."""

    data: bytes
    host: str = ""
    scheme: str = "http"
    rate: float = 0.0
    """Bytes a second; 0 for as fast as it goes."""
    cut: int = 0
    """Bytes after which the connection ends; 0 for never."""
    hold: float = 0.0
    """Seconds before an answer."""
    status: int = 200
    asked: list[str] = field(default_factory=list)
    done: int = 0

    @property
    def url(self) -> str:
        """The folder of the release."""
        return f"{self.scheme}://{self.host}/download/v0.6.15"


@contextmanager
def serving(data: bytes, tls: ssl.SSLContext | None = None) -> Iterator[Releases]:
    """Serve on a free loopback port."""
    releases = Releases(data)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            releases.asked.append(self.path)
            time.sleep(releases.hold)
            if releases.status != 200 or not self.path.startswith("/download/v0.6.15/devpod-linux-amd64"):
                self.send_error(releases.status if releases.status != 200 else 404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(releases.data)))
            self.send_header("Last-Modified", "Mon, 10 Mar 2025 10:00:00 GMT")
            self.end_headers()
            for begin in range(0, releases.cut or len(releases.data), 1 << 18):
                self.wfile.write(releases.data[begin : min(begin + (1 << 18), releases.cut or len(releases.data))])
                if releases.rate:
                    time.sleep((1 << 18) / releases.rate)
            releases.done += 1

        def log_message(self, *_args: object) -> None:
            """Quiet: the test's own output matters."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_args: object) -> None:
            """A client that went away is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        releases.scheme = "https"
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    releases.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield releases
    finally:
        server.shutdown()
        server.server_close()
