"""What is known of a log from signatures, and from files beside it, held against its lines. This form has no keys."""

from __future__ import annotations

from eventlog.lines.codec import own_event_of
from eventlog.lines.tombstone import SegmentsExpired
from eventlog.replay import Entry


class Seals:
    """Is shown the log's own events and every line; each answer says what is wrong, or is empty."""

    def __init__(self) -> None:
        self.signed = 0
        """Seq up to which the log is vouched for."""
        self.unchecked = 0
        """Things that were known and that nobody can check any more, because they expired."""
        self.line: int | None = None
        """Good lines before the one that ``verdict`` speaks of; None: that is the one behind the last."""
        self.expired: SegmentsExpired | None = None
        """The latest tombstone that may excuse what is missing."""
        self._wanted: dict[int, dict[str, str]] = {}
        """Hashes that lines are known to have, each with who says so."""
        self._given: set[int] = set()
        self._others: set[int] = set()
        """Lines that are there, and not those that were known."""

    def knows(self, seq: int, digest: str, why: str, *, given: bool = False) -> None:
        """Require a line with that seq and hash; ``why`` says how it is known that there was one.

        ``given``: an auditor gave it, and is to be told if it cannot be checked any more.
        """
        self._wanted.setdefault(seq, {})[digest] = why
        if given:
            self._given.add(seq)

    def look(self, entry: Entry, _head: str, _digest: str) -> str:
        """An event of the log's own, the hash before it and its own hash."""
        own = own_event_of(entry.type, entry.schema, entry.data, entry.seq)
        if isinstance(own, SegmentsExpired):
            self.expired = own
        return ""

    def passes(self, seq: int, digest: str) -> None:
        """Any line."""
        if seq in self._wanted:
            self._wanted[seq].pop(digest, None)
            if self._wanted[seq]:
                self._others.add(seq)
            else:
                del self._wanted[seq]

    def verdict(self) -> str:
        """What is wrong with the log as a whole."""
        self._excuse()
        for _, found in sorted(self._wanted.items()):
            return f"is missing, or another one than it was: {next(iter(found.values()))}"
        return ""

    def is_gone(self, seq: int, digest: str) -> bool:
        """Whether a line that is not here expired as a tombstone says, and so cannot be asked for any more.

        At the end of a segment it still can: the tombstone has its hash.
        """
        return self.expired is not None and seq <= self.expired.last and self._ends().get(seq, digest) == digest

    def _ends(self) -> dict[int, str]:
        return {one.last: one.head for one in self.expired.segments} if self.expired else {}

    def _excuse(self) -> None:
        ends = self._ends()
        for seq in [seq for seq in self._wanted if seq not in self._others]:
            if all(self.is_gone(seq, digest) for digest in self._wanted[seq]):
                self.unchecked += seq not in ends and seq in self._given
                del self._wanted[seq]
