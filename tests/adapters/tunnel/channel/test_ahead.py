"""Connections made ahead: taken where they lead to the right place, closed where not."""

from __future__ import annotations

import socket

import pytest

from adapters.tunnel import CommandSpec, ExecEndpoint, run_command
from adapters.tunnel.channel.ahead import Ahead, place_of
from statemachine.errors import TunnelUnreachableError
from tests.waiting import until


def run(captured, server, ahead):
    def opener():
        given = server.opener()
        return ExecEndpoint(given.uri, given.password, ahead)

    return captured(
        lambda i, o, e: run_command(CommandSpec("cat"), opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file),
        b"data",
    )


def test_the_place_of_an_address():
    assert place_of("wss://host.example:19390/execstream?x=1") == "host.example:19390"
    assert place_of("wss://host.example/exec") == "host.example:443"
    assert place_of("ws://host/") == place_of("nonsense") == ""


def test_the_connection_is_used(endpoint, captured):
    server = endpoint()
    ahead = Ahead(f"localhost:{server.port}", server.ca_file, 5)
    assert run(captured, server, ahead).out == b"data"
    assert server.accepted == 1
    until(lambda: not server.connected)


def test_one_that_leads_elsewhere_is_closed(endpoint, captured):
    server, other = endpoint(), endpoint()
    ahead = Ahead(f"localhost:{other.port}", other.ca_file, 5)
    assert run(captured, server, ahead).out == b"data"
    assert server.accepted == 1
    until(lambda: other.accepted == 1 and not other.connected)


def test_one_that_was_closed_meanwhile_is_made_again(endpoint, captured):
    server = endpoint()
    ahead = Ahead(f"localhost:{server.port}", server.ca_file, 5)
    until(lambda: server.connected)
    server.drop_all()
    until(lambda: not server.connected)
    assert run(captured, server, ahead).out == b"data"
    assert server.accepted == 2


def test_what_kept_it_from_being_made_is_told_once(endpoint):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        place = f"127.0.0.1:{closed.getsockname()[1]}"
    ahead = Ahead(place, None, 5)
    with pytest.raises(TunnelUnreachableError, match="Connection refused"):
        ahead.take(place)


@pytest.mark.parametrize("place", ["", "nonsense", "host:port", ":1"])
def test_a_place_that_is_none_does_no_harm(endpoint, captured, place):
    assert run(captured, endpoint(), Ahead(place, None, 1)).out == b"data"


def test_one_dropped_while_it_is_made_is_closed(endpoint):
    server = endpoint()
    ahead = Ahead(f"localhost:{server.port}", server.ca_file, 5)
    ahead.drop()
    until(lambda: server.accepted == 1 and not server.connected)
    ahead.drop()
