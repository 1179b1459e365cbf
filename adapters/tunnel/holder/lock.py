"""One holder at a socket at a time, and the key by which the container knows its successors."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from adapters.tunnel.holder import protocol

OWNER_SIZE: Final = 16
PATIENCE: Final = 5.0
_PAUSE: Final = 0.05


class Lock:
    """The right to listen at a socket. ``owner`` is the key of all its holders, one after another."""

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._path = path
        self.owner = _owner(fd, path)

    def holds(self) -> bool:
        """Whether it is still worth something: who removes the file makes room for a second one."""
        try:
            there, ours = self._path.lstat(), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def touch(self) -> None:
        """Tell cleaners that it is in use."""
        with contextlib.suppress(OSError):
            os.utime(self._fd)

    def leave_to_a_stranger(self) -> None:
        """Let another holder have the socket while our session goes on; with a new key it does not end our session."""
        os.pwrite(self._fd, secrets.token_bytes(OWNER_SIZE), 0)
        self.give_up()

    def give_up(self) -> None:
        """Let others have it; once is enough."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@contextlib.contextmanager
def only_one(socket_path: Path) -> Iterator[Lock | None]:
    """Be the holder of this socket: None when another one serves.

    The kernel lets go of the lock when a holder dies, however it dies. So whoever has the lock knows that
    earlier holders with the same key are no more, and that their sessions in the container are orphans. The
    key is random and kept in the lock file: no other computer, user or folder can have the same.
    """
    path = socket_path.with_suffix(".lock")
    fd = _locked(path, socket_path)
    if fd is None:
        yield None
        return
    lock = Lock(fd, path)
    try:
        yield lock
    finally:
        lock.give_up()


def _locked(path: Path, socket_path: Path) -> int | None:
    deadline = time.monotonic() + PATIENCE
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
        else:
            return fd
        # One who has the lock but does not answer is about to listen, or about to go.
        if _answers(socket_path) or time.monotonic() > deadline:
            return None
        time.sleep(_PAUSE)


def _answers(socket_path: Path) -> bool:
    sock = protocol.connect(socket_path)
    if sock is None:
        return False
    sock.close()
    return True


def _owner(fd: int, path: Path) -> bytes:
    seed = os.pread(fd, OWNER_SIZE, 0)
    if len(seed) < OWNER_SIZE:
        seed = secrets.token_bytes(OWNER_SIZE)
        os.pwrite(fd, seed, 0)
    # A copied disk has the same file; the name of the computer and of the place tell such twins apart.
    place = f"{os.geteuid()}\0{socket.gethostname()}\0{path.resolve()}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(seed + place).digest()[:OWNER_SIZE]
