"""The system calls of the log, in one place, so that tests can make each of them fail."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700

_COMMON: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# A pipe under the log's name must be an error, not a process that waits for ever.
_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _COMMON
# O_APPEND: should a lock ever fail to hold, lines may be out of order, which shows, but none is overwritten.
_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | _COMMON


if sys.platform == "darwin":
    import fcntl

    def _sync(fd: int) -> None:
        # fsync on macOS leaves the bytes in the drive's cache.
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)

else:
    # Syncs the length along with the bytes, and spares the disk the times.
    _sync = getattr(os, "fdatasync", os.fsync)


class Disk:
    """Reads, writes and syncs of open files, by descriptor."""

    def open_read(self, path: str) -> int:
        """A descriptor to read an existing file."""
        return os.open(path, _READ)

    def open_append(self, path: str) -> int:
        """A descriptor to read and append; the file is made, for its owner only, if it is not there."""
        return os.open(path, _APPEND, PRIVATE_FILE)

    def create(self, path: Path) -> int:
        """A descriptor to write a file that must not exist yet."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _COMMON, PRIVATE_FILE)
        make_private(fd, os.fstat(fd))
        return fd

    if hasattr(os, "pread"):

        def read_at(self, fd: int, size: int, offset: int) -> bytes:
            """Up to ``size`` bytes from ``offset``; fewer only at the end of the file."""
            data = os.pread(fd, size, offset)
            while data and len(data) < size and (more := os.pread(fd, size - len(data), offset + len(data))):
                data += more
            return data

    else:

        def read_at(self, fd: int, size: int, offset: int) -> bytes:
            """Up to ``size`` bytes from ``offset``; fewer only at the end of the file."""
            os.lseek(fd, offset, os.SEEK_SET)
            data = os.read(fd, size)
            while data and len(data) < size and (more := os.read(fd, size - len(data))):
                data += more
            return data

    write = staticmethod(os.write)
    """Write what the system takes in one call; returns how much that was."""

    sync = staticmethod(_sync)
    """Return when the file's bytes and its length are on the disk."""

    def truncate(self, fd: int, size: int) -> None:
        """Cut the file."""
        os.ftruncate(fd, size)

    def sync_folder(self, path: Path) -> None:
        """Return when the folder's entries are on the disk; Windows has no such call and needs none."""
        if sys.platform != "win32":
            fd = os.open(path, os.O_RDONLY | _COMMON)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, in one step."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file; that it is gone already is fine."""
        path.unlink(missing_ok=True)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    def write_all(self, fd: int, data: bytes) -> None:
        """Write everything: one call, and more only where the system took a part."""
        written = self.write(fd, data)
        while written < len(data):
            written += self.write(fd, memoryview(data)[written:])

    def write_anew(self, fd: int, start: int, end: int) -> None:
        """Write a part of a file once more, as it is, and sync it; the descriptor is no good for appending then."""
        data = self.read_at(fd, end - start, start)
        if sys.platform != "win32":
            import fcntl

            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_APPEND)
        os.lseek(fd, start, os.SEEK_SET)
        self.write_all(fd, data)
        self.sync(fd)

    def replace(self, path: Path, data: bytes, *, durable: bool = True) -> None:
        """Put a file in its place in one step: the old one or the new one is there, and no draft of it stays.

        Not ``durable``, a power cut may leave neither: for what can be had again. Raises OSError.
        """
        with self._drafted(path, data, durable=durable) as draft:
            self.rename(draft, path)

    def create_once(self, path: Path, data: bytes) -> None:
        """Put a file in its place, whole or not at all, unless there is one by then. Raises OSError."""
        with self._drafted(path, data, durable=True) as draft, suppress(FileExistsError):
            path.hardlink_to(draft)

    @contextmanager
    def _drafted(self, path: Path, data: bytes, *, durable: bool) -> Iterator[Path]:
        self.make_folder(path.parent)
        # Another process may write the same file at this moment; each has a name of its own until it is whole.
        draft = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
        fd = self.create(draft)
        try:
            try:
                self.write_all(fd, data)
                if durable:
                    self.sync(fd)
            finally:
                self.close(fd)
            yield draft
            if durable:
                self.sync_folder(path.parent)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        """Make a folder and the missing ones above it, for their owner only, so that they stay."""
        missing: list[Path] = []
        while not path.exists():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            try:
                folder.mkdir(mode=PRIVATE_FOLDER)
            except FileExistsError:
                continue
            if sys.platform != "win32":
                folder.chmod(PRIVATE_FOLDER)
            self.sync_folder(folder.parent)


def make_private(fd: int, status: os.stat_result) -> bool:
    """Take other users' rights off a file, whatever the umask; False when they had some and keep them."""
    if sys.platform == "win32" or stat.S_IMODE(status.st_mode) == PRIVATE_FILE:
        return True
    try:
        os.fchmod(fd, PRIVATE_FILE)
    except OSError:
        return not is_open_to_others(status)
    return True


def is_open_to_others(status: os.stat_result) -> bool:
    """Whether group or others have any right on a file; Windows keeps that elsewhere."""
    return sys.platform != "win32" and bool(status.st_mode & 0o077)
