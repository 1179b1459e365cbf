"""A container registry with one image in it: DevPod reads an image's configuration before it runs it.

Speaks as much of the distribution specification as a pull of the configuration needs (docker/distribution, API v2).
"""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIG = json.dumps(
    {
        "architecture": "amd64",
        "os": "linux",
        "config": {"User": "", "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
).encode()


def digest(data: bytes) -> str:
    """How a registry names a blob."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": len(CONFIG),
            "digest": digest(CONFIG),
        },
        "layers": [],
    }
).encode()


@contextmanager
def registry(agent: Path | None = None) -> Iterator[str]:
    """Serve on a free loopback port; yields ``host:port``. ``/agent/…`` gives DevPod's binary, as its releases do."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(body=True)

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def answer(self, *, body: bool) -> None:
            kind, data = "application/json", b"{}"
            if "/manifests/" in self.path:
                kind, data = MANIFEST_TYPE, MANIFEST
            elif "/blobs/" in self.path:
                data = CONFIG
            elif self.path.startswith("/agent/") and agent is not None:
                kind, data = "application/octet-stream", agent.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Docker-Content-Digest", digest(data))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_args: object) -> None:
            """Quiet: the test's own output matters."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
