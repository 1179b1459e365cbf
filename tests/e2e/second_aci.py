"""Another ACI: the emulator behind a door that rewords what it says.

A second implementation differs in words, letter case, headers and statuses, not in what happens. So this is a
proxy over TLS with a certificate of its own; ``reword`` changes each answer on its way to the provider.
"""

from __future__ import annotations

import http.client
import json
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emulator.testing import Running
from emulator.tls import make

HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive", "date", "server")


@dataclass
class Said:
    """One answer on its way; ``body`` is JSON's value, or text where it was no JSON."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def group(self) -> dict[str, Any] | None:
        """The container group in it, if that is what it holds."""
        whole = isinstance(self.body, dict) and "properties" in self.body and "containergroups/" in self.path.lower()
        return self.body if whole else None


Reword = Callable[[Said], None]


@contextmanager
def second_aci(azure: Running, reword: Reword) -> Iterator[dict[str, str]]:
    """The environment that leads the provider through the door."""
    upstream = urlsplit(azure.env["AZURE_RESOURCE_MANAGER_URL"])
    trust = ssl.create_default_context(cafile=azure.ca_file)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            line = http.client.HTTPSConnection(upstream.hostname or "", upstream.port, context=trust, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            # The emulator's addresses are made of the host it was asked for: they lead through the door, too.
            try:
                line.request(self.command, self.path, content, headers)
                answer = line.getresponse()
                data = answer.read()
            finally:
                line.close()
            said = Said(
                self.command,
                urlsplit(self.path).path,
                answer.status,
                {name.lower(): value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP},
                _read(data),
            )
            reword(said)
            self._say(said)

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):
                return self._pass
            raise AttributeError(name)

        def _say(self, said: Said) -> None:
            text = said.body if isinstance(said.body, str) else json.dumps(said.body)
            data = b"" if said.body is None else text.encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is for what went wrong."""

    with tempfile.TemporaryDirectory(prefix="second-") as name:
        folder = Path(name)
        context, ca_file = make(folder, "127.0.0.1")
        bundle = folder / "both.pem"
        bundle.write_bytes(ca_file.read_bytes() + Path(azure.ca_file).read_bytes())
        server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield {
                **azure.env,
                "AZURE_RESOURCE_MANAGER_URL": f"https://127.0.0.1:{server.server_address[1]}",
                "REQUESTS_CA_BUNDLE": str(bundle),
                "SSL_CERT_FILE": str(bundle),
            }
        finally:
            server.shutdown()
            server.server_close()


def _read(data: bytes) -> Any:
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")
