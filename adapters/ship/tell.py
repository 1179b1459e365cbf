"""Sending a log to a collector: what it has not accepted yet, in batches; the cursor is saved after each.

Delivery is at least once: a run that is killed between the collector's answer and saving the cursor sends that batch
again. Receivers can tell by ``log.record.uid``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

import msgspec

from adapters.ship.cursor import Cursor, alone, cursor_path, load, save
from adapters.ship.line import Line
from adapters.ship.local import LocalLog
from adapters.ship.otlp import LogItem, item
from adapters.ship.otlp_proto import export_request
from adapters.ship.redact import Redactor
from statemachine.errors import one_line

RECORDS: Final = 512
BYTES: Final = 1 << 20
"""A batch ends at whichever comes first; collectors commonly take 4 MiB and more."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did."""

    events: int
    last: int
    rejected: int
    reason: str
    """Why some were not taken, in the collector's words."""


class Sender(Protocol):
    """``collector.Collector``, as far as it is needed here."""

    url: str

    def send(self, body: bytes) -> tuple[int, str]:
        """Deliver one request; how many of its records were not taken, and why."""
        ...


def tell(log: LocalLog, collector: Sender, *, redactor: Redactor | None, now: Callable[[], int]) -> Told:
    """Send what the collector was not told yet. Raises BusyError, LogError, LogDamagedError, ProviderError."""
    name = log.name()
    if name is None:
        return Told(events=0, last=0, rejected=0, reason="")
    path = _cursor_of(log.path, name.log, collector, redactor)
    events, refused, reason = 0, 0, ""
    with alone(path):
        cursor = load(path)
        for batch in _batches(log.after(cursor.seq, cursor.hash, name.log)):
            rejected, why = collector.send(export_request(items(batch, redactor), observed=now()))
            # A number that cannot be is no news of any event.
            refused, reason = refused + min(max(rejected, 0), len(batch)), one_line(why) or reason
            events += len(batch)
            cursor = Cursor(seq=batch[-1].seq, hash=batch[-1].hash)
            save(path, cursor)
    return Told(events=events, last=cursor.seq, rejected=refused, reason=reason)


def items(lines: Iterable[Line], redactor: Redactor | None) -> Iterator[LogItem]:
    """Lines as log records of OpenTelemetry."""
    for line in lines:
        record = line.record()
        if redactor is None:
            yield item(record, line, line.log)
        else:
            yield item(redactor.record(record), line, redactor.log(line.log))


def _cursor_of(path: Path, log: str, collector: Sender, redactor: Redactor | None) -> Path:
    # With and without names are two deliveries: one must not be cut short by the other.
    return cursor_path(path, log, collector.url + (" redacted" if redactor else ""))


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    held: list[Line] = []
    size = 0
    for line in lines:
        if held and (len(held) == RECORDS or size + len(line.raw) > BYTES):
            yield held
            held, size = [], 0
        held.append(line)
        size += len(line.raw)
    if held:
        yield held
