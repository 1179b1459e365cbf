"""A collector that parses what it gets, and answers as it is told to."""

from __future__ import annotations

import gzip
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)


class Double(ThreadingHTTPServer):
    """Keeps the log records of every request it accepts; ``script`` has what to answer first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[tuple[int, dict[str, str]]] = []
        self.rejecting: tuple[int, str] = (0, "")
        self.records: list[Any] = []
        self.requests: list[dict[str, str]] = []
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def seqs(self) -> list[int]:
        return [
            pair.value.int_value
            for record in self.records
            for pair in record.attributes
            if pair.key == "devpod.aci.seq"
        ]


class _Handler(BaseHTTPRequestHandler):
    server: Double

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
        status, extra = self.server.script.pop(0) if self.server.script else (200, {})
        answer = b""
        if status == 200:
            request = ExportLogsServiceRequest.FromString(gzip.decompress(body))
            self.server.records += [
                record for one in request.resource_logs for scope in one.scope_logs for record in scope.log_records
            ]
            response = ExportLogsServiceResponse()
            if self.server.rejecting[0]:
                response.partial_success.rejected_log_records = self.server.rejecting[0]
                response.partial_success.error_message = self.server.rejecting[1]
            answer = response.SerializeToString()
        answer = extra.pop("body", "").encode("latin-1") or answer
        self.send_response(status)
        for name, value in extra.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collecting(tls: ssl.SSLContext | None = None) -> Iterator[Double]:
    double = Double()
    if tls is not None:
        double.socket = tls.wrap_socket(double.socket, server_side=True)
        double.scheme = "https"
    thread = threading.Thread(target=double.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield double
    finally:
        double.shutdown()
        thread.join()
        double.server_close()
