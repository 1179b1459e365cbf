"""Shipping a log to append blobs: every byte once and in order, also when a run is killed at any point.

No position is kept on this computer: the end of the blob says how far shipping has come. The last line there has a
seq and a hash; what follows that line in the log is appended on the condition that the blob still ends
where it was seen to end. So a killed run, a lost answer and two runs at once are handled alike: look
where the blob ends, and go on from there. An append is all or nothing, so a blob ends with a whole line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from adapters.ship.blob import BLOCK, MOST_BLOCKS
from adapters.ship.line import Line
from adapters.ship.local import LocalLog
from adapters.ship.store import Appendable, Blob, FullError, MovedError
from adapters.ship.writer import LAST_PART, blob_name, parse_name
from eventlog.files.tail import seq_in
from eventlog.lines import layout
from statemachine.errors import BusyError, LogDamagedError, LogError

_TURNS: Final = 20
"""How often others may get in between before we say so."""
_TAIL: Final = 16_384


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did."""

    writer: str
    events: int
    """Appended by this run."""
    size: int
    """Bytes appended by this run."""
    last: int
    """Seq of the last event that is there now."""
    blob: str
    """Name of the blob that takes the next append; empty when nothing was ever shipped."""


class _End(msgspec.Struct):
    """Where the next append goes, and which line is the last before it."""

    part: int
    position: int
    blocks: int
    seq: int
    hash: str


def ship(log: LocalLog, store: Appendable, *, block: int = BLOCK, most_blocks: int = MOST_BLOCKS) -> Shipped:
    """Append what the store lacks of a log. Running it again appends nothing twice.

    Raises LogError, LogDamagedError (of either side), BusyError, AzureError.
    """
    name = log.name()
    if name is None:
        return Shipped(writer="", events=0, size=0, last=0, blob="")
    writer, events, size = name.writer, 0, 0
    for _ in range(_TURNS):
        end = _end(store, writer)
        lines = log.after(end.seq, end.hash, name.log)
        try:
            for data, count, last in _blocks(lines, block):
                _append(store, writer, end, data, most_blocks)
                events, size = events + count, size + len(data)
                end.seq, end.hash = last.seq, last.hash
        except (MovedError, FullError):
            continue
        blob = blob_name(writer, end.part) if end.seq else ""
        return Shipped(writer=writer, events=events, size=size, last=end.seq, blob=blob)
    raise BusyError(f"another process ships the same log to {store.name}", remedy="Try again when it has finished.")


def _append(store: Appendable, writer: str, end: _End, data: bytes, most_blocks: int) -> None:
    if end.blocks >= most_blocks or end.part == 0:
        if end.part == LAST_PART:
            raise LogError(f"{store.name} has no name left for another blob of {writer}", remedy="Use a new container.")
        end.part, end.position, end.blocks = end.part + 1, 0, 0
        store.create(blob_name(writer, end.part))
    try:
        store.append(blob_name(writer, end.part), data, end.position)
    except FullError:
        # Somebody else's appends count too; the next turn begins with a full blob.
        end.blocks = most_blocks
        raise
    end.position += len(data)
    end.blocks += 1


def _blocks(lines: Iterable[Line], most: int) -> Iterator[tuple[bytes, int, Line]]:
    """Lines in as few pieces as may be, each with its number of lines and the last of them."""
    held: list[bytes] = []
    size = 0
    last: Line | None = None
    for line in lines:
        more = len(line.raw) + 1
        if last is not None and size + more > most:
            yield b"\n".join(held) + b"\n", len(held), last
            held, size = [], 0
        held.append(line.raw)
        size += more
        last = line
    if last is not None:
        yield b"\n".join(held) + b"\n", len(held), last


def _end(store: Appendable, writer: str) -> _End:
    parts = sorted(
        (found[1], blob)
        for blob in store.list(f"{writer}/")
        if (found := parse_name(blob.name)) is not None and found[0] == writer
    )
    if not parts:
        return _End(0, 0, 0, 0, layout.GENESIS)
    part, last = parts[-1][0], store.look(parts[-1][1].name)
    # A run that was killed between making a blob and its first append leaves an empty one.
    written = [last, *(blob for _, blob in reversed(parts[:-1]))]
    filled = next((blob for blob in written if blob.size), None)
    seq, digest = _last_line(store, filled) if filled else (0, layout.GENESIS)
    return _End(part, last.size, last.blocks, seq, digest)


def _last_line(store: Appendable, blob: Blob) -> tuple[int, str]:
    """Seq and hash of the line a blob ends with."""
    want = _TAIL
    while True:
        size = min(want, blob.size)
        data = store.read(blob.name, blob.size - size, size)
        before = data.rfind(b"\n", 0, -1)
        if before >= 0 or size == blob.size or size > layout.MAX_LINE:
            break
        want *= 8
    line = data[before + 1 : -1]
    if not data.endswith(b"\n") or not layout.is_shaped(line) or layout.digest_of(line) != layout.hash_in(line):
        raise LogDamagedError(
            f"{blob.name} in {store.name} does not end with a line of this log: something else wrote to it",
            remedy="Move that blob away; the log is then shipped to it again from its beginning.",
        )
    return seq_in(line), layout.hash_in(line)
