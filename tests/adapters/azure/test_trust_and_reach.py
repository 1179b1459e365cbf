"""Who is trusted, who cannot be reached, and how fast that is said."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from adapters.azure import AzureSettings
from adapters.azure.trust import check_proxies, trusted
from emulator.testing import Running
from statemachine.errors import OptionError, UnavailableError
from statemachine.events import GroupRef
from statemachine.ports import Presence
from tests.adapters.ship.tls import certificate


@contextmanager
def greeting(made: Path) -> Iterator[str]:
    """Where somebody shows a certificate to whoever comes, and says no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made)

    def greet(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                with suppress(ssl.SSLError), context.wrap_socket(listener.accept()[0], server_side=True):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=greet, args=(listener,), daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_the_order_of_the_variables(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.write_text("-----BEGIN CERTIFICATE-----")
    assert trusted({}) is True
    assert trusted({"SSL_CERT_FILE": str(one)}) == str(one)
    assert trusted({"SSL_CERT_FILE": str(one), "REQUESTS_CA_BUNDLE": str(two)}) == str(two)
    with pytest.raises(OptionError, match="SSL_CERT_FILE"):
        trusted({"SSL_CERT_FILE": str(tmp_path / "none")})
    assert trusted({"SSL_CERT_FILE": str(tmp_path)}) == str(tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("none", "does not exist"), ("x" * 5000, "cannot be read: File name too long"), ("text", "holds no certificate")],
)
def test_a_bundle_that_is_none_is_one_line(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "text").write_text("no certificate")
    with pytest.raises(OptionError, match=words) as caught:
        trusted({"REQUESTS_CA_BUNDLE": str(tmp_path / name)})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_either_variable_serves_tokens_and_resources(
    line, clean: Running, ref: GroupRef, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, clean.ca_file)
    assert line().groups.look(ref).presence is Presence.ABSENT


def test_an_untrusted_server_is_said_at_once(line, ref: GroupRef, monkeypatch: pytest.MonkeyPatch) -> None:
    import certifi

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    one = line(retry_deadline=60)
    with pytest.raises(UnavailableError) as caught:
        one.groups.look(ref)
    assert "certificate of 127.0.0.1 is not trusted" in str(caught.value)
    assert "REQUESTS_CA_BUNDLE" in str(caught.value)
    assert len([text for text in one.traced if "openid" in text]) == 1, "asked once, no more"


@pytest.mark.parametrize(("year", "words"), [(2020, "has expired"), (2090, "is not yet valid")])
def test_a_clock_that_may_be_wrong_is_named(
    line, ref: GroupRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, year: int, words: str
) -> None:
    made = certificate(tmp_path, datetime(year, 1, 1, tzinfo=UTC))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made))
    with greeting(made) as address, pytest.raises(UnavailableError) as caught:
        line(authority_host=address).groups.look(ref)
    assert f"by this computer's clock, the certificate of 127.0.0.1 {words}" in str(caught.value)
    assert "date and time" in str(caught.value)


def test_nobody_listens(line, ref: GroupRef) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"https://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1 cannot be reached: connection refused"):
        line(authority_host=address, retry_deadline=2).groups.look(ref)


def test_no_such_host(line, ref: GroupRef) -> None:
    with pytest.raises(UnavailableError, match=r"no-such-host\.invalid cannot be reached"):
        line(authority_host="https://no-such-host.invalid", retry_deadline=2).groups.look(ref)


def test_tokens_go_over_tls_only() -> None:
    with pytest.raises(OptionError, match="AZURE_RESOURCE_MANAGER_URL"):
        _ = AzureSettings(subscription="s", resource_manager_url="http://127.0.0.1:1").manager_url
    with pytest.raises(OptionError, match="AZURE_AUTHORITY_HOST"):
        _ = AzureSettings(subscription="s", authority_host="https://").authority
    assert AzureSettings(subscription="s", authority_host="login.example/").authority == "https://login.example"
    assert AzureSettings(subscription="s").scope == "https://management.azure.com/.default"


def test_an_operation_elsewhere_gets_no_token(line, clean: Running) -> None:
    from adapters.azure.session import Session

    session = Session(line().settings)
    assert session.operation("https://elsewhere.invalid/operations/1") is None
    assert session.operation(clean.url.replace("https", "http")) is None
    session.close()


@pytest.mark.parametrize(
    "address", ["", "host", "host:3128", "http://name:p%40ss@host:3128/", "socks5h://host:1", "http://[::1]:8"]
)
def test_a_proxy_may_be_written_in_many_ways(address: str) -> None:
    check_proxies({"HTTPS_PROXY": address})


@pytest.mark.parametrize(
    "address",
    [
        "http://name:p@ss/word@host:bad",
        "http://name:p#ss@host",
        "http://host:99999",
        "http://name:secret@[::1",
        "http://name:secret@",
    ],
)
def test_a_proxy_that_is_none_is_told_without_its_password(address: str) -> None:
    with pytest.raises(OptionError) as caught:
        check_proxies({"all_proxy": address})
    assert caught.value.message == "option all_proxy: is not the address of a proxy"
    assert caught.value.__suppress_context__
