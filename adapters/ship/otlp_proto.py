"""OTLP as protobuf: one request of the logs service."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from adapters.ship.extras import need
from adapters.ship.otlp import SCOPE, LogItem, by_resource


def export_request(items: Iterable[LogItem], *, observed: int) -> bytes:
    """A serialised ``ExportLogsServiceRequest``. Raises UnsupportedError without opentelemetry-proto."""
    service = need("opentelemetry.proto.collector.logs.v1.logs_service_pb2", "OTLP")
    request = service.ExportLogsServiceRequest()
    for resource, group in by_resource(items).items():
        logs = request.resource_logs.add()
        _fill(logs.resource.attributes, dict(resource))
        scope = logs.scope_logs.add()
        scope.scope.name = SCOPE
        for one in group:
            record = scope.log_records.add()
            record.time_unix_nano = one.nanoseconds
            record.observed_time_unix_nano = observed
            record.severity_text, record.severity_number = one.severity
            _set(record.body, one.body)
            _fill(record.attributes, one.attributes)
            record.event_name = one.event_name
            record.trace_id = bytes.fromhex(one.trace_id)
    data: bytes = request.SerializeToString()
    return data


def rejected(body: bytes) -> tuple[int, str]:
    """How many log records a collector that accepted a request did not take, and why."""
    service = need("opentelemetry.proto.collector.logs.v1.logs_service_pb2", "OTLP")
    partial = service.ExportLogsServiceResponse.FromString(body).partial_success
    return int(partial.rejected_log_records), str(partial.error_message)


def _fill(target: Any, values: dict[str, object]) -> None:
    for key, value in values.items():
        pair = target.add()
        pair.key = key
        _set(pair.value, value)


def _set(target: Any, value: object) -> None:
    """Fill an ``AnyValue``; JSON's null is the empty one."""
    match value:
        case bool():
            target.bool_value = value
        case int() if -(2**63) <= value < 2**63:
            target.int_value = value
        case int() | float():
            target.double_value = float(value)
        case str():
            target.string_value = value
        case list():
            target.array_value.SetInParent()
            for below in value:
                _set(target.array_value.values.add(), below)
        case dict():
            target.kvlist_value.SetInParent()
            _fill(target.kvlist_value.values, value)
        case _:
            target.SetInParent()
