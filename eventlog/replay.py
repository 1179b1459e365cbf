"""From lines to events: one subject's, or everybody's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from eventlog import layout
from eventlog.codec import event_of
from eventlog.disk import Disk
from eventlog.read import blocks, damaged, lines_with, needle
from eventlog.record import Record
from statemachine.ports import Recorded


class _Entry(msgspec.Struct, gc=False):
    """The parts of a line that the lifecycle needs; the parser steps over the others."""

    time: datetime
    type: str
    subject: str
    seq: int
    schema: int
    data: msgspec.Raw


_entry: Final = msgspec.json.Decoder(_Entry).decode
_record: Final = msgspec.json.Decoder(Record).decode


def of_subject(
    disk: Disk, fd: int, path: Path, subject: str, *, after: int, start: int
) -> Iterator[tuple[list[Recorded], int]]:
    """One subject's events from an offset on, block by block, each block with the offset behind it.

    ``after`` is the seq of the subject's last event before ``start``. Raises LogError, LogDamagedError.
    """
    wanted = needle(subject)
    last = after
    for at, data in blocks(disk, fd, path, start):
        found: list[Recorded] = []
        for offset, line in lines_with(wanted, data):
            try:
                entry = _entry(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise damaged(disk, fd, path, at + offset, f"is not a record: {error}") from error
            if entry.subject != subject:
                continue
            if not layout.is_shaped(line) or layout.digest_of(line) != layout.hash_in(line):
                raise damaged(disk, fd, path, at + offset, "was changed after it was written")
            if entry.seq <= last:
                raise damaged(disk, fd, path, at + offset, f"has seq {entry.seq}, which is not after {last}")
            last = entry.seq
            event = event_of(entry.type, entry.schema, entry.data, last)
            found.append(Recorded(last, entry.time, subject, event, entry.type))
        yield found, at + len(data)


def every(disk: Disk, fd: int, path: Path, *, verified: bool) -> Iterator[Record]:
    """All records in the order of the file. Raises LogError, LogDamagedError."""
    head = layout.GENESIS
    for at, data in blocks(disk, fd, path):
        offset = at
        for line in data[:-1].split(b"\n"):
            if verified:
                if not layout.is_shaped(line) or layout.prev_in(line) != head:
                    raise damaged(disk, fd, path, offset, "does not follow the line before, or was changed")
                head = layout.digest_of(line)
                if head != layout.hash_in(line):
                    raise damaged(disk, fd, path, offset, "was changed after it was written")
            try:
                record = _record(line)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise damaged(disk, fd, path, offset, f"is not a record: {error}") from error
            yield record
            offset += len(line) + 1
