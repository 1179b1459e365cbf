"""The caller's stdin, stdout and stderr, read and written without ever blocking, whatever they are."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import sys
from collections.abc import Sequence
from typing import Final

PIPE_ROOM: Final = 256 * 1024
PIECES_MOST: Final = 64
_MULTIPLEXER: Final = (5, 2)
"""Numbers of Linux's /dev/ptmx."""


def _reopened(fd: int, flags: int) -> int | None:
    """The same pipe or terminal as an open file of our own, so that O_NONBLOCK stays ours alone."""
    try:
        return os.open(f"/proc/self/fd/{fd}", flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


def _can_be_reopened(status: os.stat_result) -> bool:
    """Whether opening it once more gives the same: a pseudo-terminal's master would be the master of a new one."""
    if stat.S_ISCHR(status.st_mode):
        return (os.major(status.st_rdev), os.minor(status.st_rdev)) != _MULTIPLEXER
    return stat.S_ISFIFO(status.st_mode)


def _roomy(fd: int) -> None:
    """Make a pipe larger: with the default of 64 KiB both of its ends do little else than wake each other."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # not allowed, or fuller than that: as it is will do
            if fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) < PIPE_ROOM:
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_ROOM)


class Source:
    """Where a command's input comes from."""

    def __init__(self, fd: int) -> None:
        status = os.fstat(fd)
        mode = status.st_mode
        # Of a terminal too: another reader may be faster than we are after the look whether something is there.
        own = _reopened(fd, os.O_RDONLY) if _can_be_reopened(status) else None
        self.fd = os.dup(fd) if own is None else own
        if stat.S_ISFIFO(mode):
            _roomy(self.fd)
        self._guarded = own is None

    def read(self, size: int) -> bytes | None:
        """What is there, at most ``size``; empty at the end, None when there is nothing yet."""
        if self._guarded and not _is_ready(self.fd, select.POLLIN):
            return None
        try:
            return os.read(self.fd, size)
        except BlockingIOError:
            return None
        except OSError:
            return b""  # a terminal that hung up has ended too

    def close(self) -> None:
        """Let go of it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Sink:
    """Where a command's output goes. ``write`` takes what fits; nothing here waits."""

    def __init__(self, fd: int) -> None:
        status = os.fstat(fd)
        mode = status.st_mode
        own = _reopened(fd, os.O_WRONLY) if _can_be_reopened(status) else None
        self._socket: socket.socket | None = None
        # A pipe that polls as writable has room for this many bytes, so a blocking write of them does not wait.
        self._most = 0
        if stat.S_ISFIFO(mode):
            _roomy(fd)
        self.fd = os.dup(fd) if own is None else own
        if stat.S_ISSOCK(mode):
            self._socket = socket.socket(fileno=self.fd)
        elif own is None and not stat.S_ISREG(mode):
            self._most = select.PIPE_BUF

    def write(self, pieces: Sequence[memoryview]) -> int:
        """How many bytes were taken, 0 when it is full; raises OSError when nobody reads any more."""
        try:
            if self._socket is not None:
                return self._socket.sendmsg(pieces, (), socket.MSG_DONTWAIT)
            if self._most:
                if not _is_ready(self.fd, select.POLLOUT):
                    return 0
                return os.write(self.fd, pieces[0][: self._most])
            return os.writev(self.fd, pieces)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.detach()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _is_ready(fd: int, events: int) -> bool:
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(0))
