"""Writing a snapshot of logs in the format others read: a table of formats, each a way from lines to bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from adapters.ship.cloudevents import cloudevent
from adapters.ship.line import Line
from adapters.ship.otlp_json import logs_data
from adapters.ship.redact import Redactor
from adapters.ship.tell import RECORDS, items

Format = Callable[[Iterable[Line], Redactor | None, int], Iterator[bytes]]
"""Takes lines, who hides people if anybody, and the time in nanoseconds since 1970."""

_encode: Final = msgspec.json.Encoder().encode


def jsonl(lines: Iterable[Line], redactor: Redactor | None, _now: int) -> Iterator[bytes]:
    """The log's own lines, byte for byte; with a redactor, records of the same shape."""
    for line in lines:
        yield (line.raw if redactor is None else _encode(redactor.record(line.record()))) + b"\n"


def cloudevents(lines: Iterable[Line], redactor: Redactor | None, _now: int) -> Iterator[bytes]:
    """A CloudEvent a line."""
    for line in lines:
        yield _cloudevent(line, redactor) + b"\n"


def cloudevents_batch(lines: Iterable[Line], redactor: Redactor | None, _now: int) -> Iterator[bytes]:
    """CloudEvents' JSON batch: one array."""
    before = b"["
    for line in lines:
        yield before + b"\n" + _cloudevent(line, redactor)
        before = b","
    yield b"[]\n" if before == b"[" else b"\n]\n"


def otlp_json(lines: Iterable[Line], redactor: Redactor | None, now: int) -> Iterator[bytes]:
    """OTLP's file form: a batch of log records a line."""
    remaining = iter(lines)
    while batch := list(islice(remaining, RECORDS)):
        yield _encode(logs_data(items(batch, redactor), observed=now)) + b"\n"


FORMATS: Final[dict[str, Format]] = {
    "jsonl": jsonl,
    "cloudevents": cloudevents,
    "cloudevents-batch": cloudevents_batch,
    "otlp-json": otlp_json,
}


def _cloudevent(line: Line, redactor: Redactor | None) -> bytes:
    record = line.record()
    if redactor is None:
        return _encode(cloudevent(record, line, line.log))
    return _encode(cloudevent(redactor.record(record), line, redactor.log(line.log)))
