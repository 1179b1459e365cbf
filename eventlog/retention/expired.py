"""What has expired from a log, as its tombstones tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from eventlog.disk import Disk
from eventlog.files.pieces import Kept, Piece, open_view
from eventlog.files.read import lines_with
from eventlog.lines import layout
from eventlog.lines.codec import LOG_SUBJECT, UNREADABLE
from eventlog.lines.record import Record
from eventlog.lines.tombstone import Origin, SegmentsArchived, SegmentsExpired
from eventlog.table import printable
from statemachine.errors import LogDamagedError

T = TypeVar("T", SegmentsArchived, SegmentsExpired)

_record: Final[Callable[[bytes], Record]] = msgspec.json.Decoder(Record).decode


class Told(NamedTuple):
    """A tombstone, and the line it is in."""

    event: SegmentsExpired
    record: Record

    @property
    def until(self) -> str:
        """The latest time among the events it removes, as a text; empty when it removes none."""
        return max((segment.ended for segment in self.event.segments), default="")


def told(line: bytes, kind: type[T]) -> tuple[T, Record] | None:
    """The event in a line, if it is whole and of that kind, and this version can read it."""
    if not layout.is_whole(line):
        return None
    try:
        record = _record(line)
        if record.subject != LOG_SUBJECT or record.type != kind.__name__ or record.schema > kind.VERSION:
            return None
        return msgspec.json.decode(record.data, type=kind), record
    except UNREADABLE:
        return None


def own_events(pieces: Iterable[Piece], kind: type[T]) -> Iterator[tuple[T, Record]]:
    """The log's own events of one kind; other lines cost only the search. Raises LogError, LogDamagedError."""
    wanted = needle_of(kind)
    for piece in pieces:
        # What is kept of expired segments are lines of workspaces.
        if isinstance(piece, Kept):
            continue
        for _, data in piece.blocks():
            for _, line in lines_with(wanted, data):
                found = told(line, kind)
                if found is not None:
                    yield found


def needle_of(kind: type[T]) -> bytes:
    """What every line with such an event contains."""
    return f'"type":"{kind.__name__}","subject":"{LOG_SUBJECT}"'.encode()


def tombstones(pieces: Iterable[Piece]) -> list[Told]:
    """All tombstones, oldest first. Raises LogError, LogDamagedError."""
    return [Told(event, record) for event, record in own_events(pieces, SegmentsExpired)]


def readable_tombstones(pieces: Iterable[Piece]) -> list[Told]:
    """All that can be read, oldest first: damage is for others to find. Raises LogError."""
    found: list[Told] = []
    for piece in pieces:
        with suppress(LogDamagedError):
            # One by one, for the damage may be behind them.
            for event, record in own_events([piece], SegmentsExpired):
                found.append(Told(event, record))
    return found


class Jumps:
    """Whether the lines missing before one have expired; tombstones are read when the first gap is asked about."""

    def __init__(self, find: Callable[[], Iterable[SegmentsExpired]]) -> None:
        self._find = find
        self._told: list[SegmentsExpired] | None = None

    def over(self, line: bytes, after: int = 0) -> SegmentsExpired | None:
        """The tombstone of all lines between the one numbered ``after`` and this one; None if there is none."""
        if not layout.is_whole(line):
            return None
        try:
            missing = _first(line).seq - 1
        except UNREADABLE:
            return None
        if missing <= after:
            return None
        if self._told is None:
            self._told = list(self._find())
        found = [one for one in self._told if one.last >= missing]
        wrong = any(one.last == missing and one.head != layout.prev_in(line) for one in found)
        return found[-1] if found and not wrong else None


def described(told: Told) -> str:
    """What is missing, since when, and who did it: a sentence for whoever reads what is left."""
    event, record = told
    until = f", up to {told.until[:19].replace('T', ' ')} UTC," if told.until else ""
    # Names and reason are what others wrote.
    return printable(
        f"events 1 to {event.last}{until} expired on {record.time:%Y-%m-%d %H:%M} UTC"
        f" by {record.actor.user}@{record.actor.host}{f' ({event.reason})' if event.reason else ''};"
        " of those, only what living workspaces need is still here"
    )


def expiry(disk: Disk, log: Path, *, single: bool = False) -> Told | None:
    """The tombstone for what is missing from the beginning of a log; None if nothing is.

    Costs no more than a look into a folder where nothing expired. A ``single`` file may be an export of a log from
    which events expired, so it is searched. Raises LogError, LogDamagedError.
    """
    with open_view(disk, log) as view:
        if view.kept is not None:
            last = view.kept.segment.last
            return next((one for one in reversed(tombstones(view.pieces)) if one.event.last == last), None)
        if not single or view.active is None:
            return None
        # With no gap before it, as many lines are before it as its number says.
        count, latest = view.active.base if view.sealed else 0, None
        for _, data in view.active.blocks():
            for at, line in lines_with(needle_of(SegmentsExpired), data):
                found = told(line, SegmentsExpired)
                if found and count + data.count(b"\n", 0, at) + 1 != found[1].seq:
                    latest = Told(*found)
            count += data.count(b"\n")
    return latest


class _First(msgspec.Struct, gc=False):
    seq: int
    actor: Origin


_first: Final[Callable[[bytes], _First]] = msgspec.json.Decoder(_First).decode


def identity(pieces: Iterable[Piece]) -> tuple[str, Origin] | None:
    """The hash of the first line the log ever had, and who wrote it; None for an empty log.

    Also when that line is gone. Raises LogError, LogDamagedError.
    """
    pieces = list(pieces)
    line = _first_line(pieces)
    if line is None:
        return None
    try:
        first = _first(line)
    except UNREADABLE as error:
        raise pieces[0].damaged(0, f"is not a record: {error}") from error
    if first.seq != 1:
        for one in reversed(tombstones(pieces)):
            return one.event.log, one.event.origin
    return layout.hash_in(line), first.actor


def _first_line(pieces: Iterable[Piece]) -> bytes | None:
    for piece in pieces:
        for _, data in piece.blocks():
            return data[: data.index(b"\n")]
    return None
