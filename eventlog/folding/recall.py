"""What a workspace's events add up to, without reading them all: the snapshot, and the lines behind it.

The log is the truth. A snapshot that does not fit it, or is not whole, is refused and made anew from the first line
on, once, with a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from eventlog.disk import Disk
from eventlog.failures import warn
from eventlog.files.pieces import Kept, Piece, Place, View, open_view
from eventlog.folding import cores
from eventlog.folding.snapshot import Snapshot, SnapshotError, path_of, save
from eventlog.folding.states import StatesFold
from eventlog.lines import layout
from eventlog.replay import BROKEN, chained, ensure_as_told, leaps, of_subject, offset_of, told_otherwise, whole
from statemachine.errors import LogDamagedError
from statemachine.fold import Workspace, empty, fold_on

TAIL: Final = 1 << 17
"""Bytes behind the snapshot from which on it is brought up to date. A large one is at least a quarter behind,
because the whole of it is written each time."""
_NONE: Final = -1
_SILENT: Final = 1 << 23
"""A log as small as this has no snapshot because nobody needed one; a larger one has lost it."""


def recall(disk: Disk, path: Path, subject: str) -> tuple[Workspace, Place]:
    """The workspace as the log tells it, and up to where. Raises LogError, LogDamagedError."""
    with _opened(disk, path) as snapshot, open_view(disk, path) as view:
        try:
            found = _from_snapshot(disk, path, view, snapshot, subject)
        except LogDamagedError:
            # Perhaps another workspace's line, which is no reason to refuse this one.
            found = None
        return found or _tail(view, empty(subject), view.beginning)


def catch_up(disk: Disk, path: Path, workspace: Workspace, place: Place) -> tuple[Workspace, Place] | None:
    """The workspace brought up to date from a place; None when the log has no such place. Raises as ``recall``."""
    with open_view(disk, path) as view:
        if view.behind(place) is None:
            return None
        return _tail(view, workspace, place)


def refresh(disk: Disk, path: Path, *, force: bool = False) -> None:
    """Bring the snapshot up to date where that is worth it. Raises LogError, LogDamagedError."""
    with _opened(disk, path) as snapshot, open_view(disk, path) as view:
        _from_snapshot(disk, path, view, snapshot, None, force=force)


def rebuild(disk: Disk, path: Path) -> None:
    """Make the snapshot anew from what is left of the log. Raises LogError, LogDamagedError."""
    with open_view(disk, path) as view:
        _made_anew(disk, path, view, None, force=True)


@contextmanager
def _opened(disk: Disk, path: Path) -> Iterator[int | None]:
    """The snapshot; ``_NONE`` where there is none, and None where it cannot be opened.

    It is opened before the log is looked at, for a newer one may speak of lines that were not there yet.
    """
    fd: int | None = _NONE
    try:
        fd = disk.open_read(str(path_of(path)))
    except FileNotFoundError:
        pass
    except OSError:
        fd = None
    try:
        yield fd
    finally:
        if fd is not None and fd != _NONE:
            disk.close(fd)


def _from_snapshot(
    disk: Disk, path: Path, view: View, fd: int | None, subject: str | None, *, force: bool = False
) -> tuple[Workspace, Place] | None:
    file = path_of(path)
    if fd is None:
        return None
    if fd == _NONE:
        if _length(view, view.start) > _SILENT:
            warn(f"{file} is gone; the whole event log is read to make it anew")
        return _made_anew(disk, path, view, subject, force=force)
    try:
        snapshot = Snapshot(disk, fd)
        if view.behind(snapshot.place) is None:
            raise SnapshotError("does not match the log")
        behind = _length(view, snapshot.place)
        if not force and behind <= max(TAIL, snapshot.size // 4):
            workspace = None if subject is None else snapshot.get(subject)
            return None if workspace is None else _tail(view, workspace, snapshot.place)
        ahead = StatesFold(snapshot.place, dict(snapshot.items()))
    except (SnapshotError, OSError) as error:
        # Reading the log itself raises a LogError.
        why = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
        warn(f"{file} {why}; the whole event log is read to make it anew")
        return _made_anew(disk, path, view, subject, force=True)
    return _saved(disk, path, view, ahead, subject)


def _made_anew(
    disk: Disk, path: Path, view: View, subject: str | None, *, force: bool
) -> tuple[Workspace, Place] | None:
    if not force and _length(view, view.start) <= TAIL:
        return None
    ensure_as_told(view)
    return _saved(disk, path, view, StatesFold(view.beginning, {}), subject)


def _saved(
    disk: Disk, path: Path, view: View, folded: StatesFold, subject: str | None
) -> tuple[Workspace, Place] | None:
    pieces = view.behind(folded.place)
    if pieces is None:
        return None
    cores.run(folded, pieces, verified=True)
    states = folded.states()
    # A disk that takes no cache takes no event either, and says so then.
    with suppress(OSError):
        save(disk, path, folded.place, states)
    workspace = None if subject is None else states.get(subject, empty(subject))
    return None if workspace is None else (workspace, folded.place)


def _tail(view: View, workspace: Workspace, place: Place) -> tuple[Workspace, Place]:
    """A workspace brought up to date by its own lines behind a place.

    All of them are looked at, for one that was changed may have been its own, and nobody would miss it.
    """
    pieces = view.behind(place)
    chain = _Chain(view, place.head)
    for piece, start in pieces or ():
        place = Place(piece.base, start, place.head)
        found_in = of_subject(piece, workspace.subject, after=workspace.version, start=start, see=chain.see)
        for found, behind in found_in:
            if found:
                workspace = fold_on(workspace, found)
            place = Place(piece.base, behind, "")
        if not place.head:
            place = Place(place.base, place.offset, piece.head_at(place.offset))
    return workspace, place


class _Chain:
    """Follows the lines behind a place, and warns once where they do not follow each other."""

    def __init__(self, view: View, head: str) -> None:
        self._head = head
        self._view = view
        self._leap = leaps(lambda: view)
        self._warned = False

    def see(self, piece: Piece, at: int, data: bytes) -> None:
        """The next lines."""
        lines = layout.lines_of(data)
        what = BROKEN
        if isinstance(piece, Kept):
            head, good = whole(lines)
            self._head = piece.segment.head
            if head and at == 0 and (wrong := told_otherwise(self._view)).why:
                head, good, what = "", 0, wrong.why
        else:
            head, good = chained(lines, self._head, first=False, leap=self._leap)
            self._head = layout.hash_in(lines[-1][:-1])
        if not head and not self._warned:
            self._warned = True
            warn(f"{piece.damaged(offset_of(at, lines, good), what)}")


def _length(view: View, place: Place) -> int:
    """Bytes behind a place; of compressed segments as they are on the disk."""
    pieces = view.behind(place)
    return sum(piece.size() - start for piece, start in pieces) if pieces is not None else 0
