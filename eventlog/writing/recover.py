"""Sets an unfinished last line aside: it is kept in a file of its own, and an event in the chain says so."""

from __future__ import annotations

import errno
import os
from hashlib import sha256
from pathlib import Path

from eventlog.disk import Disk
from eventlog.files.tail import Tail
from eventlog.lines.codec import TornTailSetAside
from eventlog.paths import torn_path

_ATTEMPTS = 1000


def set_aside(disk: Disk, fd: int, path: Path, tail: Tail, moment: str) -> TornTailSetAside:
    """Copy the unfinished line beside the log, then cut it off; gives the event that has to be appended next.

    In that order: a process that dies in between leaves a copy too many, never a byte too few. ``verify``
    warns of copies the chain does not mention.
    """
    torn = disk.read_at(fd, tail.size - tail.end, tail.end)
    stamp = moment.partition(".")[0].replace("-", "").replace(":", "") + "Z"
    copy = _write_copy(disk, path, torn, tail.seq + 1, stamp)
    disk.sync_folder(path.parent)
    disk.truncate(fd, tail.end)
    return TornTailSetAside(size=len(torn), sha256=sha256(torn).hexdigest(), file=copy.name)


def _write_copy(disk: Disk, path: Path, torn: bytes, seq: int, stamp: str) -> Path:
    for attempt in range(_ATTEMPTS):
        copy = torn_path(path, seq, stamp, attempt)
        try:
            fd = disk.create(copy)
        except FileExistsError:
            continue
        try:
            disk.write_all(fd, torn)
            disk.sync(fd)
        except BaseException:
            copy.unlink()
            raise
        finally:
            disk.close(fd)
        return copy
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(torn_path(path, seq, stamp)))
