"""One appender at a time, over all processes and threads of a computer."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final

from eventlog.disk import PRIVATE_FILE
from statemachine.errors import LogError

PATIENCE: Final = 30.0
"""Seconds to wait; an append holds the lock for one sync, so only a stopped process or a hung disk takes so long."""

_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_FIRST_NAP: Final = 0.0001
_LONGEST_NAP: Final = 0.002

if sys.platform == "win32":

    def _try_lock(fd: int) -> bool:
        import portalocker

        try:
            portalocker.lock(fd, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.AlreadyLocked:
            return False
        return True

else:
    import fcntl

    # The very call portalocker makes here; importing portalocker takes longer than a whole `status` may.
    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Lock:
    """Holds the lock file while in its ``with`` block.

    The system lets go of it when the process dies, however it dies. Waiting is by asking again after short
    naps: a waiting call cannot be given a time limit, and naps of random length are fair enough.
    """

    __slots__ = ("_fd", "_path", "_patience")

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        self._path = path
        self._patience = patience
        self._fd = -1

    def __enter__(self) -> None:
        while True:
            fd = os.open(self._path, _FLAGS, PRIVATE_FILE)
            try:
                self._wait(fd)
                # Whoever deletes the lock file makes two of them; only the one with the name counts.
                if _same_file(fd, self._path):
                    self._fd = fd
                    return
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing unlocks: no other descriptor shares this one, for it is opened anew each time.
        fd, self._fd = self._fd, -1
        os.close(fd)

    def _wait(self, fd: int) -> None:
        if _try_lock(fd):
            return
        until = time.monotonic() + self._patience
        nap = _FIRST_NAP
        while not _try_lock(fd):
            if time.monotonic() >= until:
                raise LogError(
                    f"the event log is locked by another process since {self._patience:g} s ({self._path})",
                    remedy="Look for a stopped devpod-provider-aci process, and try again.",
                )
            time.sleep(nap)
            nap = min(nap * 1.2, _LONGEST_NAP)


def _same_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
