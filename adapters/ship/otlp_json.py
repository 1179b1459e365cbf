"""OTLP as JSON (the collector's file form): camelCase names, 64-bit numbers as text, ids as hex, enums as numbers."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.ship.otlp import SCOPE, LogItem, by_resource


def logs_data(items: Iterable[LogItem], *, observed: int) -> dict[str, object]:
    """One ``LogsData`` object; ``observed`` is when these were collected, in nanoseconds since 1970."""
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _pairs(dict(resource))},
                "scopeLogs": [{"scope": {"name": SCOPE}, "logRecords": [_record(one, observed) for one in group]}],
            }
            for resource, group in by_resource(items).items()
        ]
    }


def _record(one: LogItem, observed: int) -> dict[str, object]:
    found = {
        "timeUnixNano": str(one.nanoseconds),
        "observedTimeUnixNano": str(observed),
        "severityNumber": one.severity[1],
        "severityText": one.severity[0],
        "body": any_value(one.body),
        "attributes": _pairs(one.attributes),
        "eventName": one.event_name,
    }
    return found | ({"traceId": one.trace_id} if one.trace_id else {})


def _pairs(values: dict[str, object]) -> list[dict[str, object]]:
    return [{"key": key, "value": any_value(value)} for key, value in values.items()]


def any_value(value: object) -> dict[str, object]:
    """An ``AnyValue``; JSON's null is the empty one."""
    match value:
        case bool():
            return {"boolValue": value}
        case int() if -(2**63) <= value < 2**63:
            return {"intValue": str(value)}
        case int() | float():
            return {"doubleValue": float(value)}
        case str():
            return {"stringValue": value}
        case list():
            return {"arrayValue": {"values": [any_value(below) for below in value]}}
        case dict():
            return {"kvlistValue": {"values": _pairs(value)}}
        case _:
            return {}
