"""The caller's stdin, stdout and stderr, read and written without ever blocking, whatever they are."""

from __future__ import annotations

import os
import select
import socket
import stat


def _reopened(fd: int, flags: int) -> int | None:
    """The same pipe or terminal as an open file of our own, so that O_NONBLOCK stays ours alone."""
    try:
        return os.open(f"/proc/self/fd/{fd}", flags | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


class Source:
    """Where a command's input comes from."""

    def __init__(self, fd: int) -> None:
        mode = os.fstat(fd).st_mode
        own = _reopened(fd, os.O_RDONLY) if stat.S_ISFIFO(mode) else None
        self.fd = os.dup(fd) if own is None else own
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
        mode = os.fstat(fd).st_mode
        own = _reopened(fd, os.O_WRONLY) if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) else None
        self._socket: socket.socket | None = None
        # A pipe that polls as writable has room for this many bytes, so a blocking write of them does not wait.
        self._most = 0
        if own is not None:
            self.fd = own
        else:
            self.fd = os.dup(fd)
            if stat.S_ISSOCK(mode):
                self._socket = socket.socket(fileno=os.dup(fd))
            elif not stat.S_ISREG(mode):
                self._most = select.PIPE_BUF

    def write(self, data: memoryview) -> int:
        """How many bytes were taken, 0 when it is full; raises OSError when nobody reads any more."""
        try:
            if self._socket is not None:
                return self._socket.send(data, socket.MSG_DONTWAIT)
            if self._most:
                if not _is_ready(self.fd, select.POLLOUT):
                    return 0
                return os.write(self.fd, data[: self._most])
            return os.write(self.fd, data)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Let go of it."""
        if self._socket is not None:
            self._socket.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _is_ready(fd: int, events: int) -> bool:
    poll = select.poll()
    poll.register(fd, events)
    return bool(poll.poll(0))
