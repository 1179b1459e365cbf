"""Folding the log of all workspaces at once, without decoding what the result does not depend on.

Where the parts of a line stand is known, so type, subject and version are one slice of it. What that slice means is
looked up, and from there on ``statemachine.folding`` moves along; the few lines that the workspaces depend on are read
again at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Final

from eventlog.files.pieces import Kept, Piece, Place
from eventlog.lines import layout
from eventlog.lines.codec import READERS, UNREADABLE, encode
from eventlog.replay import BROKEN, chained, decode_entry, offset_of, whole
from statemachine.errors import LogDamagedError
from statemachine.events import EVENT_TYPES
from statemachine.fold import Workspace, empty
from statemachine.folding import Carried, Folding, Seen, arrived
from statemachine.ports import Recorded

_KEY: Final = b'","type":"'
_KEY_AT: Final = len(layout.START) + 36 + len(b'","time":"') + 27
_SCHEMA: Final = b',"schema":1,'
_SCHEMA_FROM: Final = _KEY_AT + len(_KEY) + min(map(len, EVENT_TYPES)) + len(b'","subject":"w","seq":1')
_DATA: Final = b',"data":{'
_COMMAND: Final = b'"command":"'
_SKIP: Final = len(_COMMAND)
_MOST_KEYS: Final = 50_000
_PIECE: Final = 1 << 40
"""More than the bytes of a piece: the place of a line is the number of its piece times this, and its offset in it."""

States = Mapping[str, Workspace | None]
"""Workspaces by subject; None for one whose history cannot be folded, which is for its own reader to say."""


class StatesFold:
    """The workspaces of the log, folded on from a place.

    ``states`` is what they are there; None when that is not known, and the hash before the first line is not either:
    then what is found can be joined to a fold that ends there.
    """

    def __init__(self, place: Place, states: States | None, *, piece: int = 0) -> None:
        self.place = place
        self.prev = ""
        """The ``prev`` of the first line, where it was not known."""
        self.foldings: dict[str, Folding] = {}
        self._base = states
        self._first = piece
        self._pieces: list[Piece] = []
        self._keys: dict[bytes, Seen] = {}
        self._digits = 1
        self._verified = False

    def run(self, pieces: Iterable[tuple[Piece, int]], *, verified: bool) -> None:
        """Take all lines of some pieces that follow the place. Raises LogError, LogDamagedError."""
        self._verified = verified
        for piece, start in pieces:
            self.enter(piece)
            offset, head = start, self.place.head
            for at, data in piece.blocks(start):
                lines = layout.lines_of(data)
                if not head:
                    self.prev = head = layout.prev_in(lines[0][:-1])
                head = self._chained(lines, head, piece, at) if verified else layout.hash_in(lines[-1][:-1])
                self._take(lines, piece, at)
                offset = at + len(data)
                self.place = Place(piece.base, offset, head)
            if isinstance(piece, Kept):
                self.place = Place(piece.base, offset, piece.segment.head)

    def enter(self, piece: Piece) -> int:
        """The number of the piece that comes next, or is still gone through."""
        if not self._pieces or self._pieces[-1] is not piece:
            self._pieces.append(piece)
        return self._first + len(self._pieces) - 1

    def take(self, place: Place, found: Mapping[str, Carried]) -> None:
        """Take what was found, up to a place, in lines that follow; their pieces have to be entered by now."""
        self.place = place
        for subject, carried in found.items():
            self._folding(subject).join(arrived(carried))

    def states(self) -> dict[str, Workspace | None]:
        """All workspaces, those that nothing happened to included. Raises LogError, LogDamagedError."""
        found = dict(self._base or {})
        living = {subject: folding for subject, folding in self.foldings.items() if not folding.is_lost}
        lines = dict(self._lines(sorted({at for folding in living.values() for at in folding.needed()})))
        for subject in self.foldings:
            folding = living.get(subject)
            try:
                found[subject] = None if folding is None else folding.workspace(lambda at: recorded_in(lines[at]))
            except UNREADABLE as error:
                raise LogDamagedError(f"an event of workspace {subject} is no record: {error}") from error
        return found

    def _chained(self, lines: list[bytes], head: str, piece: Piece, at: int) -> str:
        first = at == 0 and piece.base > 0 and head == layout.GENESIS
        head, good = whole(lines) if isinstance(piece, Kept) else chained(lines, head, first=first)
        if not head:
            raise piece.damaged(offset_of(at, lines, good), BROKEN)
        return head

    def _take(self, lines: list[bytes], piece: Piece, at: int) -> None:
        keys = self._keys
        if len(keys) > _MOST_KEYS:
            keys.clear()
        digits, gap = self._digits, 0
        place = (self._first + len(self._pieces) - 1) * _PIECE + at
        for line in lines:
            end = line.find(_SCHEMA, _SCHEMA_FROM)
            try:
                # Whatever is not exactly what this version writes, or new, or has a longer number, goes the long way.
                seen = keys[line[_KEY_AT : end - digits]]
            except KeyError:
                seen = self._see(line, piece, place % _PIECE)
                digits, end = self._digits, len(line)
            folding = seen.folding
            try:
                folding.moves = folding.moves[seen.kind]
            except KeyError:
                folding.give_up()
            seen.at = place
            if seen.is_command:
                if not line.startswith(_DATA, end + gap):
                    gap = line.find(_DATA, end) - end
                start = line.find(_COMMAND, end + gap) + _SKIP
                command = line[start : line.find(b'"', start)]
                if start < _KEY_AT or b"\\" in command:
                    command = _command_in(line, folding)
                if seen.opens:
                    folding.opened[command] = place
                elif folding.looks_back:
                    folding.close(command)
                else:
                    folding.opened.pop(command, None)
            place += len(line)

    def _see(self, line: bytes, piece: Piece, at: int) -> Seen:
        """Which workspace a line belongs to, and what it is; kept for lines that say so in the same way."""
        try:
            entry = decode_entry(line)
        except UNREADABLE as error:
            raise piece.damaged(at, f"is not a record: {error}") from error
        kind = EVENT_TYPES.get(entry.type)
        if kind is not None and entry.schema > kind.VERSION:
            kind = None
        seen = self._folding(entry.subject).see(kind)
        key = b'%b%b","subject":%b,"seq":' % (_KEY, entry.type.encode(), encode(entry.subject))
        number = b"%d" % entry.seq
        # Where the name of a command stands in older data is for its upcaster to say.
        if line.startswith(key + number + _SCHEMA, _KEY_AT) and (kind is None or kind.VERSION == 1):
            self._keys[key] = seen
            self._digits = len(number)
        return seen

    def _folding(self, subject: str) -> Folding:
        folding = self.foldings.get(subject)
        if folding is None:
            base = _NEW if self._base is None else self._base.get(subject, _NEW)
            known = empty(subject) if base is None or base is _NEW else base
            folding = self.foldings[subject] = Folding(None if self._base is None else known)
            if base is None:
                folding.give_up()
        return folding

    def _lines(self, places: list[int]) -> Iterator[tuple[int, bytes]]:
        """The lines at some places, in their order. Raises LogError, LogDamagedError."""
        for number, group in groupby(places, lambda place: place // _PIECE):
            piece = self._pieces[number - self._first]
            wanted = (place % _PIECE for place in group)
            offset = next(wanted, -1)
            for at, data in piece.blocks(offset):
                while at <= offset < at + len(data):
                    line = data[offset - at : data.find(b"\n", offset - at)]
                    if self._verified and layout.digest_of(line) != layout.hash_in(line):
                        raise piece.damaged(offset, BROKEN)
                    yield number * _PIECE + offset, line
                    offset = next(wanted, -1)
                if offset < 0:
                    break


_NEW: Final = empty("")


def _command_in(line: bytes, folding: Folding) -> bytes:
    """The identifier in an event that opens or closes a command, for lines that have it in another way."""
    try:
        return getattr(recorded_in(line).event, "command", "").encode()
    except UNREADABLE:
        folding.give_up()
        return b""


def recorded_in(line: bytes) -> Recorded:
    """The event in a line. Raises what is ``UNREADABLE``."""
    entry = decode_entry(line)
    event = READERS[entry.type, entry.schema](entry.data)
    return Recorded(entry.seq, entry.time, entry.subject, event, entry.type)
