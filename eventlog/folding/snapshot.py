"""The folded state of all workspaces up to a place in the log, in a file beside it: a cache, and no more than that.

It is bound to the log by the hash at its place, and to the program by a fingerprint of what folding means. It is
written without a sync, because losing it costs one reading of the log; so every part of it carries a checksum.
Workspaces stand in buckets by a hash of their name, so that looking up one of many reads one bucket.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from eventlog.disk import Disk
from eventlog.files.pieces import Place
from eventlog.lines.codec import READERS, encode
from eventlog.paths import blobs_path
from statemachine import events as e
from statemachine.fold import CHANGES, OpenIntent, Workspace
from statemachine.states import State
from statemachine.table import TABLE

_MAGIC: Final = b"ACISNAP1"
_START: Final = struct.Struct("<8s32sI")
_SUM: Final = 32
_BUCKET: Final = 16
"""Workspaces in a bucket, on the average."""


class SnapshotError(Exception):
    """A snapshot that cannot be used; the text says why, as the rest of a sentence."""


class _Intent(msgspec.Struct, array_like=True, gc=False):
    seq: int
    time: datetime
    type: str
    data: bytes


class _Entry(msgspec.Struct, array_like=True, gc=False):
    """A Workspace, with its events by name, as bytes."""

    state: State
    version: int
    since: datetime | None
    created: datetime | None
    started: datetime | None
    group: e.GroupRef | None
    facts: e.GroupFacts | None
    intent: _Intent | None
    failure: e.Failure | None
    commands: dict[str, _Intent]


_Bucket = dict[str, _Entry | None]


class _Header(msgspec.Struct, array_like=True, gc=False):
    fingerprint: bytes
    place: Place
    sizes: list[int]
    """Of each bucket."""


_encode: Final = msgspec.msgpack.Encoder().encode
_header: Final = msgspec.msgpack.Decoder(_Header).decode


def path_of(log: Path) -> Path:
    """Where the snapshot of a log is."""
    return blobs_path(log, "snapshot")


@cache
def fingerprint() -> bytes:
    """What folding means to this version of the program: a snapshot of another meaning is not for us."""
    kinds = [(name, kind.VERSION, kind.__struct_fields__) for name, kind in e.EVENT_TYPES.items()]
    meaning = (kinds, TABLE, CHANGES, Workspace.__struct_fields__, _Entry.__struct_fields__)
    return sha256(repr(meaning).encode()).digest()[:16]


def save(disk: Disk, log: Path, place: Place, states: Mapping[str, Workspace | None]) -> None:
    """Replace the snapshot. Raises OSError."""
    path = path_of(log)
    buckets: list[_Bucket] = [{} for _ in range(len(states) // _BUCKET + 1)]
    for subject, workspace in states.items():
        buckets[_bucket_of(subject, len(buckets))][subject] = None if workspace is None else _packed(workspace)
    bodies = [_encode(bucket) for bucket in buckets]
    header = _encode(_Header(fingerprint(), place, [len(body) for body in bodies]))
    parts = [_START.pack(_MAGIC, sha256(header).digest(), len(header)), header]
    for number, body in enumerate(bodies):
        parts += (_sum(place, number, body), body)
    disk.replace(path, b"".join(parts), durable=False)


class Snapshot:
    """An open snapshot. Raises SnapshotError when it is not whole, or not for this version of the program."""

    def __init__(self, disk: Disk, fd: int) -> None:
        self._disk = disk
        self._fd = fd
        start = disk.read_at(fd, _START.size, 0)
        if len(start) < _START.size:
            raise SnapshotError("is cut off")
        magic, checksum, size = _START.unpack(start)
        if magic != _MAGIC:
            raise SnapshotError("is no snapshot")
        data = disk.read_at(fd, size, _START.size) if size < os.fstat(fd).st_size else b""
        if sha256(data).digest() != checksum:
            raise SnapshotError("was changed")
        try:
            header = _header(data)
        except msgspec.MsgspecError:
            raise SnapshotError("is of another version of this program") from None
        if header.fingerprint != fingerprint():
            raise SnapshotError("is of another version of this program")
        self.place = header.place
        self.size = os.fstat(fd).st_size
        self._sizes = header.sizes
        self._begin = _START.size + size

    def get(self, subject: str) -> Workspace | None:
        """A workspace; an empty one if nothing happened to it; None if its history cannot be folded.

        Raises SnapshotError.
        """
        bucket = self._read(_bucket_of(subject, len(self._sizes)))
        return _unpacked(subject, bucket[subject]) if subject in bucket else Workspace(subject=subject)

    def items(self) -> Iterator[tuple[str, Workspace | None]]:
        """All workspaces that something happened to. Raises SnapshotError."""
        for number in range(len(self._sizes)):
            for subject, entry in self._read(number).items():
                yield subject, _unpacked(subject, entry)

    def _read(self, number: int) -> _Bucket:
        at = self._begin + sum(self._sizes[:number]) + number * _SUM
        data = self._disk.read_at(self._fd, _SUM + self._sizes[number], at)
        if data[:_SUM] != _sum(self.place, number, data[_SUM:]):
            raise SnapshotError("was changed")
        return msgspec.msgpack.decode(data[_SUM:], type=_Bucket)


def _bucket_of(subject: str, count: int) -> int:
    return int.from_bytes(sha256(subject.encode()).digest()[:8], "big") % count


def _sum(place: Place, number: int, body: bytes) -> bytes:
    """A bucket's checksum, which holds for it alone in this snapshot alone."""
    return sha256(b"%b %d " % (place.head.encode(), number) + body).digest()


def _packed(workspace: Workspace) -> _Entry:
    return _Entry(
        workspace.state,
        workspace.version,
        workspace.since,
        workspace.created,
        workspace.started,
        workspace.group,
        workspace.facts,
        None if workspace.intent is None else _packed_intent(workspace.intent),
        workspace.failure,
        {command: _packed_intent(opened) for command, opened in workspace.commands.items()},
    )


def _packed_intent(intent: OpenIntent) -> _Intent:
    return _Intent(intent.seq, intent.time, e.name_of(intent.event), encode(intent.event))


def _unpacked(subject: str, entry: _Entry | None) -> Workspace | None:
    if entry is None:
        return None
    return Workspace(
        subject=subject,
        state=entry.state,
        version=entry.version,
        since=entry.since,
        created=entry.created,
        started=entry.started,
        group=entry.group,
        facts=entry.facts,
        intent=None if entry.intent is None else _unpacked_intent(entry.intent),
        failure=entry.failure,
        commands={command: _unpacked_intent(opened) for command, opened in entry.commands.items()},
    )


def _unpacked_intent(kept: _Intent) -> OpenIntent:
    event = READERS[kept.type, e.EVENT_TYPES[kept.type].VERSION](kept.data)
    if not isinstance(event, e.Intent):
        raise SnapshotError(f"has a {kept.type} for an intent")
    return OpenIntent(kept.seq, kept.time, event)
