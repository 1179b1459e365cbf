"""How a relay and the server find each other: whatever else happens at that moment, no session is lost."""

from __future__ import annotations

import array
import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, run_command
from tests.adapters.tunnel.conftest import is_gone
from tests.waiting import PATIENCE, until

IN_BETWEEN = 0.2
"""Seconds in which another process is between two system calls: longer than it ever is."""


@pytest.fixture
def run(endpoint, captured):
    """Run a command over an endpoint of its own, which leaves a server behind."""
    server = endpoint()

    def run(command):
        return captured(
            lambda i, o, e: run_command(
                CommandSpec(command), server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file
            )
        )

    run.program = Path(server.behaviour.env["TMPDIR"], f".devpod-aci-{os.geteuid()}")
    return run


def servers(folder):
    """The processes that run a program of this folder and listen, each with the name it listens at."""
    lines = map(str.split, Path("/proc/net/unix").read_text().splitlines())
    sockets = {f"socket:[{words[6]}]": words[7] for words in lines if len(words) > 7}
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "exe").readlink().parent != folder:
                continue
            names = [sockets.get(str(fd.readlink()), "") for fd in (process / "fd").iterdir()]
        except OSError:
            continue
        found |= {int(process.name): "\0" + name[1:] for name in names if name.startswith("@devpod-aci-")}
    return found


def only_server(folder):
    """The one that is there, once what it has just forked has let go of its socket."""
    until(lambda: len(servers(folder)) == 1)
    ((process, name),) = servers(folder).items()
    return process, name


def test_a_server_that_is_about_to_listen_is_waited_for(run):
    run("true")
    process, name = only_server(run.program)
    os.kill(process, 9)
    assert is_gone(process)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(name)  # what another relay does just before it listens
        timer = threading.Timer(IN_BETWEEN, other.close)
        timer.start()
        assert run("exit 3").status == 3
        timer.join()


def test_a_command_that_ends_during_a_handover_does_not_end_it(run, tmp_path):
    begun, ends = tmp_path / "begun", tmp_path / "ends"
    os.mkfifo(ends)
    thread = threading.Thread(target=run, args=(f"touch {begun}; read x <{ends}",))
    thread.start()
    until(begun.exists)
    master, slave = os.openpty()
    with socket.socket(socket.AF_UNIX) as relay:
        _, name = only_server(run.program)
        relay.connect(name)
        time.sleep(IN_BETWEEN)  # by now the server waits for what the relay has to give
        ends.write_text("now\n")  # the command ends, and tells the server so by a signal
        time.sleep(IN_BETWEEN)
        relay.sendmsg([struct.pack("<I", 0)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [slave]))])
        os.close(slave)
        os.set_blocking(master, False)

        def greeted():
            try:
                return b"]probe-end[" in os.read(master, 65536)
            except BlockingIOError:
                return False

        until(greeted, PATIENCE / 4)
    os.close(master)
    thread.join(PATIENCE)
