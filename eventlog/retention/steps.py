"""What archiving and expiring share: a lock, cutting the log's file between two events, and removing leftovers.

A segment leaves in this order, and a process that dies between two steps leaves a log that is whole:

1. what is kept of it is written beside it, under a name that nobody reads;
2. the tombstone is appended;
3. the kept lines get their name, from when on every reader takes them for the segments before;
4. the segments are removed.

Before step 2 nothing has happened yet; behind it, ``finish`` does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from eventlog.disk import Disk
from eventlog.failures import explained
from eventlog.files.pieces import Sealed, open_view
from eventlog.files.read import head_at
from eventlog.files.segments import DRAFT, KEPT, PENDING, Parts, folder, kept, named, parts
from eventlog.files.tail import read_tail
from eventlog.folding.recall import rebuild
from eventlog.folding.snapshot import path_of
from eventlog.lines import layout
from eventlog.lock import PATIENCE, try_lock
from eventlog.paths import TORN, blobs_path
from eventlog.retention.expired import Told, tombstones
from eventlog.retention.measure import Cut, entries
from eventlog.writing.roll import roll
from eventlog.writing.turn import Turn, outlast_leases
from statemachine.errors import BusyError, LogDamagedError, LogError

_AGAIN: Final = "Try again."
_BLOCK: Final = 1 << 20


@contextmanager
def alone(disk: Disk, log: Path) -> Iterator[None]:
    """Nobody else archives or expires while in the ``with`` block; appends go on. Raises BusyError, LogError."""
    path = blobs_path(log, "retention.lock")
    with explained(path, "written"):
        disk.make_folder(path.parent)
        fd = disk.open_append(str(path))
    try:
        if not try_lock(fd):
            raise BusyError(f"another process archives or expires events of {log}", remedy="Try again when it is done.")
        yield
    finally:
        disk.close(fd)


def cut(disk: Disk, log: Path, place: Cut) -> None:
    """Seal the lines of the log's file up to a place, and leave the others in it. Raises LogError, BusyError.

    Two renames: behind the first, the lines are in the segment and still in the file as well, and the file counts.
    """
    with explained(log, "written"), Turn(log, disk, PATIENCE) as turn:
        tail = read_tail(disk, turn.fd, log)
        if tail.size > tail.end or head_at(disk, turn.fd, place.offset) != place.head:
            raise BusyError(f"the event log {log} changed while it was read", remedy=_AGAIN)
        # Others may have written lines that they have not synced yet.
        disk.sync(turn.fd)
        if place.offset == tail.end:
            if not roll(disk, turn.fd, log, tail):
                raise LogError(
                    f"the event log {log} cannot be sealed", remedy="Check the folder beside it, and try again."
                )
            return
        segment = named(log, tail.base + 1, place.seq, place.head)
        disk.make_folder(segment.path.parent)
        drafts = {target: target.with_name(f"{DRAFT}{target.name}") for target in (segment.path, log)}
        _copy(disk, turn.fd, drafts[segment.path], 0, place.offset)
        _copy(disk, turn.fd, drafts[log], place.offset, tail.end)
        # Behind the copies, which may take seconds: no other log may have got the name that is given away here.
        if not outlast_leases(turn.fd, log):
            for draft in drafts.values():
                disk.unlink(draft)
            raise BusyError(f"the event log {log} was moved away while it was read", remedy=_AGAIN)
        for target, draft in drafts.items():
            disk.rename(draft, target)
            disk.sync_folder(target.parent)
    turn.forget()


def write_pending(disk: Disk, log: Path, last: int, head: str, lines: list[bytes]) -> str:
    """Step 1: the lines to keep, under a name that nobody reads; their SHA-256. Raises LogError."""
    path = kept(log, last, head).path.with_suffix(PENDING)
    data = b"".join(line + b"\n" for line in lines)
    with explained(path, "written"):
        disk.unlink(path)
        disk.make_folder(path.parent)
        fd = disk.create(path)
        try:
            disk.write_all(fd, data)
            disk.sync(fd)
        finally:
            disk.close(fd)
        disk.sync_folder(path.parent)
    return sha256(data).hexdigest()


def is_unfinished(log: Path) -> bool:
    """Whether something is left for ``finish`` to do. Raises LogError."""
    with explained(folder(log), "read"):
        return bool(parts(log).leftover or _pending(log) or _drafts(log))


def finish(disk: Disk, log: Path) -> bool:
    """Steps 3 and 4, where a tombstone was appended; else what was prepared is removed. Whether there was anything.

    Call it ``alone``. Raises LogError, LogDamagedError.
    """
    if not is_unfinished(log):
        return False
    with open_view(disk, log) as view:
        told = tombstones(view.pieces)
    with explained(log, "written"):
        for draft in _drafts(log):
            disk.unlink(draft)
        for path in _pending(log):
            if _was_told(log, path, told):
                disk.rename(path, path.with_suffix(KEPT))
                disk.sync_folder(path.parent)
            else:
                disk.unlink(path)
        gone = _remove(disk, log, told)
    if gone:
        with suppress(LogError):
            rebuild(disk, log)
    return True


def _remove(disk: Disk, log: Path, told: list[Told]) -> bool:
    """Step 4: segments whose lines expired, or are elsewhere, and what goes with them; whether there were any."""
    found = parts(log)
    if not found.leftover:
        return False
    _ensure_elsewhere(disk, found, told)
    # It may still tell of workspaces that are not kept.
    disk.unlink(path_of(log))
    for one in told:
        if found.kept and one.event.last <= found.kept.last:
            for name in one.event.aside:
                if name.startswith(f"{log.name}.{TORN}-") and Path(name).name == name:
                    disk.unlink(log.with_name(name))
    # Last, for as long as one of them is here, all of this is done again.
    for segment in found.leftover:
        disk.unlink(segment.path)
        disk.unlink(segment.packed)
    disk.sync_folder(folder(log))
    return True


def _ensure_elsewhere(disk: Disk, found: Parts, told: list[Told]) -> None:
    """Make sure that what is to be removed expired, or is elsewhere, for names alone prove neither.

    Raises LogError, LogDamagedError.
    """
    kept = found.kept
    if kept and not any((one.event.last, one.event.head) == (kept.last, kept.head) for one in told):
        raise LogDamagedError(f"{kept.path} stands for events that no tombstone speaks of; nothing was removed")
    for segment in found.leftover:
        if kept and segment.last <= kept.last:
            continue
        others = (one for one in found.sealed if one.first <= segment.last <= one.last)
        lines = (line for one in others for _, line, entry in entries(Sealed(disk, one)) if entry.seq == segment.last)
        if not any(layout.is_whole(line) and layout.hash_in(line) == segment.head for line in lines):
            raise LogDamagedError(f"{segment.path} has events that are nowhere else; nothing was removed")


def _was_told(log: Path, path: Path, told: list[Told]) -> bool:
    """Whether a tombstone speaks of just these lines."""
    digest = sha256(path.read_bytes()).hexdigest()
    wanted = path.with_suffix(KEPT)
    return any(
        kept(log, one.event.last, one.event.head).path == wanted and one.event.kept_sha256 == digest for one in told
    )


def _pending(log: Path) -> list[Path]:
    return sorted(folder(log).glob(f"*{PENDING}"))


def _drafts(log: Path) -> list[Path]:
    """What a process that died while cutting the log's file left. Drafts of segments are swept with those of rolls."""
    draft = log.with_name(f"{DRAFT}{log.name}")
    return [draft] if draft.exists() else []


def _copy(disk: Disk, source: int, target: Path, start: int, end: int) -> None:
    disk.unlink(target)
    fd = disk.create(target)
    try:
        while start < end:
            data = disk.read_at(source, min(_BLOCK, end - start), start)
            disk.write_all(fd, data)
            start += len(data)
        disk.sync(fd)
    finally:
        disk.close(fd)
