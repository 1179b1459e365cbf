"""OpenTelemetry logs: what of a record goes where in OTLP, independent of how it is written.

https://opentelemetry.io/docs/specs/otel/logs/data-model/ and the semantic conventions for ``user.*``,
``host.*``, ``service.*`` and ``log.record.uid`` (by which a receiver can drop what came twice).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import msgspec

from adapters.ship.line import Line

SCOPE: Final = "eventlog"
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_LATEST: Final = (1 << 64) - 1

ERROR, WARN, INFO = ("ERROR", 17), ("WARN", 13), ("INFO", 9)
UNEXPECTED: Final = frozenset({"Exited", "Evicted", "Vanished", "Drifted", "TornTailSetAside"})

_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)
_ENVELOPE: Final = frozenset(
    {"specversion", "id", "time", "type", "subject", "seq", "schema", "source", "actor", "correlation", "data", "prev"}
    | {"hash"}
)


class LogItem(msgspec.Struct, frozen=True, kw_only=True):
    """One log record of OpenTelemetry."""

    resource: tuple[tuple[str, str], ...]
    nanoseconds: int
    severity: tuple[str, int]
    event_name: str
    body: object
    """The event's data, as JSON has it."""
    attributes: dict[str, object]
    trace_id: str
    """32 hex digits, so that what one invocation did can be found together; empty where there is none."""


def item(record: dict[str, Any], line: Line, log: str) -> LogItem:
    """The log record for a record of ours."""
    actor: dict[str, object] = record["actor"] if isinstance(record.get("actor"), dict) else {}
    resource = {
        "service.name": str(record.get("source", "")),
        "service.instance.id": log,
        "host.name": str(actor.get("host", "")),
    }
    attributes: dict[str, object] = {
        "log.record.uid": record.get("id", ""),
        "user.name": actor.get("user", ""),
        "enduser.id": actor.get("azure", ""),
        "devpod.aci.workspace": record.get("subject", ""),
        "devpod.aci.seq": line.seq,
        "devpod.aci.schema": record.get("schema", 0),
        "devpod.aci.correlation": record.get("correlation", ""),
        "devpod.aci.prev": record.get("prev", ""),
        "devpod.aci.hash": record.get("hash", ""),
    }
    attributes |= {f"devpod.aci.{name}": value for name, value in record.items() if name not in _ENVELOPE}
    attributes |= {f"devpod.aci.actor.{name}": v for name, v in actor.items() if name not in ("user", "host", "azure")}
    correlation = str(record.get("correlation", ""))
    return LogItem(
        resource=tuple((name, value) for name, value in resource.items() if value),
        nanoseconds=nanoseconds(line.time),
        severity=severity(str(record["type"])),
        event_name=str(record["type"]),
        body=record.get("data"),
        attributes={name: value for name, value in attributes.items() if value not in ("", None)},
        trace_id=correlation.replace("-", "").lower() if _UUID.match(correlation) else "",
    )


def severity(kind: str) -> tuple[str, int]:
    """How grave an event is."""
    if kind.endswith("Failed"):
        return ERROR
    return WARN if kind in UNEXPECTED else INFO


def nanoseconds(moment: datetime) -> int:
    """Since 1970, exactly: a float would be off by hundreds. What OTLP has no room for is the nearest it has."""
    past = moment - _EPOCH
    exact = ((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds) * 1_000
    # One clock that was wrong must not keep everything behind it from being sent.
    return min(max(exact, 0), _LATEST)


def by_resource(items: Iterable[LogItem]) -> dict[tuple[tuple[str, str], ...], list[LogItem]]:
    """Items of one resource together, in the order they came."""
    groups: dict[tuple[tuple[str, str], ...], list[LogItem]] = {}
    for one in items:
        groups.setdefault(one.resource, []).append(one)
    return groups
