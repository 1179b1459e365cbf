"""Rolling: a file that has grown large becomes a sealed segment, and the next line begins a new file.

The rename is the one step that counts; a process that dies before or behind it leaves a log that is whole.
Compressing comes after, out of everybody's way: until the compressed file is whole and on the disk, the plain one
stays, and while both are there the plain one is read.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from eventlog.disk import Disk
from eventlog.failures import warn
from eventlog.files.pack import pack
from eventlog.files.pieces import Sealed
from eventlog.files.segments import DRAFT, folder, has_expired, named, sealed
from eventlog.files.tail import Tail, seq_in
from eventlog.lines import layout
from eventlog.paths import blobs_path
from eventlog.writing.turn import outlast_leases
from statemachine.errors import LogDamagedError

SEGMENT: Final = 64 << 20
"""Bytes from which on a file is sealed, unless set otherwise."""

_ANY_DRAFT: Final = re.compile(r"\.\d+-[0-9a-f]{8}\Z")
"""How the name ends under which a file is written that then gets its own: process id, and random digits."""
_STALE: Final = 3600.0


def roll(disk: Disk, fd: int, log: Path, tail: Tail) -> bool:
    """Seal the log's file, in our turn; False if that cannot be done, which is no reason not to append."""
    if tail.base < 0:
        # Under a wrong name it would hide other segments.
        warn(f"{log} has grown large and cannot be sealed: its first line was changed; `verify` says more")
        return False
    segment = named(log, tail.base + 1, tail.seq, tail.hash)
    try:
        disk.make_folder(segment.path.parent)
        if not outlast_leases(fd, log):
            return False
        disk.rename(log, segment.path)
    except OSError as error:
        if not log.exists():
            # Some file systems report an error for what they did.
            return True
        warn(f"{log} has grown large and cannot be moved to {segment.path.parent}: {error.strerror}")
        return False
    disk.sync_folder(segment.path.parent)
    disk.sync_folder(log.parent)
    return True


def end_of(disk: Disk, log: Path, size: int) -> Tail:
    """The end of a log whose file has no whole line: that of its last sealed segment.

    Raises OSError, LogError, LogDamagedError.
    """
    segments = sealed(log)
    if not segments:
        return Tail(0, layout.GENESIS, 0, size)
    segment = segments[-1]
    last = b""
    for _, data in Sealed(disk, segment).blocks():
        last = data[data.rfind(b"\n", 0, -1) + 1 : -1]
    if not (layout.is_whole(last) and layout.hash_in(last) == segment.head and seq_in(last) == segment.last):
        raise LogDamagedError(f"{segment.path} does not end with the line that its name tells")
    return Tail(segment.last, segment.head, 0, size, segment.last)


def compress(disk: Disk, log: Path) -> None:
    """Compress the segments that are not compressed yet, the leftovers of a process that died included."""
    for segment in sealed(log):
        if not segment.path.exists():
            continue
        draft = segment.packed.with_name(f"{DRAFT}{segment.packed.name}.{os.getpid()}-{os.urandom(4).hex()}")
        try:
            if not pack(disk, segment.path, draft):
                break
            disk.rename(draft, segment.packed)
            disk.sync_folder(draft.parent)
            if segment.path.exists():
                disk.unlink(segment.path)
            elif has_expired(segment):
                # Between our look at it and its new name: who removed the lines removed no such file.
                disk.unlink(segment.packed)
        except FileNotFoundError:
            # Somebody else compressed it meanwhile.
            with suppress(OSError):
                draft.unlink()
        except OSError as error:
            warn(f"{segment.path} cannot be compressed: {error.strerror or error}")
            with suppress(OSError):
                draft.unlink()
            break
    _sweep(log)


def _sweep(log: Path) -> None:
    """Remove what processes that died while writing left behind: of segments, snapshots, keys and documents."""
    beside = blobs_path(log, "keys").parent
    with suppress(OSError):
        found = [*folder(log).glob(f"{DRAFT}*")]
        found += [file for file in (*beside.glob("*"), *beside.glob("*/*")) if _ANY_DRAFT.search(file.name)]
        for draft in found:
            if time.time() - draft.stat().st_mtime > _STALE:
                draft.unlink()
