"""Time expressions: what people write for a point or a stretch of time. All times are UTC unless they say otherwise."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

EXAMPLES: Final = "2h, 7d, yesterday, 2026-11-22, 2026-11-22T10:30, 2026-11-22T10:30+01:00"

UNITS: Final = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_DAY: Final = timedelta(days=1)
_END: Final = datetime.max.replace(tzinfo=UTC)
"""The last moment there is: nothing is behind it."""
_LONGEST: Final = 40
"""Characters of what is no time that are shown."""


class BadTimeError(ValueError):
    """A text that is no time expression."""

    def __init__(self, text: str) -> None:
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        super().__init__(f"{shown!r} is no time; write for example {EXAMPLES}")


class Stretch(NamedTuple):
    """What an expression covers; for a point in time both ends are the same."""

    first: datetime
    after: datetime
    """The first moment that is not in it."""


def parse(text: str, now: datetime) -> Stretch:
    """What an expression means at a moment. Raises BadTimeError."""
    wanted = text.strip().lower()
    for understand in READERS:
        try:
            found = understand(wanted, now)
        except (ValueError, OverflowError):
            continue
        if found is not None:
            return found
    raise BadTimeError(text)


def is_time(text: str) -> bool:
    """Whether a text is a time expression."""
    try:
        parse(text, datetime.now(UTC))
    except BadTimeError:
        return False
    return True


def _word(text: str, now: datetime) -> Stretch | None:
    if text == "now":
        return Stretch(now, now)
    days = {"today": 0, "yesterday": 1}.get(text)
    return None if days is None else _day(now.date() - days * _DAY)


def _ago(text: str, now: datetime) -> Stretch | None:
    match = re.fullmatch(r"-?(\d{1,9}(?:\.\d{1,6})?)\s*(s|min|m|h|d|w)(?:\s+ago)?", text)
    if match is None:
        return None
    moment = now - float(match[1]) * UNITS[match[2]]
    return Stretch(moment, moment)


def _month(text: str, _now: datetime) -> Stretch | None:
    match = re.fullmatch(r"(\d{4})-(\d\d)", text)
    if match is None:
        return None
    first = date(int(match[1]), int(match[2]), 1)
    last = first.replace(day=monthrange(first.year, first.month)[1])
    return Stretch(_day(first).first, _day(last).after)


def _date(text: str, _now: datetime) -> Stretch | None:
    return _day(date.fromisoformat(text)) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None


def _moment(text: str, _now: datetime) -> Stretch | None:
    if not re.match(r"\d{4}-\d\d-\d\d[t ]", text):
        return None
    moment = datetime.fromisoformat(text.upper())
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return Stretch(moment, moment)


def _clock(text: str, now: datetime) -> Stretch | None:
    if not re.fullmatch(r"\d\d:\d\d(:\d\d)?", text):
        return None
    return _moment(f"{now:%Y-%m-%d}T{text}".lower(), now)


def _day(day: date) -> Stretch:
    first = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Stretch(first, first + _DAY if _END - first > _DAY else _END)


READERS: Final[tuple[Callable[[str, datetime], Stretch | None], ...]] = (_word, _ago, _month, _date, _moment, _clock)
