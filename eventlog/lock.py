"""Locks over all processes of a computer: one appender at a time, and readers that may ask for a still moment.

Where locks are advisory the log itself is locked: readers are not disturbed, and no second file can get lost.
Windows refuses reads of a locked range, so there a file beside the log is locked instead.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from statemachine.errors import LogError

PATIENCE: Final = 30.0
"""Seconds to wait; an append holds the lock for one sync, so only a stopped process or a hung disk takes so long."""

LOCK_SUFFIX: Final = ".lock"
"""Of the file that is locked on Windows."""

_READER_PATIENCE: Final = 2.0
_FIRST_NAP: Final = 0.0001
_LONGEST_NAP: Final = 0.003

if sys.platform == "win32":
    import portalocker

    def try_lock(fd: int) -> bool:
        """Lock a file if nobody else has."""
        try:
            portalocker.lock(fd, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.AlreadyLocked:
            return False
        return True

    def unlock(fd: int) -> None:
        """Let go of a lock."""
        portalocker.unlock(fd)

else:
    import fcntl

    _EXCLUSIVE: Final = fcntl.LOCK_EX | fcntl.LOCK_NB

    # The very calls portalocker makes here; importing portalocker takes longer than a whole `status` may.
    def try_lock(fd: int) -> bool:
        """Lock a file if nobody else has."""
        try:
            fcntl.flock(fd, _EXCLUSIVE)
        except BlockingIOError:
            return False
        return True

    def unlock(fd: int) -> None:
        """Let go of a lock."""
        fcntl.flock(fd, fcntl.LOCK_UN)


def wait_for(fd: int, path: Path | str, patience: float) -> None:
    """Lock a file that somebody else has locked at the moment. Raises LogError when that takes too long.

    Waiting is by asking again after short naps: a waiting call cannot be given a time limit, and whoever asks
    at random gets its turn at random.
    """
    until = time.monotonic() + patience
    nap = _FIRST_NAP
    while not try_lock(fd):
        if time.monotonic() >= until:
            raise LogError(
                f"another process has kept the event log {path} locked for {patience:g} s",
                remedy="Look for a stopped devpod-provider-aci process, and try again.",
            )
        time.sleep(nap)
        nap = min(nap * 1.3, _LONGEST_NAP)


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
            unlock(fd)
