"""TCP as the emulator needs it: small buffers, and the news that the other end has gone.

A side that is held up does not read, and who does not read never sees the end of the stream.
The kernel knows all the same.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

# The kernel would let megabytes pile up on loopback: too late for back-pressure to be felt.
BUFFER = 262144
_LOOK = 0.2
# TCP_CLOSE (reset) and TCP_CLOSE_WAIT (the other end has said that it sends no more).
_GONE = (7, 8)


def listening(host: str, port: int) -> socket.socket:
    """A bound socket whose connections have small buffers, both ways."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    sock.bind((host, port))
    return sock


async def gone(sock: Any, progress: Callable[[], int]) -> None:
    """Return once the peer has closed and ``progress`` has stood still since."""
    before = -1
    while True:
        await asyncio.sleep(_LOOK)
        try:
            state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        except OSError:
            return
        if state not in _GONE:
            before = -1
            continue
        if before == progress():
            return
        before = progress()
