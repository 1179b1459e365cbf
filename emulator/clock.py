"""Times as Azure writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime, *, fraction: bool = True) -> str:
    """RFC 3339 with milliseconds, or whole seconds."""
    text = moment.isoformat(timespec="milliseconds" if fraction else "seconds")
    return text.replace("+00:00", "Z")
