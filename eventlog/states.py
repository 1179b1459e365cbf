"""Folding the log of all workspaces at once, without decoding what the result does not depend on.

Where the parts of a line stand is known, so the type, the subject and the version are slices of it. Which events
a workspace depends on is known to ``statemachine.fold``; those alone are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from eventlog import layout
from eventlog.codec import READERS
from eventlog.pieces import Piece, Place
from eventlog.replay import BROKEN, UNREADABLE, chained, decode_entry
from statemachine.errors import LogDamagedError
from statemachine.events import EVENT_TYPES, Event
from statemachine.fold import Folding, Workspace, empty
from statemachine.ports import Recorded

_TYPE_AT: Final = len(layout.START) + 36 + len(b'","time":"') + 27 + len(b'","type":"')
_SEQ: Final = b'","seq":'
_SCHEMA: Final = b',"schema":1,"'
_DATA: Final = b',"data":{'
_COMMAND: Final = b'"command":"'
_MOST_ROUTES: Final = 50_000

States = Mapping[str, Workspace | None]
"""Workspaces by subject; None for one whose history cannot be folded, which is for its own reader to say."""

_Route = tuple[Callable[[type[Event] | None, bytes], None], type[Event] | None]
"""What to call with a line, and the type of event in it."""


class StatesFold:
    """The workspaces of the log, folded on from a place."""

    def __init__(self, place: Place, states: States) -> None:
        self.place = place
        self._base = states
        self._foldings: dict[str, Folding[bytes] | None] = {}
        self._routes: dict[bytes, _Route] = {}
        self._width = 0

    def run(self, pieces: Iterator[tuple[Piece, int]], *, verified: bool) -> None:
        """Take all lines of some pieces that follow the place. Raises LogError, LogDamagedError."""
        for piece, start in pieces:
            offset = start
            head = self.place.head
            for at, data in piece.blocks(start):
                lines = data.split(b"\n")
                lines.pop()
                head = self._chained(lines, head, piece, at) if verified else layout.hash_in(lines[-1])
                self._take(lines, piece, at)
                offset = at + len(data)
                self.place = Place(piece.base, offset, head)

    def states(self) -> dict[str, Workspace | None]:
        """All workspaces, those that nothing happened to included. Raises LogDamagedError."""
        found = dict(self._base)
        for subject, folding in self._foldings.items():
            try:
                found[subject] = None if folding is None else folding.workspace()
            except UNREADABLE as error:
                raise LogDamagedError(f"an event of workspace {subject} is no record: {error}") from error
        return found

    def _chained(self, lines: list[bytes], head: str, piece: Piece, at: int) -> str:
        first = at == 0 and piece.base > 0 and head == layout.GENESIS
        head, good = chained(lines, head, first=first)
        if not head:
            raise piece.damaged(at + _length(lines, good), BROKEN)
        return head

    def _take(self, lines: list[bytes], piece: Piece, at: int) -> None:
        routes = self._routes
        if len(routes) > _MOST_ROUTES:
            routes.clear()
        width = self._width
        for line in lines:
            end = line.find(_SEQ, _TYPE_AT)
            route = routes.get(line[_TYPE_AT:end])
            # Whatever is not exactly what this version writes, or new, or has a longer number, goes the long way.
            if route is None or not line.startswith(_SCHEMA, end + width):
                width = self._width = _width(line, end)
                route = self._route(line, end, piece, at, lines)
            try:
                route[0](route[1], line)
            except (LogDamagedError, *UNREADABLE):
                self._give_up(line)

    def _route(self, line: bytes, end: int, piece: Piece, at: int, lines: list[bytes]) -> _Route:
        """Which workspace a line belongs to, and what it is; kept for lines that say so in the same way."""
        try:
            entry = decode_entry(line)
        except UNREADABLE as error:
            raise piece.damaged(at + _length(lines, lines.index(line)), f"is not a record: {error}") from error
        subject = entry.subject
        kind = EVENT_TYPES.get(entry.type)
        if kind is not None and entry.schema > kind.VERSION:
            kind = None
        folding = self._foldings.get(subject)
        if folding is None:
            base = self._base.get(subject, _NEW)
            if subject in self._foldings or base is None:
                self._foldings[subject] = None
                return _ignore, None
            base = empty(subject) if base is _NEW else base
            folding = self._foldings[subject] = Folding(base, recorded_in, command_in)
        route: _Route = (folding.add, kind)
        if entry.schema == 1 and line.startswith(b'%b","subject":"' % entry.type.encode(), _TYPE_AT):
            self._routes[line[_TYPE_AT:end]] = route
        return route

    def _give_up(self, line: bytes) -> None:
        """A history that cannot be: its workspace is left out, and the others go on."""
        self._foldings[decode_entry(line).subject] = None
        self._routes.clear()


def _ignore(_kind: type[Event] | None, _line: bytes) -> None:
    """For the lines of a workspace that was given up."""


def _width(line: bytes, end: int) -> int:
    """Bytes from the end of a line's subject to behind the digits of its number."""
    return line.find(b",", end + len(_SEQ)) - end


_NEW: Final = empty("")


def recorded_in(line: bytes) -> Recorded:
    """The event in a line. Raises msgspec.MsgspecError, UnicodeDecodeError."""
    entry = decode_entry(line)
    event = READERS[entry.type, entry.schema](entry.data)
    return Recorded(entry.seq, entry.time, entry.subject, event, entry.type)


def command_in(line: bytes) -> str:
    """The identifier of the command in a CommandOpened or CommandClosed."""
    start = line.find(_COMMAND, line.find(_DATA, _TYPE_AT)) + len(_COMMAND)
    found = line[start : line.find(b'"', start)]
    if start < _TYPE_AT or b"\\" in found:
        return _decode_command(line).data.command
    return found.decode()


class _Named(msgspec.Struct, gc=False):
    command: str


class _Command(msgspec.Struct, gc=False):
    data: _Named


_decode_command: Final = msgspec.json.Decoder(_Command).decode


def _length(lines: list[bytes], count: int) -> int:
    """Bytes of the first lines of a block; for errors only."""
    return sum(len(line) + 1 for line in lines[:count])
