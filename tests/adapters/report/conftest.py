"""A report of a week, as a page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.report.page import Frame, render, seal_of
from eventlog import verify
from eventlog.audit.prices import shipped
from eventlog.audit.query import Query
from eventlog.audit.summary import Summary, summarise
from tests.eventlog.audit.story import Story, week

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def summary_of(story: Story, query: Query | None = None) -> Summary:
    return summarise(story.records(), query or Query(), shipped(), NOW)


def page_of(story: Story) -> str:
    seal = seal_of(verify(story.path))
    return render(summary_of(story), seal, Frame("events.jsonl", NOW, "0.1.0", ["A note."]))


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return week(tmp_path / "events.jsonl")


@pytest.fixture
def page(story: Story) -> str:
    return page_of(story)


@pytest.fixture
def written(page: str, tmp_path: Path) -> Callable[..., Path]:
    """The page as a file, after a change."""

    def write(change: Callable[[str], str] = lambda text: text) -> Path:
        file = tmp_path / "report.html"
        file.write_text(change(page), "utf-8")
        return file

    return write
