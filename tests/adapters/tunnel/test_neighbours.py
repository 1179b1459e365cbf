"""Others who can reach the helper's socket: abstract names belong to the network, which containers of a group share."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec, Tuning, run_command
from tests.waiting import until

INTRUDER = """
import array, os, socket, sys
name, user = sys.argv[1], int(sys.argv[2])
os.setgroups([]), os.setgid(user), os.setuid(user)
ours, theirs = socket.socketpair()
sock = socket.socket(socket.AF_UNIX)
sock.connect(chr(0) + name)
try:
    sock.sendmsg([bytes(4)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))])
except OSError:
    pass
theirs.close()
ours.settimeout(20)
print(ours.recv(16).startswith(b"~"))
"""
"""Gives the server a terminal, as a relay does, and tells whether it is greeted there."""


def name_of(folder):
    """The socket that a helper listens at whose file lies below a folder; empty where there is none."""
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    named = {f"socket:[{line[6]}]": line[7][1:] for line in lines if line[-1].startswith("@devpod-aci-")}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((process / "exe").readlink()).startswith(folder):
                held = {str(entry.readlink()) for entry in (process / "fd").iterdir()}
                if found := [name for link, name in named.items() if link in held]:
                    return found[0]
    return ""


CONTAINER = (shutil.which("unshare") or "", "--pid", "--mount-proc", "--fork")
"""Begins a container of its own, but for the network."""


@pytest.mark.skipif(os.geteuid() != 0 or not CONTAINER[0], reason="being in another container takes root")
@pytest.mark.parametrize(
    ("served", "around", "user", "greeted"),
    [
        ((), (), 0, True),
        ((), (), 65534, False),
        ((*CONTAINER, "setsid", "--ctty"), (), 0, False),
        ((*CONTAINER, "setsid", "--ctty"), CONTAINER, 0, False),
    ],
    ids=["ourselves", "another user", "root of the host", "root of another container"],
)
def test_the_server_serves_nobody_but_its_own_user_and_container(endpoint, captured, served, around, user, greeted):
    server = endpoint([*served, "/bin/sh"])

    def hold(i, o, e):
        spec = CommandSpec("cat")
        return run_command(spec, server.opener, stdin=i, stdout=o, stderr=e, ca_file=server.ca_file, tuning=Tuning())

    reading, writing = os.pipe()
    thread = threading.Thread(target=lambda: captured(lambda _, o, e: hold(reading, o, e)))
    thread.start()
    try:
        found = []
        until(lambda: found.append(name_of(server.behaviour.env["HOME"])) or found[-1])
        told = subprocess.run(
            [*around, sys.executable, "-c", INTRUDER, found[-1], str(user)], capture_output=True, text=True, check=True
        )
        assert told.stdout == f"{greeted}\n"
    finally:
        os.close(writing)
        thread.join()
        os.close(reading)
