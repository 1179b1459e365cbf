"""Where a holder listens. Others may take the file away: a cleaner of temporary folders, a holder that came later."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from adapters.tunnel.holder import protocol
from adapters.tunnel.loop import Loop

BACKLOG: Final = 64
PAUSE: Final = 0.1


class HolderSocket:
    """Listens at a path whose lock we have; ``on_client`` gets the connections of our own user."""

    def __init__(self, path: Path, loop: Loop, on_client: Callable[[socket.socket], None]) -> None:
        self._path = path
        self._loop = loop
        self._on_client = on_client
        self._listener: socket.socket | None = None
        self._inode = 0
        self.listen()

    def listen(self) -> None:
        """Begin, or begin again; a file that is there belongs to a holder that died, for we have the lock.

        Raises OSError.
        """
        self.close(remove=False)
        self._path.unlink(missing_ok=True)
        with contextlib.ExitStack() as opened:
            listener = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            before = os.umask(0o177)
            try:
                listener.bind(str(self._path))
            finally:
                os.umask(before)
            listener.listen(BACKLOG)
            self._inode = self._path.lstat().st_ino
            opened.pop_all()
        listener.settimeout(0)
        self._listener = listener
        self._loop.watch(listener.fileno(), select.POLLIN, self._accept)

    def reachable(self) -> bool:
        """Whether the file is there, and ours."""
        try:
            return self._path.lstat().st_ino == self._inode
        except OSError:
            return False

    def touch(self) -> None:
        """Tell cleaners that it is in use."""
        with contextlib.suppress(OSError):
            os.utime(self._path, follow_symlinks=False)

    def close(self, *, remove: bool) -> None:
        """Stop listening. The file goes first, unless another holder has the place: who comes later starts anew."""
        if self._listener is None:
            return
        if remove:
            self._path.unlink(missing_ok=True)
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        self._listener = None

    def _accept(self, _: int) -> None:
        if self._listener is None:
            return
        try:
            sock, _address = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:  # no descriptor is left: who waits is not refused, only later
            self._loop.forget(self._listener.fileno())
            self._loop.after(PAUSE, self._resume)
            return
        if protocol.peer_is_us(sock):
            self._on_client(sock)
        else:
            sock.close()

    def _resume(self) -> None:
        if self._listener is not None:
            self._loop.watch(self._listener.fileno(), select.POLLIN, self._accept)
