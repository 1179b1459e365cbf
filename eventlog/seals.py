"""What signatures have to say while a log is checked. This is the form without keys: nothing is signed."""

from __future__ import annotations

from eventlog.replay import Entry


class Seals:
    """Looks at the log's own events and at every line passing by; says what is wrong, or nothing."""

    def __init__(self) -> None:
        self.signed = 0
        """Seq up to which the log is vouched for."""
        self.unchecked = 0
        """Things the auditor was told that nobody can check any more, because they expired."""
        self.line: int | None = None
        """Good lines before the one that ``verdict`` speaks of; None: that is the one behind the last."""

    def look(self, _entry: Entry, _head: str, _digest: str) -> str:
        """An event of the log's own, the hash before it and its own hash."""
        return ""

    def passes(self, seq: int, digest: str) -> None:
        """Any line."""

    def verdict(self) -> str:
        """What is wrong with the log as a whole."""
        return ""
