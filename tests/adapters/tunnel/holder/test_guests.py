"""What others of the same user say to a holder's socket: it serves everybody else as before, whatever that is."""

from __future__ import annotations

import array
import os
import resource
import select
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from adapters.tunnel import CommandSpec
from adapters.tunnel.holder import protocol
from adapters.tunnel.packets import messages
from tests.waiting import until


def connected(holder):
    """A connection that has been greeted."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(30)
    sock.connect(str(holder.path))
    assert sock.recv(4096)
    return sock


def files_of(holder):
    """How many files the holder has open."""
    return len(list(Path(f"/proc/{holder.started[0].pid}/fd").iterdir()))


NONSENSE = [
    b"[" * 100_000 + b"\n",
    b'{"order": 1e999}\n',
    b'{"order": -5}\n',
    b'{"order": null}\n',
    b'{"order": true, "idle": "x"}\n',
    b'{"order": 5, "idle": NaN}\n',
    b'{"size": []}\n',
    b'{"size": [1e999, 1]}\n',
    b'{"size": [100000, -1]}\n',
    b'{"signal": 1e999}\n',
    b"[]\n",
    b"7\n",
    b'"stop"\n',
    b"\n",
    b"\xff\xfe\n",
    b'{"ask": ' + b"[" * 5000 + b"]" * 5000 + b"}\n",
]


@pytest.mark.parametrize("said", NONSENSE, ids=[said[:24].decode(errors="replace") for said in NONSENSE])
@pytest.mark.parametrize("running", [False, True])
def test_nonsense_ends_its_own_connection_only(held, said, running):
    holder = held()
    assert holder("echo before").out == b"before\n"
    with connected(holder) as sock, ExitStack() as opened:
        fds = [fd for _ in range(3) for fd in os.pipe()]
        for fd in fds:
            opened.callback(os.close, fd)
        if running:
            order = messages.encode_open(CommandSpec("sleep 60"))
            order = protocol.line({"order": len(order)}) + order
            rights = array.array("i", [fds[0], fds[3], fds[5]])
            sock.sendmsg([order], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        with suppress(OSError):
            sock.sendall(said)
        time.sleep(0.1)
        assert holder("echo after").out == b"after\n"
        assert len(holder.started) == 1


def test_descriptors_without_an_order_are_not_hoarded(held):
    holder = held()
    assert holder("true").status == 0
    before = files_of(holder)
    with connected(holder) as sock, suppress(OSError), Path(os.devnull).open() as nothing:
        rights = array.array("i", [nothing.fileno()] * 3)
        for _ in range(200):
            sock.sendmsg([b" "], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            time.sleep(0.001)
        time.sleep(0.3)
        assert files_of(holder) - before < 20
    until(lambda: files_of(holder) <= before)


def test_a_line_without_end_is_not_kept(held):
    holder = held()
    assert holder("true").status == 0
    with connected(holder) as sock, suppress(OSError):
        for _ in range(1024):
            sock.sendall(b" " * 65536)
            if select.select([sock], [], [], 0)[0]:
                break
    status = Path(f"/proc/{holder.started[0].pid}/status").read_text()
    most = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    assert most < 60_000
    assert holder("echo after").out == b"after\n"


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="tells by /proc what a process may do")
def test_a_holder_that_crashes_leaves_no_memory_behind(held):
    before = resource.getrlimit(resource.RLIMIT_CORE)
    if not before[1]:
        pytest.skip("nobody here leaves any")
    resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
    try:
        holder = held()
        assert holder("true").status == 0
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    limits = Path(f"/proc/{holder.started[0].pid}/limits").read_text().splitlines()
    assert next(line for line in limits if line.startswith("Max core file size")).split()[4] == "0"
