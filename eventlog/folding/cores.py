"""Folding a long log on several processors: each takes stretches of it, and what they find is joined in order.

The chain is checked within each stretch, and from one to the next by the hash before its first line. What goes wrong
in a process of its own is no answer: from there on the log is folded here, which says what is wrong.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final

from eventlog.disk import Disk
from eventlog.files.pieces import Active, Piece, Sealed
from eventlog.files.read import next_line
from eventlog.folding.states import StatesFold
from eventlog.lines import layout

if TYPE_CHECKING:
    from concurrent.futures import Future

    from eventlog.folding.workers import Found, Stretch

STRETCH: Final = 1 << 25
"""Bytes that one process takes at a time, at least. More is faster, for each stretch begins to learn the workspaces'
names anew, and takes more memory, for it remembers which commands ended."""
_LONGEST: Final = 1 << 28
_TURNS: Final = 3
"""Stretches for each process, where that is between the two: then no process waits long for the last one."""
WORTH: Final = 1 << 27
"""Bytes of a log from which on starting processes saves more than it costs."""
_MOST: Final = 8
_PACKED: Final = 10
"""How much longer a compressed segment is than its file, about."""


def processors() -> int:
    """How many processes are worth starting."""
    try:
        return min(_MOST, len(os.sched_getaffinity(0)))
    except AttributeError:
        return min(_MOST, os.cpu_count() or 1)


def run(folded: StatesFold, pieces: Iterable[tuple[Piece, int]], *, verified: bool, jobs: int | None = None) -> None:
    """As ``StatesFold.run``, with several processes (None: as many as there are processors) where that is faster."""
    todo = list(pieces)
    jobs = processors() if jobs is None else jobs
    if jobs > 1:
        alone = list(takewhile(lambda one: not _can_share(one[0]), todo))
        folded.run(alone, verified=verified)
        todo = todo[len(alone) :]
        length = sum(_length(*one) for one in todo)
        if length > WORTH and all(_can_share(piece) for piece, _ in todo):
            size = min(max(STRETCH, length // (jobs * _TURNS)), _LONGEST)
            todo = _together(folded, todo, size, verified=verified, jobs=jobs)
    folded.run(todo, verified=verified)


def _can_share(piece: Piece) -> bool:
    return type(piece) in (Active, Sealed)


def _length(piece: Piece, start: int) -> int:
    packed = isinstance(piece, Sealed) and not piece.path.exists()
    return piece.size() * (_PACKED if packed else 1) - start


def _together(
    folded: StatesFold, todo: list[tuple[Piece, int]], size: int, *, verified: bool, jobs: int
) -> list[tuple[Piece, int]]:
    """Fold as much as goes well; what is left to do is the answer."""
    from eventlog.folding.workers import Task, workers

    stretches = _stretches(folded, todo, size)
    begun: deque[tuple[Piece, int]] = deque()
    futures: deque[Future[Found | None]] = deque()
    with suppress(OSError), workers(jobs) as ask:
        while True:
            for stretch, piece in islice(stretches, 2 * jobs - len(begun)):
                begun.append((piece, stretch.start))
                futures.append(ask(Task(stretch, verified)))
            if not begun:
                return []
            found = futures.popleft().result()
            if found is None or not _joined(folded, *begun[0], found, verified=verified):
                break
            begun.popleft()
    if not begun:
        return todo
    piece, start = begun[0]
    return [(piece, start), *todo[[one for one, _ in todo].index(piece) + 1 :]]


def _stretches(folded: StatesFold, todo: list[tuple[Piece, int]], size: int) -> Iterator[tuple[Stretch, Piece]]:
    """The stretches of some pieces, in order; a sealed segment is one."""
    from eventlog.folding.workers import Stretch

    for piece, start in todo:
        number = folded.enter(piece)
        if isinstance(piece, Sealed):
            sealed = (piece.segment.first, piece.segment.last, piece.segment.head)
            yield Stretch(number, piece.base, start, None, str(piece.path), sealed, (0, 0)), piece
        elif isinstance(piece, Active):
            status = os.fstat(piece.fd)
            identity = (status.st_dev, status.st_ino)
            at: int | None = start
            while at is not None:
                end = next_line(Disk(), piece.fd, at + size)
                yield Stretch(number, piece.base, at, end, str(piece.path), None, identity), piece
                at = end


def _joined(folded: StatesFold, piece: Piece, start: int, found: Found, *, verified: bool) -> bool:
    """Take what a process found, if it follows what is there."""
    if not found.prev:
        return True
    begins = start == 0 and piece.base > 0 and folded.place.head == layout.GENESIS
    if verified and found.prev != folded.place.head and not begins:
        return False
    folded.take(found.place, found.foldings)
    return True
