"""A command's streams at the server: what a peer may not ask for, and what a full terminal must not lose."""

from __future__ import annotations

import os
import threading
import time
import tty

from adapters.tunnel import CommandSpec, TtySize, Tuning, run_command
from adapters.tunnel.loop import Loop
from adapters.tunnel.packets.messages import encode_open
from adapters.tunnel.packets.packet import Type
from adapters.tunnel.session import Session
from adapters.tunnel.starting import helperfile
from tests.waiting import PATIENCE, until

TRIES = 6
"""What a terminal holds differs from time to time, by what the kernel has passed on already."""


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


def room_of_a_terminal():
    """Bytes that a terminal takes while nobody reads."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    taken, quiet_since = 0, time.monotonic()
    while time.monotonic() - quiet_since < 0.1:
        try:
            taken += os.write(master, bytes(32748))
            quiet_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
    os.close(master)
    os.close(slave)
    return taken


def test_the_end_of_input_waits_for_room_in_a_terminal(endpoint, captured, tmp_path):
    server = endpoint()
    for number in range(TRIES):
        size = room_of_a_terminal()
        begun, go = tmp_path / f"begun{number}", tmp_path / f"go{number}"
        os.mkfifo(go)
        command = f"stty raw -echo; touch {begun}; read x <{go}; timeout --foreground 20 head -c {size + 1} | wc -c"
        stdin, feed = os.pipe()

        def fill(begun=begun, go=go, feed=feed, size=size):
            until(begun.exists)
            with os.fdopen(feed, "wb") as file:
                file.write(bytes(size))
            time.sleep(0.3)  # the terminal is as full as it gets, and the end is behind it
            go.write_text("\n")

        thread = threading.Thread(target=fill)
        thread.start()
        outcome = captured(
            lambda _, o, e, command=command, stdin=stdin: run_command(
                CommandSpec(command, tty=TtySize(24, 80)), server.opener, stdin=stdin, stdout=o, stderr=e,
                ca_file=server.ca_file,
            )
        )  # fmt: skip
        thread.join(PATIENCE)
        os.close(stdin)
        assert int(outcome.out) == size + 1
