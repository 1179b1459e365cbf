"""A log to write to, and events to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eventlog import Actor, EventLog

ACTOR = Actor("ada", "laptop", "app-1")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "events.jsonl"


@pytest.fixture
def make(path: Path) -> Callable[..., EventLog]:
    """An EventLog as another process would make it: it knows nothing yet."""

    def build(**options: object) -> EventLog:
        settings: dict[str, object] = {"actor": lambda: ACTOR, "correlation": "call-1"} | options
        return EventLog(path, **settings)  # type: ignore[arg-type]  # the tests pass what the signature names

    return build


@pytest.fixture
def log(make: Callable[..., EventLog]) -> EventLog:
    return make()
