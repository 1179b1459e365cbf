"""A turn to append: the log's file, open and locked by this process."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from eventlog.disk import Disk
from eventlog.lock import LOCK_SUFFIX, try_lock, unlock, wait_for

_LOCKS_THE_LOG: Final = sys.platform != "win32"
STAYS_OPEN: Final = _LOCKS_THE_LOG
"""Whether the log is still open behind a turn."""
LEASE: Final = 0.005
"""Seconds for which a look at the log's name counts, so that not each of many appends in a row takes one.

Whoever takes the name from the file, in his turn, waits for so long first: no look from before his turn counts then.
"""


def outlast_leases(fd: int, path: Path) -> bool:
    """What comes first, in a turn, when the file is to lose its name: whoever looked before must look again then.

    False if it has lost it meanwhile, because somebody moved it away: the name may be another log's by now.
    """
    time.sleep(LEASE)
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(fd))
    return False


class Turn:
    """Holds the lock while in the ``with`` block; the system lets go of it when the process dies, however it dies.

    The file stays open from turn to turn, because opening it is a fifth of what an append costs besides the
    disk. A turn makes sure that it still is the file of that name, unless one did so a moment before.
    """

    __slots__ = ("_device", "_disk", "_inode", "_lease", "_lock", "_path", "_patience", "fd", "mode", "opened", "size")

    fd: int
    """The log, to read and append."""
    size: int
    """Of the log, as the turn began."""
    mode: int
    """Of the log, when its name was last looked at."""
    opened: int
    """How often the file was opened: an inode's number does not identify it, because numbers are used again."""

    def __init__(self, path: Path, disk: Disk, patience: float) -> None:
        self._path = str(path)
        self._disk = disk
        self._patience = patience
        self._device = self._inode = 0
        self._lease = 0.0
        self._lock = self.fd = -1
        self.opened = 0

    def __enter__(self) -> Self:
        try:
            while True:
                if self.fd < 0:
                    self._open()
                if _LOCKS_THE_LOG and not try_lock(self.fd):
                    wait_for(self.fd, self._path, self._patience)
                    self._lease = 0.0
                now = time.monotonic()
                if now < self._lease:
                    self.size = os.lseek(self.fd, 0, os.SEEK_END)
                    return self
                try:
                    # A Path would cost as much as the call.
                    status = os.stat(self._path)  # noqa: PTH116
                    if status.st_ino == self._inode and status.st_dev == self._device:
                        self.size, self.mode, self._lease = status.st_size, status.st_mode, now + LEASE
                        return self
                except FileNotFoundError:
                    pass
                # Moved away or deleted, perhaps while we waited: only the file with the name counts.
                self.forget()
        except BaseException:
            self.forget()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and _LOCKS_THE_LOG:
            unlock(self.fd)
        else:
            self.forget()

    def __del__(self) -> None:
        self.forget()

    def _open(self) -> None:
        if not _LOCKS_THE_LOG:
            self._lock = self._disk.open_append(self._path + LOCK_SUFFIX)
            if not try_lock(self._lock):
                wait_for(self._lock, self._path, self._patience)
        self.fd = self._disk.open_append(self._path)
        self.opened += 1
        status = os.fstat(self.fd)
        self._device, self._inode = status.st_dev, status.st_ino

    def forget(self) -> None:
        """Close the file, which unlocks it unless another process inherited it; a turn after that opens it again."""
        fds, self.fd, self._lock = (self.fd, self._lock), -1, -1
        self._lease = 0.0
        for fd in fds:
            if fd >= 0:
                os.close(fd)
