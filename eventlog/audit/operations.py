"""Operations with everything the audit trail knows of them: ``eventlog.history`` pairs them, this adds who and what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from eventlog.audit.stream import Stream, writer_of
from eventlog.history import ENDS, SETTLES, Ended, Row, rows
from eventlog.lines.record import Actor, Record, signature
from statemachine import events as e

_ENDING: Final[tuple[type[e.Event], ...]] = (*ENDS, *SETTLES, e.CommandClosed)
_ENDS: Final = frozenset(kind.__name__ for kind in _ENDING)
"""Types of the events that can end an operation."""


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that was asked for, and how it ended; or something that was observed."""

    seq: int
    time: datetime
    workspace: str
    name: str = ""
    """What DevPod's user calls the workspace, where that is another name; only whoever prints operations adds it."""
    writer: str = ""
    """Name of the log it is from, where many are read together."""
    verb: str
    outcome: Ended
    user: str
    host: str
    azure: str = ""
    """Who Azure says it was: known once Azure had been asked, so it comes from the outcome where that is ours."""
    correlation: str = ""
    seconds: float | None = None
    detail: str = ""
    error: str = ""
    """Our error's name, and Azure's code and status below, where it failed."""
    code: str = ""
    http_status: int = 0
    request_id: str = ""
    closed: int | None = None
    """Seq of the event that ended it."""
    closed_by: str = ""
    """Who recorded the end, where that was another invocation: ``user@host``."""

    @property
    def who(self) -> str:
        """The actor in one word, with the Azure identity where there is one."""
        return signature(self.user, self.host, self.azure)

    @property
    def went_wrong(self) -> bool:
        """Whether it failed for a reason of ours or Azure's; a command that ran has a status of its own."""
        return self.outcome is Ended.FAILED and bool(self.error)

    @property
    def key(self) -> tuple[str, int]:
        """What no other operation has."""
        return self.writer, self.seq

    @property
    def stream(self) -> Stream:
        """Which workspace, of whom."""
        return Stream(self.writer, self.workspace)


class _End(NamedTuple):
    actor: Actor
    correlation: str
    failure: e.Failure | None
    http_status: int


def operations(records: Iterable[Record]) -> list[Operation]:
    """The operations and observations of some records, in the order they began. Raises LogDamagedError."""
    logs: dict[str, list[Record]] = {}
    places: dict[tuple[str, int], int] = {}
    for place, record in enumerate(records):
        writer = writer_of(record)
        logs.setdefault(writer, []).append(record)
        places[writer, record.seq] = place
    found = [one for writer, own in logs.items() for one in _of_one_log(writer, own)]
    return found if len(logs) < 2 else sorted(found, key=lambda one: places[one.writer, one.seq])


def _of_one_log(writer: str, records: Iterable[Record]) -> list[Operation]:
    ends: dict[int, _End] = {}
    return [_operation(row, ends.get(row.closed or 0), writer) for row in rows(_noting_ends(records, ends))]


class Follower:
    """Turns records that arrive bit by bit into operations: one when it begins, and once more when it ends."""

    def __init__(self) -> None:
        self._open: list[Record] = []

    def feed(self, records: Iterable[Record]) -> Iterator[Operation]:
        """The operations that new records begin or end."""
        fresh = list(records)
        if not fresh:
            return
        known = {(writer_of(record), record.seq) for record in self._open}
        window = [*self._open, *fresh]
        found = operations(window)
        still_open = {one.key for one in found if one.outcome is Ended.OPEN}
        self._open = [record for record in window if (writer_of(record), record.seq) in still_open]
        yield from (one for one in found if not (one.key in known and one.key in still_open))


def _noting_ends(records: Iterable[Record], ends: dict[int, _End]) -> Iterator[Record]:
    """The records, unchanged; what an end tells is kept on the way."""
    for record in records:
        if record.type in _ENDS:
            event = record.event
            failure = event.failure if isinstance(event, (e.FailedOutcome, e.CommandClosed)) else None
            status = event.receipt.http_status if isinstance(event, e.Outcome) else 0
            ends[record.seq] = _End(record.actor, record.correlation, failure, status)
        yield record


def _operation(row: Row, end: _End | None, writer: str) -> Operation:
    ours = end is not None and end.correlation == row.correlation
    failure = end.failure if end is not None else None
    return Operation(
        seq=row.seq,
        time=row.time,
        workspace=row.subject,
        writer=writer,
        verb=row.verb,
        outcome=row.ended,
        user=row.actor.user,
        host=row.actor.host,
        azure=row.actor.azure or (end.actor.azure if end is not None and ours else ""),
        correlation=row.correlation,
        seconds=row.seconds,
        detail=row.detail,
        error=failure.error if failure else "",
        code=failure.code if failure else "",
        http_status=failure.http_status if failure else end.http_status if end else 0,
        request_id=row.request_id,
        closed=row.closed,
        closed_by="" if end is None or ours else signature(end.actor.user, end.actor.host),
    )
