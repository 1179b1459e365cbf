"""Answers that no Azure gives: whoever stands in between, or in its place, gets neither our token nor our memory."""

from __future__ import annotations

import base64
import gzip
import json
import ssl
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread, Timer
from urllib.parse import urlsplit

import pytest

from adapters.azure.claims import identity_of
from adapters.azure.destination import same_server
from adapters.azure.fault import answered
from adapters.azure.findings import Level
from adapters.azure.session import Session
from emulator.testing import Running
from statemachine.errors import AzureError, ExecRefusedError, UnavailableError
from statemachine.events import GroupRef
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
def made(clean: Running, trust: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate that is trusted beside the emulator's."""
    made = certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_text(Path(clean.ca_file).read_text() + made.read_text())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(both))
    return made


@pytest.fixture
def elsewhere(made: Path) -> Iterator[tuple[int, list[str]]]:
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


def begin(handler: BaseHTTPRequestHandler, **headers: str) -> Callable[[bytes], None]:
    """Begin an answer of no announced length; gives what sends a piece of it."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    return lambda piece: handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))


def test_an_answer_without_end_is_not_kept(line, made: Path, ref: GroupRef) -> None:
    sent = [0]

    def endless(handler: BaseHTTPRequestHandler) -> None:
        send = begin(handler)
        with suppress(OSError):
            while sent[0] < 256 << 20:
                send(b" " * 65536)
                sent[0] += 65536
            send(b"")

    with overhearing(made, endless) as (port, heard), pytest.raises(AzureError, match="what is not an answer"):
        line(resource_manager_url=f"https://127.0.0.1:{port}").groups.look(ref)
    assert len(heard) == 1
    assert sent[0] < 64 << 20


def test_an_answer_that_unpacks_without_end_is_not_kept(line, made: Path, ref: GroupRef) -> None:
    bomb = gzip.compress(bytes(256 << 20), 9)
    sizes = []

    def packed(handler: BaseHTTPRequestHandler) -> None:
        send = begin(handler, Content_Encoding="gzip")
        with suppress(OSError):
            send(bomb)
            send(b"")

    with overhearing(made, packed) as (port, _):
        one = line(resource_manager_url=f"https://127.0.0.1:{port}")
        with pytest.raises(AzureError, match="what is not an answer"):
            one.groups.look(ref)  # loads what it needs
        tracemalloc.start()
        with pytest.raises(AzureError, match="what is not an answer"):
            one.groups.look(ref)
        sizes.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert sizes[0] < 100 << 20


def test_an_answer_a_byte_at_a_time_ends_with_the_budget(line, made: Path, ref: GroupRef) -> None:
    over = Event()

    def drip(handler: BaseHTTPRequestHandler) -> None:
        send = begin(handler)
        with suppress(OSError):
            while not over.wait(0.1):
                send(b" ")

    giving_up = Timer(60, over.set)
    with overhearing(made, drip) as (port, _):
        one = line(resource_manager_url=f"https://127.0.0.1:{port}", retry_deadline=2)
        giving_up.start()
        begun = time.monotonic()
        with pytest.raises(UnavailableError, match="timed out"):
            one.groups.look(ref)
        took = time.monotonic() - begun
        giving_up.cancel()
        over.set()
    assert took < 30


@pytest.mark.parametrize(
    "address",
    [
        "ws://127.0.0.1:1/exec",
        "https://127.0.0.1:1/exec",
        "wss://",
        "wss:///exec",
        "wss://host:99999/exec",
        "wss://host:port/exec",
        "wss://[::1/exec",
        "wss://a..b/exec",
        f"wss://{'a' * 64}.example/exec",
        "wss://name:password@host/exec",
        "wss://host\\@elsewhere/exec",
        "wss://host/exec\r\nX-Other: 1",
        "wss://h\u043est/exec",
        "wss://host/\x1b[2J",
        7,
        None,
        ["wss://host/exec"],
    ],
)
def test_an_exec_session_nowhere_is_refused_in_one_line(line, clean: Running, ref: GroupRef, address: object) -> None:
    said = json.dumps({"webSocketUri": address, "password": "pass[[EOM]]"})
    headers = {"Content-Type": "application/json"}
    clean.control.set_fault("Containers_ExecuteCommand", status=200, body=said, headers=headers)
    with pytest.raises(ExecRefusedError, match="without a WebSocket address") as caught:
        line().groups.open_exec(ref)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "wss://bridge-linux-05.westeurope.management.azurecontainer.io/exec/caas-1/bridge-2?rows=24&cols=80&api=a%2Fb",
        "wss://atlas.example:19390/exec",
        "wss://[::1]:19390/exec",
    ],
)
def test_an_exec_session_somewhere_is_handed_on_unchanged(line, clean: Running, ref: GroupRef, address: str) -> None:
    said = json.dumps({"webSocketUri": address, "password": "pass[[EOM]]"})
    headers = {"Content-Type": "application/json"}
    clean.control.set_fault("Containers_ExecuteCommand", status=200, body=said, headers=headers)
    uri, password = line().groups.open_exec(ref)
    assert (uri, password.reveal()) == (address, "pass[[EOM]]")


@pytest.mark.parametrize("status", [200, 500])
def test_brackets_without_end_are_no_answer(line, clean: Running, ref: GroupRef, status: int) -> None:
    said = '{"a":' + "[" * 100_000
    headers = {"Content-Type": "application/json"}
    clean.control.set_fault("ContainerGroups_Get", count=None, status=status, body=said, headers=headers)
    with pytest.raises(AzureError, match="what is not an answer"):
        line(retry_deadline=1).groups.look(ref)


def test_an_error_with_details_without_end_is_told_in_time() -> None:
    details = [{"code": f"Code{number}", "message": f"sentence number {number}"} for number in range(200_000)]
    begun = time.monotonic()
    fault = answered(400, {}, json.dumps({"error": {"code": "BadRequest", "message": "bad", "details": details}}))
    assert time.monotonic() - begun < 20
    assert fault.code == "Code0"
    assert fault.message.startswith("bad sentence number 0 sentence number 1 ")


def test_a_token_of_brackets_names_nobody() -> None:
    claims = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    assert identity_of(f"a.{claims}.c") == ""
