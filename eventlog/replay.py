"""From lines to events: one subject's, or everybody's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from eventlog import layout
from eventlog.codec import READERS, event_of
from eventlog.disk import Disk
from eventlog.read import blocks, damaged, lines_with, needle
from eventlog.record import Record
from statemachine.ports import Recorded


class Entry(msgspec.Struct, gc=False):
    """The parts of a line that the lifecycle needs; the parser steps over the others."""

    time: datetime
    type: str
    subject: str
    seq: int
    schema: int
    data: msgspec.Raw


UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError)
"""What decoding raises for a line that is not a record."""

decode_entry: Final = msgspec.json.Decoder(Entry).decode
_BROKEN: Final = "was changed, or does not follow the line before"
_decode_record: Final = msgspec.json.Decoder(Record).decode


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
                entry = decode_entry(line)
            except UNREADABLE as error:
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


def everything(disk: Disk, fd: int, path: Path, *, verified: bool) -> Iterator[Recorded]:
    """The events of all subjects in the order of the file. Raises LogError, LogDamagedError."""
    # Written out instead of built on ``records``: a replay is millions of turns of this loop, and calls
    # are a third of its time.
    head = layout.GENESIS
    follows, decode, readers = layout.follows, decode_entry, READERS
    for at, data in blocks(disk, fd, path):
        for index, line in enumerate(data[:-1].split(b"\n")):
            if verified:
                head = follows(line, head)
                if not head:
                    raise damaged(disk, fd, path, _offset(at, data, index), _BROKEN)
            try:
                entry = decode(line)
                kind = entry.type
                event = readers[kind, entry.schema](entry.data)
            except UNREADABLE as error:
                raise damaged(disk, fd, path, _offset(at, data, index), f"is not a record: {error}") from error
            yield Recorded(entry.seq, entry.time, entry.subject, event, kind)


def records(disk: Disk, fd: int, path: Path, *, verified: bool) -> Iterator[Record]:
    """All records, envelopes included, in the order of the file. Raises LogError, LogDamagedError."""
    head = layout.GENESIS
    for at, data in blocks(disk, fd, path):
        for index, line in enumerate(data[:-1].split(b"\n")):
            if verified:
                head = layout.follows(line, head)
                if not head:
                    raise damaged(disk, fd, path, _offset(at, data, index), _BROKEN)
            try:
                record = _decode_record(line)
            except UNREADABLE as error:
                raise damaged(disk, fd, path, _offset(at, data, index), f"is not a record: {error}") from error
            yield record


def _offset(at: int, data: bytes, index: int) -> int:
    """Where line number ``index`` (from 0) of a block at ``at`` begins; for errors only."""
    return at + sum(len(line) + 1 for line in data.split(b"\n")[:index])
