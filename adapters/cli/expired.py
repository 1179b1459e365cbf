"""Says that older events of a log expired, so that nobody takes what is left for the whole history."""

from __future__ import annotations

from pathlib import Path

from adapters.cli.console import say
from statemachine.errors import LogDamagedError


def note(path: Path | None, *, single: bool = False) -> None:
    """One line on stderr if events of the log in a file expired; ``single`` as in ``expiry``.

    Raises LogError.
    """
    text = expired(path, single=single)
    if text:
        say(f"note: {text}")


def expired(path: Path | None, *, single: bool = False) -> str:
    """The same as a sentence; empty where nothing expired, or the records are not in a file."""
    if path is None:
        return ""
    from eventlog.failures import explained

    with explained(path, "read"):
        if not path.is_file():
            return ""
    from eventlog.disk import Disk
    from eventlog.retention.expired import described, expiry

    try:
        found = expiry(Disk(), path, single=single)
    except LogDamagedError:
        # Whoever reads the log names it.
        return ""
    return described(found) if found else ""
