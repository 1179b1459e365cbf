"""Through a proxy that asks for a password, past it, and what is said when it lets nothing through."""

from __future__ import annotations

from base64 import b64encode

import pytest

from adapters.tunnel import CommandSpec, run_command
from adapters.tunnel.channel.proxy import parse, proxy_for
from statemachine.errors import TunnelUnreachableError
from tests.connect_proxy import connect_proxy

SECRET = "p@ss w:rd/%"
QUOTED = "p%40ss%20w%3Ard%2F%25"
BASIC = b64encode(f"name:{SECRET}".encode()).decode()


@pytest.fixture(autouse=True)
def no_proxy_of_the_testers(monkeypatch):
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def run(endpoint, captured):
    server = endpoint()
    outcome = lambda: captured(  # noqa: E731
        lambda i, o, e: run_command(
            CommandSpec("cat; exit 3"), server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file
        ),
        b"through",
    )
    outcome.server = server
    return outcome


def test_bytes_pass_a_proxy_that_wants_a_password(run, monkeypatch):
    with connect_proxy(password=BASIC) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://name:{QUOTED}@127.0.0.1:{proxy.port}")
        outcome = run()
        assert (outcome.status, outcome.out) == (3, b"through")
        assert proxy.asked == [f"CONNECT localhost:{run.server.port} HTTP/1.1"]
        assert proxy.authorizations == [f"Basic {BASIC}"]


@pytest.mark.parametrize("exempt", ["localhost", "localhost:{port}", "other,localhost", "*"])
def test_no_proxy_is_obeyed(run, monkeypatch, exempt):
    with connect_proxy() as proxy:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", exempt.format(port=run.server.port))
        assert run().out == b"through"
        assert proxy.asked == []
        monkeypatch.setenv("no_proxy", "otherhost,10.0.0.0/8")
        assert run().out == b"through"
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("options", "address", "words"),
    [
        ({"password": BASIC}, "http://127.0.0.1:{port}", "asks for a name and a password, but none are in HTTPS_PROXY"),
        (
            {"password": BASIC},
            f"http://name:{QUOTED}x@127.0.0.1:{{port}}",
            "refused the name and password in HTTPS_PRO",
        ),
        ({"blocked": lambda _: True}, f"http://name:{QUOTED}@127.0.0.1:{{port}}", r"not connect .* \(403 Forbidden\)"),
        ({"answer": b"SSH-2.0-OpenSSH_9.2\r\n\r\n"}, f"http://name:{QUOTED}@127.0.0.1:{{port}}", "is no proxy"),
        ({"answer": b"HTTP/1.1 502"}, f"http://name:{QUOTED}@127.0.0.1:{{port}}", "closed the connection"),
    ],
)
def test_a_proxy_that_does_not_let_us_through_is_named_and_its_password_is_not(
    run, monkeypatch, options, address, words
):
    with connect_proxy(**options) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", address.format(port=proxy.port))
        with pytest.raises(TunnelUnreachableError, match=words) as caught:
            run()
    said = f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
    assert f"127.0.0.1:{proxy.port}" in said
    assert not {SECRET, QUOTED, BASIC, "p@ss"} & set(said.replace("@", " @").split())
    assert all(secret not in said for secret in (SECRET, QUOTED, BASIC))
    if options.get("blocked"):
        assert f"allow CONNECT to port {run.server.port} of *.atlas.cloudapp.azure.com" in said


@pytest.mark.parametrize(
    "address",
    [
        "http://name:p@ss/word@host:bad",
        "http://:8080",
        "http://name:secret@[::1",
        "http://host:99999999",
        "http://n:a#b@h:1",
    ],
)
def test_an_address_that_is_none_is_not_quoted(monkeypatch, address):
    monkeypatch.setenv("HTTPS_PROXY", address)
    with pytest.raises(TunnelUnreachableError, match="is not the address of a proxy") as caught:
        proxy_for("host", 443)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "p@ss" not in str(caught.value)


@pytest.mark.parametrize("kind", ["https", "socks5", "socks5h"])
def test_a_kind_of_proxy_that_we_do_not_speak_is_named(kind):
    with pytest.raises(TunnelUnreachableError, match=f"of the kind {kind}://") as caught:
        parse(f"{kind}://name:secret@host:1")
    assert "secret" not in str(caught.value)


def test_a_proxy_shows_its_place_only():
    proxy = parse("http://name:secret@host:3128")
    assert "secret" not in f"{proxy} {proxy!r}"
    assert (str(proxy), parse("host").port) == ("host:3128", 80)
