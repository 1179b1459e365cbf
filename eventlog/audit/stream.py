"""Streams: where logs of many people are read together, workspaces of the same name in two logs are two workspaces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from eventlog.lines.record import Record


class Stream(NamedTuple):
    """One workspace's events in one log."""

    writer: str
    """Name of the log they are from, where many are read together; empty where there is one."""
    workspace: str


_OF: Final = "\n"
"""Stands between a record's own source, in which a version may say more of itself, and the log it is from."""


def of_writer(record: Record, writer: str) -> Record:
    """The record as one of many logs: what reads them says from which one it is."""
    return msgspec.structs.replace(record, source=f"{record.source}{_OF}{writer}")


def writer_of(record: Record) -> str:
    """The log a record is from, where many are read together; else empty."""
    return record.source.rpartition(_OF)[2] if _OF in record.source else ""


def stream_of(record: Record) -> Stream:
    """The stream a record belongs to."""
    return Stream(writer_of(record), record.subject)


def labels(streams: Iterable[Stream]) -> dict[Stream, str]:
    """What to call each: by its workspace alone, and with its writer where another one has that name.

    ``shop``; ``shop (laptop.ada)``; and where even that is said twice, the writer's whole name.
    """
    by_name: dict[str, set[Stream]] = {}
    for one in streams:
        by_name.setdefault(one.workspace, set()).add(one)
    found: dict[Stream, str] = {}
    for name, same in by_name.items():
        shown = [short(one.writer) for one in same]
        for one in same:
            writer = short(one.writer) if shown.count(short(one.writer)) == 1 else one.writer
            found[one] = name if len(same) == 1 else f"{name} ({writer or 'this log'})"
    return found


def short(writer: str) -> str:
    """``host.user`` of ``host.user.log``."""
    return writer.rpartition(".")[0] or writer
