"""Polls over the holder: it is signed in and connected already, so a look costs one round trip and no import.

One line of JSON each way on a socket beside the holder's own. Whatever goes wrong here, the caller asks Azure itself.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from statemachine.events import GroupRef
from statemachine.ports import Sighting

MOST: Final = 1 << 22
"""Bytes of a message; labels can be large."""
PATIENCE: Final = 10.0


class Look(msgspec.Struct, frozen=True):
    """What the holder saw, and as whom."""

    sighting: Sighting
    identity: str


def socket_for(holder: Path) -> Path:
    """Where the holder at that socket answers polls."""
    return holder.with_suffix(".poll")


def ask(path: Path, group: GroupRef) -> Look | None:
    """One look through the holder; None when there is none, or it cannot say."""
    if not path.exists():
        return None
    from adapters.tunnel.local import peer_is_us

    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(path))
            if not peer_is_us(sock):
                return None
            sock.sendall(msgspec.json.encode(group) + b"\n")
            return msgspec.json.decode(_line(sock), type=Look)
    except (OSError, msgspec.DecodeError):
        return None


def serve(path: Path, group: GroupRef, look: Callable[[GroupRef], Look]) -> None:
    """Answer polls about one group, in a thread of its own, until the process ends."""
    listener = socket.socket(socket.AF_UNIX)
    path.unlink(missing_ok=True)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(16)
    threading.Thread(target=_answer, args=(listener, group, look), daemon=True).start()


def _answer(listener: socket.socket, group: GroupRef, look: Callable[[GroupRef], Look]) -> None:
    from adapters.tunnel.local import peer_is_us
    from statemachine.errors import ProviderError

    while True:
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(PATIENCE)
            try:
                if peer_is_us(sock) and msgspec.json.decode(_line(sock), type=GroupRef) == group:
                    sock.sendall(msgspec.json.encode(look(group)) + b"\n")
            except (OSError, msgspec.DecodeError, ProviderError):
                # The caller gets no answer and asks Azure itself, which also gives it the right error.
                continue


def _line(sock: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = sock.recv(65536)
        if not piece or len(data) > MOST:
            raise ConnectionError("the other end left in the middle of a message")
        data += piece
    return data


def forget(holder: Path) -> None:
    """Remove what a holder that is gone left behind."""
    if os.name == "posix":
        socket_for(holder).unlink(missing_ok=True)
