"""What the server does with a peer that does not keep to the protocol."""

from __future__ import annotations

import os

from adapters.tunnel import CommandSpec, Tuning
from adapters.tunnel.loop import Loop
from adapters.tunnel.packets.messages import encode_open
from adapters.tunnel.packets.packet import Type
from adapters.tunnel.session import Session
from adapters.tunnel.starting import helperfile


def test_an_order_for_a_command_that_runs_starts_no_other(endpoint, tmp_path):
    server, loop, ends = endpoint(), Loop(), []
    session = Session(
        loop, server.opener, helperfile.load_helper(), tuning=Tuning(resume=60, backoff_first=0.05),
        ca_file=server.ca_file, on_event=lambda _: None, on_lost=ends.append,
    )  # fmt: skip
    go, other = tmp_path / "go", tmp_path / "other"
    os.mkfifo(go)
    null = os.open(os.devnull, os.O_RDWR)
    order = encode_open(CommandSpec(f"read x <{go}; exit 4"))
    stream = session.open(order, (null, null, null), lambda _, result: ends.append(result))
    os.close(null)
    session.start()
    try:
        while not stream.was_sent:
            session.step()
        session.link.send(Type.OPEN, stream.number, encode_open(CommandSpec(f"touch {other}; exit 5")))
        while server.sessions < 2 and not ends:
            session.step()
        with go.open("w") as command:
            command.write("\n")
        while not ends:
            session.step()
    finally:
        session.close()
        loop.close()
    assert ends == [4]
    assert not other.exists()
