"""Commands that are to end while they begin."""

from __future__ import annotations

import os
import secrets

from adapters.tunnel import CommandSpec, Tuning
from adapters.tunnel.loop import Loop
from adapters.tunnel.packets.messages import encode_open
from adapters.tunnel.session import Session
from adapters.tunnel.starting import helperfile
from tests.running import processes_with
from tests.waiting import PATIENCE, until

ENOUGH = 20
"""Who forks and who is forked take turns as the kernel likes."""


def test_a_command_that_is_killed_on_the_heels_of_its_beginning_leaves_nothing(endpoint):
    server, loop, ends = endpoint(), Loop(), []
    session = Session(
        loop, server.opener, helperfile.load_helper(), tuning=Tuning(dead=300, resume=60), ca_file=server.ca_file,
        on_event=lambda _: None, on_lost=ends.append,
    )  # fmt: skip
    mark = f"300.{secrets.randbelow(10**9)}"

    def opened(command):
        fds = [os.open(os.devnull, os.O_RDWR) for _ in range(3)]
        stream = session.open(encode_open(CommandSpec(command)), tuple(fds), lambda _, result: ends.append(result))
        for fd in fds:
            os.close(fd)
        return stream

    session.start()
    try:
        for _ in range(ENOUGH):
            opened(f"sleep {mark}; true").kill()
        opened("exit 4")
        while 4 not in ends:
            session.step()
        until(lambda: not processes_with(mark), PATIENCE / 3)
    finally:
        session.close()
        loop.close()
