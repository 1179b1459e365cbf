"""A connection: whom it trusts, and that it comes about in time or not at all."""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from threading import Event, Thread
from types import SimpleNamespace

import pytest

from adapters.tunnel.channel.wire import Wire, tls_context
from statemachine.errors import TunnelUnreachableError

HELLO = b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"
"""The beginning of a server's answer in TLS, which goes on for 16 KiB."""


def test_a_handshake_a_byte_at_a_time_ends_in_time():
    over = Event()

    def drip(listener):
        with suppress(OSError), listener.accept()[0] as sock:
            sock.sendall(HELLO)
            while not over.wait(0.1):
                sock.sendall(b"\0")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=drip, args=(listener,))
        thread.start()
        begun = time.monotonic()
        with pytest.raises(TunnelUnreachableError, match=r"TLS with 127\.0\.0\.1:\d+ failed: timed out"):
            Wire.connect("127.0.0.1", listener.getsockname()[1], 1.0, None)
        assert time.monotonic() - begun < 30
        over.set()
        thread.join()


def test_a_system_store_that_cannot_be_looked_into_counts_as_none(monkeypatch):
    paths = SimpleNamespace(cafile=None, capath=f"/{'x' * 300}")  # an error other than that nothing is there
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    assert tls_context(None).get_ca_certs()
