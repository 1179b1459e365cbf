"""One appender at a time, over all processes and threads of a computer.

Where locks are advisory the log itself is locked: readers are not disturbed, and no second file can get lost.
Windows refuses reads of a locked range, so there a file beside the log is locked instead.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from eventlog.disk import Disk
from statemachine.errors import LogError

PATIENCE: Final = 30.0
"""Seconds to wait; an append holds the lock for one sync, so only a stopped process or a hung disk takes so long."""

LOCK_SUFFIX: Final = ".lock"
"""Of the file that is locked on Windows."""

_READER_PATIENCE: Final = 2.0
_FIRST_NAP: Final = 0.0001
_LONGEST_NAP: Final = 0.002

if sys.platform == "win32":
    import portalocker

    def _try_lock(fd: int) -> bool:
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


class Turn:
    """The log, open and ours alone, while in the ``with`` block.

    The system ends a turn when its process dies, however it dies. Waiting is by asking again after short
    naps: a waiting call cannot be given a time limit, and whoever asks at random gets its turn at random.
    """

    __slots__ = ("_disk", "_lock", "_path", "_patience", "fd", "status")

    fd: int
    """The log, to read and append."""
    status: os.stat_result
    """Of the log, as the turn began."""

    def __init__(self, path: Path, disk: Disk, patience: float) -> None:
        self._path = str(path)
        self._disk = disk
        self._patience = patience
        self._lock = -1

    def __enter__(self) -> Self:
        if sys.platform == "win32":
            self._lock = self._disk.open_append(self._path + LOCK_SUFFIX)
            try:
                self._wait(self._lock)
                self.fd = self._disk.open_append(self._path)
            except BaseException:
                self._disk.close(self._lock)
                raise
            self.status = os.fstat(self.fd)
            return self
        while True:
            fd = self._disk.open_append(self._path)
            try:
                self._wait(fd)
                status = os.fstat(fd)
                named = _status(self._path)
            except BaseException:
                self._disk.close(fd)
                raise
            if named is not None and named.st_ino == status.st_ino and named.st_dev == status.st_dev:
                self.fd, self.status = fd, status
                return self
            # Moved away while we waited: only the file with the name counts.
            self._disk.close(fd)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing unlocks: no other descriptor shares this one, for it is opened anew each time.
        self._disk.close(self.fd)
        if sys.platform == "win32":
            self._disk.close(self._lock)

    def _wait(self, fd: int) -> None:
        if _try_lock(fd):
            return
        until = time.monotonic() + self._patience
        nap = _FIRST_NAP
        while not _try_lock(fd):
            if time.monotonic() >= until:
                raise LogError(
                    f"another process has kept the event log {self._path} locked for {self._patience:g} s",
                    remedy="Look for a stopped devpod-provider-aci process, and try again.",
                )
            time.sleep(nap)
            nap = min(nap * 1.2, _LONGEST_NAP)


@contextmanager
def stillness(fd: int) -> Iterator[None]:
    """Nobody appends while in the ``with`` block, as far as a reader can have that."""
    if sys.platform == "win32":
        yield
        return
    until = time.monotonic() + _READER_PATIENCE
    locked = False
    while not locked and time.monotonic() < until:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            locked = True
        except BlockingIOError:
            time.sleep(_LONGEST_NAP)
        except OSError:
            break
    try:
        yield
    finally:
        if locked:
            fcntl.flock(fd, fcntl.LOCK_UN)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116  # a Path costs as much as the call, and every append makes it
    except FileNotFoundError:
        return None
