"""Watching for as long as somebody reads what is printed."""

from __future__ import annotations

import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.cli.console import discard_pending


def looks(every: float) -> Iterator[None]:
    """Again and again, with so many seconds in between; ends when nobody reads standard output any more."""
    while not _has_no_reader():
        yield
        time.sleep(every)


@contextmanager
def while_read() -> Iterator[None]:
    """Ends quietly when whoever reads standard output went away: ``… --follow | head`` has had enough."""
    try:
        yield
    except BrokenPipeError:
        discard_pending(sys.stdout)


def _has_no_reader() -> bool:
    """Whether standard output is a pipe that nobody reads; without this it would be found out by the next event."""
    try:
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError, ValueError):
        # No such call on this system, or no file behind standard output.
        return False
    return bool(watched.poll(0))
