"""One line of a log on its way out: its exact bytes, and the little that ordering and checking need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec

from eventlog import Record
from eventlog.lines import layout
from eventlog.lines.codec import UNREADABLE
from eventlog.lines.tombstone import SegmentsExpired
from eventlog.retention.expired import Jumps
from statemachine.errors import LogDamagedError


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line whose place in its log's chain has been checked."""

    raw: bytes
    """As written, without the newline."""
    log: str
    """Which log it is from; see ``writer.log_id``."""
    seq: int
    time: datetime
    hash: str

    def record(self) -> dict[str, Any]:
        """Everything in the line, what only a newer version knows included. Raises LogDamagedError."""
        try:
            found: dict[str, Any] = msgspec.json.decode(self.raw)
        except UNREADABLE as error:
            raise LogDamagedError(
                f"event {self.seq} of log {self.log} is no record of this program: {error}"
            ) from error
        return found


class Snapshot(Protocol):
    """What was in one or many logs at one moment; can be read more than once, and is the same each time."""

    def lines(self) -> Iterator[Line]:
        """The lines, oldest first. Raises LogError, LogDamagedError."""
        ...


class ChainError(Exception):
    """A line does not continue its log; the text is the rest of a sentence that begins with the line."""


_decode: Final = msgspec.json.Decoder(Record).decode


Later = Callable[[], Iterable[SegmentsExpired]]
"""Looks for the tombstones that are still to come in a log. Raises LogError, ProviderError."""


class Chain:
    """A log being read from its first line on, or from behind a line that is known.

    Where events are missing because they expired, it goes on behind them: ``later`` finds the tombstone that says so,
    whose own place in the chain is checked when it is reached.
    """

    def __init__(self, log: str = "", *, seq: int = 0, head: str = layout.GENESIS, later: Later = lambda: ()) -> None:
        self.log = log
        self.seq = seq
        self.head = head
        self.missing = 0
        """Seq before the last line behind a gap that is not at the beginning."""
        self._jumps = Jumps(later)

    def take(self, raw: bytes) -> Line:
        """The next line. Raises ChainError when it was changed, or is not the next one, and what ``later`` raises."""
        digest = layout.follows(raw, self.head)
        if not digest:
            expired = self._jumps.over(raw, self.seq)
            if expired is None:
                raise ChainError(self._why(raw))
            before, self.seq = self.seq, _read(raw).seq - 1
            # A file without what was kept is no less than what is in it.
            self.missing = self.seq if before else 0
            self.log = self.log or expired.log[:LOG_ID]
            digest = layout.hash_in(raw)
        record = _read(raw)
        if record.seq != self.seq + 1:
            raise ChainError(f"has seq {record.seq} where {self.seq + 1} belongs")
        self.seq, self.head = record.seq, digest
        self.log = self.log or digest[:LOG_ID]
        return Line(raw, self.log, record.seq, record.time, digest)

    def _why(self, raw: bytes) -> str:
        if not layout.is_shaped(raw):
            return "is not a line of an event log, or was changed"
        if layout.digest_of(raw) != layout.hash_in(raw):
            return "was changed after it was written: its hash is not the hash of its bytes"
        if self.seq:
            return "does not follow the line before: a line was removed, added or moved here"
        return "is not the first line of a log: the beginning is missing"


def _read(raw: bytes) -> Record:
    """The record in a line. Raises ChainError for one that no version of this program writes, however good its hash."""
    try:
        record = _decode(raw)
        # The parser steps over what it was not asked for, whatever bytes these are.
        if not raw.isascii():
            raw.decode()
    except UNREADABLE as error:
        raise ChainError(f"is no record of this program: {error}") from error
    if record.time.tzinfo is not UTC:
        raise ChainError("has a time that is not in UTC")
    return record


LOG_ID: Final = 16
"""Hex digits of a log's first hash that name the log."""
