"""``-o``: output to a file that is put into place once it is complete, and never over a file of an event log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from adapters.cli.call_error import CallError
from eventlog import default_path
from eventlog.disk import Disk
from eventlog.paths import TORN


@contextmanager
def output(path: Path | None, *sources: Path) -> Iterator[BinaryIO]:
    """Standard output for None or ``-``; else a file for its owner only, which appears when it is whole.

    A device or a pipe is written to as it is. Raises CallError for what cannot be written, and for a part of the
    user's own log or of the ``sources``.
    """
    if path is None or str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(os.path.realpath(path))
    for log in (default_path(os.environ), *sources):
        if _is_part_of(target, Path(os.path.realpath(log))):
            raise CallError(f"-o {path}: that is the event log {log} itself, or a part of it; name another file")
    try:
        with _opened(target) as file:
            yield file
    except OSError as error:
        raise CallError(f"-o {path} cannot be written: {error.strerror or error}") from error


@contextmanager
def _opened(target: Path) -> Iterator[BinaryIO]:
    if target.exists() and not target.is_file():
        # A file in the place of a device or a pipe would be something else to everybody who uses that.
        with target.open("wb") as file:
            yield file
        return
    disk = Disk()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(disk.create(draft), "wb") as file:
            yield file
            file.flush()
            disk.sync(file.fileno())
        draft.replace(target)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _is_part_of(target: Path, log: Path) -> bool:
    """Whether a file is the log, under whatever name, one of those in its folder, or one that was set aside."""
    with suppress(OSError):
        if target.samefile(log):
            return True
    beside = target.parent == log.parent and target.name.startswith(f"{log.name}.{TORN}-")
    return target == log or beside or log.with_name(f"{log.name}.d") in target.parents
