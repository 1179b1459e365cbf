"""CloudEvents 1.0, JSON format, structured mode: a record's envelope as context attributes, its data as data."""

from __future__ import annotations

import re
from typing import Any, Final

from adapters.ship.line import Line

_SEQUENCE: Final = 20
"""Digits; receivers compare ``sequence`` as text."""

ATTRIBUTES: Final = ("specversion", "id", "source", "type", "subject", "time")
"""Copied as they are; they have CloudEvents' names in the log already."""

RENAMED: Final = {"schema": "schemaversion", "correlation": "correlationid", "prev": "prevhash", "hash": "hash"}
"""Extension attributes; ``correlationid`` and ``sequence`` are CloudEvents' own documented extensions."""

_NAME: Final = re.compile(r"[a-z0-9]{1,20}\Z")
_RESERVED: Final = frozenset({"data", "data_base64", "datacontenttype", "dataschema", "sequence"})
_INTEGERS: Final = range(-(2**31), 2**31)


def cloudevent(record: dict[str, Any], line: Line, log: str) -> dict[str, Any]:
    """The event for a record. ``log`` tells logs apart: ``sequence`` orders within one ``source``."""
    event: dict[str, Any] = {name: record[name] for name in ATTRIBUTES if record.get(name)}
    event["source"] = f"{record['source']}/{log}"
    event["datacontenttype"] = "application/json"
    event["sequence"] = f"{line.seq:0{_SEQUENCE}d}"
    actor = record.get("actor")
    for name, value in (actor if isinstance(actor, dict) else {}).items():
        _extend(event, f"actor{name}", value)
    for name, value in record.items():
        if name not in ATTRIBUTES and name not in ("seq", "actor", "data", "source"):
            _extend(event, RENAMED.get(name, name), value)
    event["data"] = record.get("data")
    return event


def _extend(event: dict[str, Any], name: str, value: object) -> None:
    """Add an extension attribute, if it is one CloudEvents allows: no empty texts, no objects, 32-bit numbers."""
    name = re.sub(r"[^a-z0-9]", "", name.lower())[:20]
    fits = (isinstance(value, bool) or (isinstance(value, int) and value in _INTEGERS)) or (
        isinstance(value, str) and value != ""
    )
    if fits and _NAME.match(name) and name not in event and name not in _RESERVED:
        event[name] = value
