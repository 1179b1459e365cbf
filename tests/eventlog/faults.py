"""A disk that fails, or loses its process, at the system call a test chooses."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from eventlog.disk import Disk


class Killed(BaseException):
    """The process is gone: nothing it would still have done happens."""


class FaultyDisk(Disk):
    """Counts the calls that change something and fails at number ``at``.

    ``code`` is the error that call gives; None kills the process instead, before the call or, with ``after``,
    behind it. A killed write has written ``part`` of its bytes.
    """

    def __init__(self, at: int, code: int | None = None, *, part: float = 0.0, after: bool = False) -> None:
        self.at = at
        self.code = code
        self.part = part
        self.after = after
        self.calls: list[str] = []
        self.dead = False

    @property
    def struck(self) -> bool:
        return len(self.calls) >= self.at

    def _call(self, name: str) -> bool:
        """Whether this call is the one; a dead process makes no calls."""
        if self.dead:
            raise Killed
        self.calls.append(name)
        return len(self.calls) == self.at

    def _strike(self) -> None:
        if self.code is None:
            self.dead = True
            raise Killed
        raise OSError(self.code, os.strerror(self.code))

    def open_append(self, path: str) -> int:
        if self._call("open"):
            self._strike()
        return super().open_append(path)

    def create(self, path: Path) -> int:
        if self._call("create"):
            self._strike()
        return super().create(path)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if not self._call("write"):
            return super().write(fd, data)
        some = bytes(data)[: int(len(data) * self.part)]
        if some:
            os.write(fd, some)
        if self.code == errno.ENOSPC and some:
            self.at += 1  # a full disk takes what fits, and refuses at the next call
            return len(some)
        self._strike()
        raise AssertionError

    def sync(self, fd: int) -> None:
        strikes = self._call("sync")
        if strikes and not self.after:
            self._strike()
        super().sync(fd)
        if strikes:
            self._strike()

    def truncate(self, fd: int, size: int) -> None:
        strikes = self._call("truncate")
        if strikes and not self.after:
            self._strike()
        super().truncate(fd, size)
        if strikes:
            self._strike()

    def sync_folder(self, path: Path) -> None:
        if self._call("sync_folder"):
            self._strike()
        super().sync_folder(path)


class RollingDisk(FaultyDisk):
    """Counts renames and removals too."""

    def rename(self, source: Path, target: Path) -> None:
        if self._call("rename"):
            if self.after:
                super().rename(source, target)
            self._strike()
        super().rename(source, target)

    def unlink(self, path: Path) -> None:
        if self._call("unlink"):
            self._strike()
        super().unlink(path)
