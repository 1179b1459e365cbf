"""One holder at a socket at a time, and how the container tells its heirs from strangers."""

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

from adapters.tunnel import local

OWNER_SIZE: Final = 16
PATIENCE: Final = 5.0
_PAUSE: Final = 0.05


@contextlib.contextmanager
def only_one(socket_path: Path) -> Iterator[bytes | None]:
    """Be the holder of this socket: gives the owner key of all its holders, None when another one serves.

    The kernel lets go of the lock when a holder dies, however it dies. So whoever has the lock knows that
    earlier holders with the same key are no more, and that their sessions in the container are orphans. The
    key is random and kept in the lock file: no other computer, user or folder can have the same.
    """
    path = socket_path.with_suffix(".lock")
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield _owner(fd, path) if _locked(fd, socket_path) else None
    finally:
        os.close(fd)


def _locked(fd: int, socket_path: Path) -> bool:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # One who has the lock but does not answer is about to listen, or about to go.
            if _answers(socket_path) or time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        else:
            return True


def _answers(socket_path: Path) -> bool:
    sock = local.connect(socket_path)
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
