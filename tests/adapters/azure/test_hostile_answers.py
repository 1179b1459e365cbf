"""Answers that no Azure gives: whoever stands in between, or in its place, gets neither our token nor our memory."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest

from adapters.azure.destination import same_server
from adapters.azure.findings import Level
from adapters.azure.session import Session
from emulator.testing import Running
from tests.adapters.ship.tls import certificate

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def overhearing(made: Path, answer: Answer) -> Iterator[tuple[int, list[str]]]:
    """The port of a server that our trust reaches, and the tokens that were sent to it."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization", ""))
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], heard
        server.shutdown()


def empty(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "2")
    handler.end_headers()
    handler.wfile.write(b"{}")


@pytest.fixture
def elsewhere(
    clean: Running, trust: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, list[str]]]:
    made = certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_text(Path(clean.ca_file).read_text() + made.read_text())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(both))
    with overhearing(made, empty) as server:
        yield server


ELSEWHERE = ("https://127.0.0.1:{port}/x", "https://127.0.0.1:{port}\\@{host}/x", "https://{host}@127.0.0.1:{port}/x")


@pytest.mark.parametrize("address", ELSEWHERE)
def test_an_operation_elsewhere_hears_no_token(line, clean: Running, elsewhere, address: str) -> None:
    port, heard = elsewhere
    session = Session(line().settings)
    assert session.operation(address.format(port=port, host=urlsplit(clean.url).netloc)) is None
    session.close()
    assert heard == []


@pytest.mark.parametrize("address", ELSEWHERE)
def test_a_next_page_elsewhere_hears_no_token(line, clean: Running, elsewhere, address: str) -> None:
    port, heard = elsewhere
    page = {"value": [], "nextLink": address.format(port=port, host=urlsplit(clean.url).netloc)}
    said = json.dumps(page)
    clean.control.set_fault(
        "Location_ListCapabilities", status=200, body=said, headers={"Content-Type": "application/json"}
    )
    found = {finding.subject: finding for finding in line().groups.check("dev", "westeurope", cpu=1, memory_gb=1)}
    assert heard == []
    assert found["capacity"].level is Level.PROBLEM
    assert "another server" in found["capacity"].text


@pytest.mark.parametrize(
    "address",
    [
        "https://management.azure.com/x",
        "https://MANAGEMENT.azure.com:443/x?y#z",
        "https://management.azure.com",
    ],
)
def test_the_same_server_is_asked(address: str) -> None:
    assert same_server(address, "https://management.azure.com")


@pytest.mark.parametrize(
    "address",
    [
        "http://management.azure.com/x",
        "https://management.azure.com.evil.example/x",
        "https://evil.example\\@management.azure.com/x",
        "https://evil.example#@management.azure.com/x",
        "https://management.azure.com:444/x",
        " https://management.azure.com/x",
        "//management.azure.com/x",
        "https://[::1",
        "https://management.azure.com:x/",
        "",
    ],
)
def test_every_other_address_is_not(address: str) -> None:
    assert not same_server(address, "https://management.azure.com")
