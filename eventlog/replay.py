"""From lines to events: one subject's, or everybody's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from eventlog.files.pieces import Kept, Piece, View
from eventlog.files.read import lines_with, needle
from eventlog.lines import layout
from eventlog.lines.codec import READERS, UNREADABLE, event_of
from eventlog.lines.record import Record
from statemachine.ports import Recorded


class Entry(msgspec.Struct, gc=False):
    """The parts of a line that the lifecycle needs; the parser steps over the others."""

    time: datetime
    type: str
    subject: str
    seq: int
    schema: int
    data: msgspec.Raw


decode_entry: Final = msgspec.json.Decoder(Entry).decode
BROKEN: Final = "was changed, or does not follow the line before"
_decode_record: Final = msgspec.json.Decoder(Record).decode


def of_subject(
    piece: Piece, subject: str, *, after: int, start: int, see: Callable[[Piece, int, bytes], None] | None = None
) -> Iterator[tuple[list[Recorded], int]]:
    """One subject's events in a piece from an offset on, block by block, each block with the offset behind it.

    ``after`` is the seq of the subject's last event before ``start``; ``see`` is shown all lines, block by block.
    Raises LogError, LogDamagedError.
    """
    wanted = needle(subject)
    last = after
    for at, data in piece.blocks(start):
        if see is not None:
            see(piece, at, data)
        found: list[Recorded] = []
        for offset, line in lines_with(wanted, data):
            try:
                entry = decode_entry(line)
            except UNREADABLE as error:
                raise piece.damaged(at + offset, f"is not a record: {error}") from error
            if entry.subject != subject:
                continue
            if not layout.is_whole(line):
                raise piece.damaged(at + offset, "was changed after it was written")
            if entry.seq <= last:
                raise piece.damaged(at + offset, f"has seq {entry.seq}, which is not after {last}")
            last = entry.seq
            event = event_of(entry.type, entry.schema, entry.data, last)
            found.append(Recorded(last, entry.time, subject, event, entry.type))
        yield found, at + len(data)


def everything(view: View, *, verified: bool) -> Iterator[Recorded]:
    """The events of all subjects in the order of the log. Raises LogError, LogDamagedError."""
    # Written out instead of built on ``records``: a replay is millions of turns of this loop, and calls
    # are a third of its time.
    decode, readers = decode_entry, READERS
    for piece, at, lines in _lines(view, verified=verified):
        for index, line in enumerate(lines):
            try:
                entry = decode(line)
                kind = entry.type
                event = readers[kind, entry.schema](entry.data)
            except UNREADABLE as error:
                raise piece.damaged(offset_of(at, lines, index), f"is not a record: {error}") from error
            yield Recorded(entry.seq, entry.time, entry.subject, event, kind)


def records(view: View, *, verified: bool) -> Iterator[Record]:
    """All records, envelopes included, in the order of the log. Raises LogError, LogDamagedError."""
    for piece, at, lines in _lines(view, verified=verified):
        for index, line in enumerate(lines):
            try:
                record = _decode_record(line)
            except UNREADABLE as error:
                raise piece.damaged(offset_of(at, lines, index), f"is not a record: {error}") from error
            yield record


def _lines(view: View, *, verified: bool) -> Iterator[tuple[Piece, int, list[bytes]]]:
    """The lines of the log, block by block; of a block that is not all good, those before the first bad one."""
    head, leap = layout.GENESIS, leaps(lambda: view)
    for piece in view.pieces:
        kept = isinstance(piece, Kept)
        for at, data in piece.blocks():
            lines = layout.lines_of(data)
            if not verified:
                yield piece, at, lines
                continue
            first = piece is view.pieces[0] and at == 0 and piece.base > 0
            head, good = whole(lines) if kept else chained(lines, head, first=first, leap=leap)
            yield piece, at, lines[:good]
            if not head:
                raise piece.damaged(offset_of(at, lines, good), BROKEN)
        if isinstance(piece, Kept):
            head = piece.segment.head
            if verified:
                ensure_as_told(view)


Leap = Callable[[bytes], bool]
"""Whether everything between the line before and one (newline included) that does not follow it expired."""


def leaps(look: Callable[[], View]) -> Leap:
    """Asks the tombstones of a log, which are looked for when there is something to ask."""
    found: list[Leap] = []

    def leap(line: bytes) -> bool:
        if not found:
            from eventlog.retention.expired import Jumps, readable_tombstones

            jumps = Jumps(lambda: [one.event for one in readable_tombstones(look().pieces)])
            found.append(lambda line: jumps.over(line[:-1]) is not None)
        return found[0](line)

    return leap


class Otherwise(NamedTuple):
    """What is wrong with the lines that are kept of expired events, held against the tombstone."""

    why: str
    """Nothing if nothing is."""
    untold: bool
    """Whether that is because no tombstone can be read: if one was changed, its own line is the bad one."""


def told_otherwise(view: View, missing: int = 0) -> Otherwise:
    """Whether the kept lines are those that were kept: with gaps between them, each can show its own hash only.

    In an export they are in the file itself; then ``missing`` is the seq before the last line behind a gap.
    """
    if view.kept is None and not missing:
        return Otherwise("", untold=False)
    from eventlog.retention.gaps import Gaps

    gaps = Gaps(view.pieces, kept=view.kept, archived=[])
    gaps.missing = missing
    return Otherwise(gaps.verdict(), untold=gaps.unexplained)


def ensure_as_told(view: View, missing: int = 0) -> None:
    """Raises LogDamagedError for kept lines that are not those of which a tombstone speaks."""
    if (wrong := told_otherwise(view, missing)).why:
        raise view.pieces[0].damaged(0, wrong.why)


def chained(lines: list[bytes], head: str, *, first: bool, leap: Leap = lambda _line: False) -> tuple[str, int]:
    """The hash of the last of some lines if they follow ``head``, else nothing; and how many of them do.

    ``first``: what was before them is gone; whether it may be missing is for ``verify`` to say.
    """
    if first:
        head = layout.prev_in(lines[0][:-1])
    found = layout.hashes(lines, head)
    if found:
        return found[-1], len(lines)
    for index, line in enumerate(lines):
        head = layout.follows(line[:-1], head) or (layout.hash_in(line[:-1]) if leap(line) else "")
        if not head:
            return "", index
    return head, len(lines)


def whole(lines: list[bytes]) -> tuple[str, int]:
    """As ``chained`` for lines with gaps between them, each of which has only its own hash to show."""
    for index, line in enumerate(lines):
        if layout.digest_of(line[:-1]) != layout.hash_in(line[:-1]):
            return "", index
    return layout.hash_in(lines[-1][:-1]), len(lines)


def offset_of(at: int, lines: list[bytes], index: int) -> int:
    """Where line number ``index`` (from 0) of a block at ``at`` begins; for errors only."""
    return at + sum(map(len, lines[:index]))
