"""Time expressions: what each means, and one line for what means nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.audit.times import BadTimeError, parse

NOW = datetime(2026, 11, 22, 14, 30, 5, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]  # year, month, day, … as given


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("now", NOW, NOW),
        ("2h", utc(2026, 11, 22, 12, 30, 5), None),
        ("2h ago", utc(2026, 11, 22, 12, 30, 5), None),
        ("90 min", utc(2026, 11, 22, 13, 0, 5), None),
        ("1.5d", utc(2026, 11, 21, 2, 30, 5), None),
        ("1w", utc(2026, 11, 15, 14, 30, 5), None),
        ("today", utc(2026, 11, 22), utc(2026, 11, 23)),
        ("Yesterday", utc(2026, 11, 21), utc(2026, 11, 22)),
        ("2026-11-16", utc(2026, 11, 16), utc(2026, 11, 17)),
        ("2026-11", utc(2026, 11, 1), utc(2026, 12, 1)),
        ("2026-12", utc(2026, 12, 1), utc(2027, 1, 1)),
        ("9999-12-30", utc(9999, 12, 30), utc(9999, 12, 31)),
        ("9999-12-31", utc(9999, 12, 31), datetime.max.replace(tzinfo=UTC)),
        ("9999-12", utc(9999, 12, 1), datetime.max.replace(tzinfo=UTC)),
        ("2026-11-16T10:30", utc(2026, 11, 16, 10, 30), None),
        ("2026-11-16 10:30:07", utc(2026, 11, 16, 10, 30, 7), None),
        ("2026-11-16t10:30z", utc(2026, 11, 16, 10, 30), None),
        ("2026-11-16T10:30+01:00", utc(2026, 11, 16, 9, 30), None),
        ("10:30", utc(2026, 11, 22, 10, 30), None),
    ],
)
def test_what_people_write(text: str, first: datetime, after: datetime | None) -> None:
    found = parse(text, NOW)
    assert found.first == first
    assert found.after == (after or first)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2026-13", "2026-02-30", "25:00", "10:30 pm", "-", "h", "99999999999d", "999999999w", "2026-11-16T"],
)
def test_nonsense_is_one_line_with_examples(text: str) -> None:
    with pytest.raises(BadTimeError) as error:
        parse(text, NOW)
    assert "\n" not in str(error.value)
    assert "yesterday" in str(error.value)


@given(st.text(max_size=30))
def test_whatever_is_written_either_means_something_or_is_refused(text: str) -> None:
    try:
        found = parse(text, NOW)
    except BadTimeError:
        return
    assert found.first <= found.after
    assert found.first.tzinfo is not None
