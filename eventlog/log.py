"""The event log as the rest of the program sees it."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from eventlog import replay as reading
from eventlog.disk import Disk
from eventlog.failures import warn
from eventlog.files.pieces import Place, View, open_view
from eventlog.files.tail import Tail
from eventlog.folding import cores
from eventlog.folding.recall import catch_up, recall, refresh
from eventlog.folding.states import StatesFold
from eventlog.known import Known, grown, nothing
from eventlog.lines.codec import LOG_SUBJECT
from eventlog.lines.record import Actor, Record
from eventlog.lock import PATIENCE
from eventlog.sealing.checkpoint import is_due, noted
from eventlog.writing.append import Appender
from eventlog.writing.compose import Composer
from eventlog.writing.roll import SEGMENT, compress
from statemachine.errors import LogConflictError, LogError
from statemachine.events import Event
from statemachine.fold import Workspace
from statemachine.ports import Recorded

LOOK_EVERY: Final = 100
"""Events between two looks at whether a checkpoint is due."""
SOURCE: Final = "devpod-provider-aci"


utc_now: Final[Callable[[], datetime]] = partial(datetime.now, UTC)
"""The time of day."""


_alive: Final[weakref.WeakSet[EventLog]] = weakref.WeakSet()


class EventLog:
    """An append-only file of events that many processes share.

    Satisfies ``statemachine.ports.Journal``. Touches the disk when it is first asked something. May be shared
    between threads and carried over a fork.
    """

    def __init__(
        self,
        path: Path,
        *,
        actor: Callable[[], Actor],
        correlation: str,
        now: Callable[[], datetime] = utc_now,
        disk: Disk | None = None,
        patience: float = PATIENCE,
        segment: int = SEGMENT,
    ) -> None:
        # Two names of one file must lead to one lock.
        self.path: Final = Path(os.path.realpath(path))
        self._disk = disk or Disk()
        self._composer = Composer(actor=actor, correlation=correlation, source=SOURCE, now=now)
        self._appender = Appender(self.path, self._composer, disk=self._disk, patience=patience, segment=segment)
        self._known: dict[str, Known] = {}
        self._recalled: dict[str, tuple[Workspace, Place]] = {}
        self._mutex = threading.Lock()
        self._last = self._look_at = 0
        _alive.add(self)

    def close(self) -> None:
        """Let go of the file; it is opened again when needed."""
        self._appender.forget()

    def _after_fork(self) -> None:
        # Parent and child would have one lock between them, and a thread that held the mutex is not here.
        self._appender.forget()
        self._mutex = threading.Lock()

    def append(self, subject: str, event: Event, *, expected: int | None = None) -> Recorded:
        """Write one event; when this returns it survives a power cut.

        ``expected`` is the seq of the subject's last event as the caller knows it (0: there is none); None
        appends whatever others did. Raises LogConflictError when that is no longer so, LogDamagedError when the
        end of the log is not what was written, LogError when the disk refuses, TypeError for an event that
        holds a Secret or anything else that has no place in the log.
        """
        draft = self._composer.draft(subject, event)
        looks = self._last >= self._look_at and subject != LOG_SUBJECT
        # Before the line is written, for what others sealed by now is then before it.
        sealed = noted(self.path) if looks else None
        with self._mutex:
            recorded = self._appender.append(draft, expected, self._expect)
        self._last = recorded.seq
        if self._appender.rolled:
            self._appender.rolled = False
            self._tidy()
        elif looks:
            self._look_at = recorded.seq + LOOK_EVERY
            if is_due(self.path, sealed, recorded.seq):
                self._seal_quietly()
        return recorded

    def note(self, make: Callable[[Tail], Event]) -> Recorded:
        """Append an event of the log's own, made from the end of the log it will follow. Raises as ``append``."""
        with self._mutex:
            return self._appender.append(lambda tail: self._composer.draft(LOG_SUBJECT, make(tail)), None, self._expect)

    def _seal_quietly(self) -> None:
        """A checkpoint that nobody asked for fails without failing the append behind it."""
        from eventlog.sealing.seal import ensure_continued, seal

        try:
            ensure_continued(self.path)
            seal(self)
        except (LogError, ImportError) as error:
            warn(f"the event log could not be sealed: {error}")

    def _tidy(self) -> None:
        """What a new segment asks for, none of which may make an append fail that is on the disk already."""
        with suppress(LogError):
            refresh(self._disk, self.path, force=True)
        compress(self._disk, self.path)
        if is_due(self.path, noted(self.path), sys.maxsize):
            self._seal_quietly()

    def ensure_writable(self) -> None:
        """Find out before it matters whether an append could work. Raises LogError, LogDamagedError."""
        with self._mutex:
            self._appender.prepare()

    def history(self, subject: str) -> Iterator[Recorded]:
        """The events of one subject, oldest first.

        Each line's own hash is checked; that none is missing is for ``verify`` to say. A second call in the
        same process reads only what was appended since. Raises LogError, LogDamagedError.
        """
        with open_view(self._disk, self.path) as view:
            known = self._known.get(subject)
            if known is None or known.kept is None or view.behind(known.place) is None:
                known = nothing(view.start)
            yield from known.events()
            for found, place in self._read(view, subject, known):
                yield from found
                known = grown(known, found, place)
            self._known[subject] = known

    def recall(self, subject: str) -> Workspace:
        """What the events of one workspace add up to.

        Costs the same however long the log is: a snapshot and what was appended since are read. Raises
        LogError, LogDamagedError.
        """
        recalled = self._recalled.get(subject)
        found = recalled and catch_up(self._disk, self.path, *recalled)
        self._recalled[subject] = workspace, place = found or recall(self._disk, self.path, subject)
        known = self._known.get(subject)
        if known is None or known.kept is None:
            self._known[subject] = Known(place, workspace.version, None, 0)
        return workspace

    def states(self, *, verified: bool = True, jobs: int | None = None) -> dict[str, Workspace | None]:
        """What all events add up to, by subject, in one pass and in constant memory.

        None for a workspace whose history no version of this program ever wrote. With ``verified`` the chain is
        checked on the way. A long log is shared among ``jobs`` processes (None: one for each processor). Raises
        LogError, LogDamagedError.
        """
        with open_view(self._disk, self.path) as view:
            folded = StatesFold(view.beginning, {})
            cores.run(folded, view.behind(view.beginning) or (), verified=verified, jobs=jobs)
            return folded.states()

    def replay(self, *, verified: bool = True) -> Iterator[Recorded]:
        """The events of every subject in the order they were written, in constant memory.

        With ``verified`` each line's hash, and that it follows the line before, is checked on the way. Raises
        LogError, LogDamagedError.
        """
        with open_view(self._disk, self.path) as view:
            yield from reading.everything(view, verified=verified)

    def records(self, *, verified: bool = False) -> Iterator[Record]:
        """Every record with its whole envelope; else as ``replay``."""
        with open_view(self._disk, self.path) as view:
            yield from reading.records(view, verified=verified)

    def _read(self, view: View, subject: str, known: Known) -> Iterator[tuple[list[Recorded], Place]]:
        """A subject's events behind what is known, each block with the place behind it."""
        last = known.version
        for piece, start in view.behind(known.place) or ():
            behind = start
            for found, behind in reading.of_subject(piece, subject, after=last, start=start):
                last = found[-1].seq if found else last
                yield found, Place(piece.base, behind, "")
            yield [], Place(piece.base, behind, piece.head_at(behind))

    def _expect(self, tail: Tail, subject: str, expected: int) -> None:
        """Raise LogConflictError unless ``expected`` is the seq of the subject's last event.

        Reads what was appended since the subject was last known.
        """
        known = self._known.get(subject)
        if known is None or known.place.offset != tail.end or known.place.head != tail.hash:
            with open_view(self._disk, self.path) as view:
                if known is None or view.behind(known.place) is None:
                    known = nothing(view.start)
                for found, place in self._read(view, subject, known):
                    known = grown(known, found, place)
            self._known[subject] = known
        if known.version != expected:
            raise LogConflictError(
                f"workspace {subject} was changed by another process: its last event is {known.version}, not {expected}"
            )


def ensure_writable(path: Path) -> None:
    """Make the log if need be, and raise the LogError that an append would."""
    EventLog(path, actor=lambda: Actor("", ""), correlation="").ensure_writable()


def _after_fork() -> None:
    for log in list(_alive):
        log._after_fork()  # of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
