"""How much of a log a collector has accepted: kept beside the log, because a collector cannot be asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from eventlog.disk import Disk
from eventlog.failures import explained
from eventlog.lines import layout
from eventlog.lock import try_lock
from statemachine.errors import BusyError, LogError


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """The last event that was accepted."""

    seq: int = 0
    hash: str = layout.GENESIS


def cursor_path(log_path: Path, log: str, target: str) -> Path:
    """The file for one log and one collector: neither a new log nor another collector begins in the middle."""
    name = sha256(f"{log} {target}".encode()).hexdigest()[:24]
    return log_path.with_name(log_path.name + ".d") / "otlp" / f"{name}.json"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Locks the cursor: two processes that read it at once would both send the lines behind it.

    The system releases the lock when this process ends, however it ends. Raises BusyError where another process has it,
    LogError.
    """
    lock = path.with_suffix(".lock")
    with explained(lock, "written"):
        Disk().make_folder(lock.parent)
        fd = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not try_lock(fd):
            raise BusyError("another process sends the same log to this collector", remedy="Let it finish.")
        yield
    finally:
        os.close(fd)


def load(path: Path) -> Cursor:
    """The cursor in a file; the beginning when there is none. Raises LogError for a file that is no cursor."""
    with explained(path, "read"):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return Cursor()
    try:
        return msgspec.json.decode(data, type=Cursor)
    except msgspec.MsgspecError as error:
        raise LogError(
            f"{path} is not a cursor of this program", remedy="Remove it to send the log again from its beginning."
        ) from error


def save(path: Path, cursor: Cursor) -> None:
    """Keep a cursor: the old one or the new one is there, whatever happens. Raises LogError."""
    with explained(path, "written"):
        Disk().replace(path, msgspec.json.encode(cursor))
