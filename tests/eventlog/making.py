"""Lines made without a log: for what goes through lines and asks for no chain."""

from __future__ import annotations

from datetime import UTC, datetime

from eventlog.files.tail import Tail
from eventlog.lines import layout
from eventlog.writing.compose import Composer
from statemachine.events import Event
from tests.eventlog.conftest import ACTOR

_composer = Composer(actor=lambda: ACTOR, correlation="c", source="test", now=lambda: datetime(2026, 1, 1, tzinfo=UTC))


def line_of(seq: int, subject: str, event: Event) -> bytes:
    """A line that says so, without its newline."""
    line, _, _ = _composer.line(_composer.draft(subject, event), Tail(seq - 1, layout.GENESIS, 0, 0))
    return line[:-1]
