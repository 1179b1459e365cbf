"""The one way into the log: lock, look at the end, write one line, sync, unlock."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from eventlog.codec import LOG_SUBJECT
from eventlog.compose import Composer
from eventlog.disk import Disk, make_private
from eventlog.failures import log_error, not_a_file, warn
from eventlog.lock import Lock
from eventlog.paths import lock_path
from eventlog.recover import set_aside
from eventlog.tail import Tail, read_tail
from statemachine.errors import LogError
from statemachine.events import Event
from statemachine.ports import Recorded

Check = Callable[[int, int], None]
"""Called under the lock with the open log and the offset of its end; raises to prevent the append."""


class Appender:
    """Appends events to one file."""

    def __init__(self, path: Path, composer: Composer, *, disk: Disk, patience: float) -> None:
        self._path = path
        self._composer = composer
        self._disk = disk
        self._lock_path = lock_path(path)
        self._patience = patience
        self._broken = ""

    def append(self, subject: str, event: Event, check: Check) -> Recorded:
        """Write one event after ``check`` agreed. Raises LogError, LogDamagedError, TypeError."""
        if self._broken:
            raise LogError(self._broken, remedy="Check the disk, then start the command again.")
        draft = self._composer.draft(subject, event)
        try:
            if not self._path.parent.exists():
                self._disk.make_folder(self._path.parent)
            with Lock(self._lock_path, self._patience):
                fd = self._disk.open_append(self._path)
                try:
                    tail = self._end(fd)
                    check(fd, tail.end)
                    line, recorded, _ = self._composer.line(draft, tail)
                    self._put(fd, line, tail)
                    return recorded
                finally:
                    self._disk.close(fd)
        except IsADirectoryError:
            raise not_a_file(self._path) from None
        except OSError as error:
            raise log_error(self._path, "written", error) from error

    def _end(self, fd: int) -> Tail:
        """The end of the log, once an unfinished line is out of the way."""
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise not_a_file(self._path)
        if not make_private(fd, status):
            warn(f"{self._path} can be read or written by other users, and only its owner can change that")
        tail = read_tail(self._disk, fd, self._path)
        if tail.end == tail.size:
            return tail
        event = set_aside(self._disk, fd, self._path, tail, self._composer.stamp())
        warn(f"an unfinished last line of {self._path} was set aside in {event.file}")
        line, _, after = self._composer.line(self._composer.draft(LOG_SUBJECT, event), tail)
        self._put(fd, line, tail)
        return after

    def _put(self, fd: int, line: bytes, tail: Tail) -> None:
        """Write and sync a line; whatever interrupts that, the line is taken back."""
        try:
            self._disk.write_all(fd, line)
            self._sync(fd, first=tail.seq == 0)
        except BaseException:
            # What cannot be taken back either stays as an unfinished line, which the next append sets aside.
            with suppress(OSError):
                self._disk.truncate(fd, tail.end)
            raise

    def _sync(self, fd: int, *, first: bool) -> None:
        try:
            self._disk.sync(fd)
            if first:
                self._disk.sync_folder(self._path.parent)
        except OSError as error:
            # The system may have dropped the page it could not write and call a second sync a success.
            self._broken = (
                f"the event log {self._path} could not be brought to the disk ({os.strerror(error.errno or 0)}),"
                " and nothing more is written to it by this process"
            )
            raise
