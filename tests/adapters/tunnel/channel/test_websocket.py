"""Opening a channel."""

from __future__ import annotations

import socket
import threading

import pytest

from adapters.tunnel.channel.websocket import Channel
from statemachine.errors import TunnelUnreachableError


def test_nothing_is_asked_in_the_clear_whatever_the_address_says():
    heard = []

    def listen():
        sock, _ = listener.accept()
        with sock:
            heard.append(sock.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen)
        thread.start()
        with pytest.raises(TunnelUnreachableError):
            Channel.open(f"ws://127.0.0.1:{listener.getsockname()[1]}/exec", None, 5)
        thread.join()
    assert heard
    assert not heard[0].startswith(b"GET")
