"""Reading back what many computers shipped: each writer's chain checked, all of them merged in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import msgspec

from adapters.ship.line import Chain, ChainError, Later, Line
from adapters.ship.store import Blob, Readable
from adapters.ship.writer import parse_name, writer_of
from eventlog.lines import layout
from eventlog.lines.tombstone import SegmentsExpired
from eventlog.retention.expired import needle_of, told
from statemachine.errors import LogDamagedError

MEMORY: Final = 128 << 20
"""Bytes kept of all writers together; shared out, so that ten thousand need no more than ten."""
_LARGEST: Final = 1 << 20
_SMALLEST: Final = 16 << 10
READERS: Final = 16
"""Requests under way at once."""


class Mark(msgspec.Struct, frozen=True):
    """How far a writer's log was read."""

    offset: int = 0
    """Bytes, over all of its blobs."""
    seq: int = 0
    head: str = layout.GENESIS
    log: str = ""


START: Final = Mark()
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Writer(msgspec.Struct):
    """One writer's log."""

    name: str
    blobs: list[Blob]
    offset: int = 0
    """Behind the last good line that was read."""
    chain: Chain = msgspec.field(default_factory=Chain)
    first: datetime | None = None
    last: datetime | None = None
    damage: str = ""
    """What is wrong with the line there; the rest of the log is not read."""

    @property
    def mark(self) -> Mark:
        """How far it was read."""
        return Mark(self.offset, self.chain.seq, self.chain.head, self.chain.log)


class Merged:
    """All writers of a container, as it was when this was made. Satisfies ``line.Snapshot``.

    With ``marks`` of an earlier one, what was added since; ``wants`` says whose logs are read at all.
    """

    def __init__(
        self,
        store: Readable,
        *,
        marks: Mapping[str, Mark] | None = None,
        memory: int = MEMORY,
        wants: Callable[[str], bool] = lambda _name: True,
    ) -> None:
        self.store = store
        self._marks = marks or {}
        found: dict[str, list[tuple[int, Blob]]] = {}
        for blob in store.list():
            if (name := parse_name(blob.name)) is not None and wants(name[0]):
                found.setdefault(name[0], []).append((name[1], blob))
        self.writers = [Writer(name, [blob for _, blob in sorted(parts)]) for name, parts in sorted(found.items())]
        self._chunk = max(_SMALLEST, min(_LARGEST, memory // max(1, 2 * len(self.writers))))

    def lines(self) -> Iterator[Line]:
        """Every writer's lines; as ``named``, without the names."""
        return (line for _, line in self.named())

    def named(self) -> Iterator[tuple[str, Line]]:
        """Every writer's lines with its name, by time, then writer and seq. One ends before its first damaged line.

        When all are read, raises LogDamagedError if any of them is damaged.
        """
        with ThreadPoolExecutor(READERS) as pool:
            streams = [self._stream(writer, pool) for writer in self.writers]
            # Lines themselves are never compared: no two writers have one name.
            for _, name, line in heapq.merge(*streams):
                yield name, line
        damaged = [writer for writer in self.writers if writer.damage]
        if damaged:
            more = f"; and {len(damaged) - 1} more of {len(self.writers)} writers" if len(damaged) > 1 else ""
            raise LogDamagedError(
                f"{self.store.name}: event {damaged[0].mark.seq + 1} of {damaged[0].name} {damaged[0].damage}{more}",
                remedy="`devpod-provider-aci audit writers` names all; the events before those are whole.",
            )

    def marks(self) -> dict[str, Mark]:
        """How far each writer was read."""
        return {writer.name: writer.mark for writer in self.writers}

    def _stream(self, writer: Writer, pool: ThreadPoolExecutor) -> Iterator[tuple[datetime, str, Line]]:
        # The first piece is asked for at once, lest each of ten thousand writers waits for the one before.
        mark = self._marks.get(writer.name, START)
        spans = _spans(writer.blobs, mark.offset, self._chunk)
        first = next(spans, None)
        ahead = pool.submit(self.store.read, *first) if first else None
        return _lines(writer, mark, _pieces(self.store, ahead, spans, pool), self._later(writer))

    def _later(self, writer: Writer) -> Later:
        """Looks for tombstones in what is not read yet of a log, from which events expired before they were shipped."""

        def find() -> Iterator[SegmentsExpired]:
            wanted = needle_of(SegmentsExpired)
            with suppress(ChainError):
                for raw in _split(self.store.read(*span) for span in _spans(writer.blobs, writer.offset, _LARGEST)):
                    found = told(raw, SegmentsExpired) if wanted in raw else None
                    if found is not None:
                        yield found[0]

        return find


def _lines(writer: Writer, mark: Mark, pieces: Iterator[bytes], later: Later) -> Iterator[tuple[datetime, str, Line]]:
    chain = Chain(mark.log, seq=mark.seq, head=mark.head, later=later)
    name, take, latest = writer.name, chain.take, _NEVER
    writer.chain, writer.offset, writer.first, writer.last, writer.damage = chain, mark.offset, None, None, ""
    try:
        for raw in _split(pieces):
            line = take(raw)
            if not writer.offset and (right := _name_by(line, name)) != name:
                writer.chain = Chain()
                raise ChainError(f"is of another log, {right}: it was moved or copied here")
            writer.offset += len(raw) + 1
            # A clock that steps back must not take a writer's own lines out of their order.
            if line.time > latest:
                latest = writer.last = line.time
                writer.first = writer.first or latest
            yield latest, name, line
    except ChainError as error:
        writer.damage = str(error)


def _name_by(first: Line, name: str) -> str:
    """Where its owner ships the log with this first line; what is copied elsewhere would be somebody else's as well.

    Of one whose own first line expired, the last part of the name tells.
    """
    return writer_of(first.raw) if first.seq == 1 else f"{name.rpartition('.')[0]}.{first.log}"


def _spans(blobs: list[Blob], skip: int, chunk: int) -> Iterator[tuple[str, int, int]]:
    """What to read, piece by piece, behind the first ``skip`` bytes."""
    for blob in blobs:
        for at in range(min(skip, blob.size), blob.size, chunk):
            yield blob.name, at, min(chunk, blob.size - at)
        skip = max(0, skip - blob.size)


def _pieces(
    store: Readable, ahead: Future[bytes] | None, spans: Iterator[tuple[str, int, int]], pool: ThreadPoolExecutor
) -> Iterator[bytes]:
    while ahead is not None:
        data = ahead.result()
        following = next(spans, None)
        ahead = pool.submit(store.read, *following) if following else None
        yield data


def _split(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Lines without their newlines. Raises ChainError for one that does not end, or is too long."""
    rest = b""
    for data in pieces:
        head, newline, tail = data.rpartition(b"\n")
        if newline:
            yield from (rest + head).split(b"\n")
            rest = tail
        else:
            rest += data
        if len(rest) > layout.MAX_LINE:
            raise ChainError(f"is longer than {layout.MAX_LINE} bytes, which no line of an event log is")
    if rest:
        raise ChainError("is unfinished: something else wrote to the blob")
