"""The event log as the rest of the program sees it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from eventlog.append import Appender
from eventlog.compose import Composer
from eventlog.disk import Disk
from eventlog.known import KEPT_EVENTS, NOTHING, Known, anchor_at, still_true
from eventlog.lock import PATIENCE
from eventlog.read import open_log
from eventlog.record import Actor, Record
from eventlog.replay import every, of_subject
from statemachine.errors import LogConflictError
from statemachine.events import Event
from statemachine.ports import Recorded

SOURCE: Final = "devpod-provider-aci"


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


class EventLog:
    """An append-only file of events that many processes share.

    Satisfies ``statemachine.ports.Journal``. Opens the file for each call and keeps none open, so it can be
    made early, carried over a fork, and shared between threads.
    """

    def __init__(
        self,
        path: Path,
        *,
        actor: Callable[[], Actor],
        correlation: str,
        source: str = SOURCE,
        now: Callable[[], datetime] = utc_now,
        disk: Disk | None = None,
        patience: float = PATIENCE,
    ) -> None:
        # Two names of one file must lead to one lock.
        self.path: Final = Path(os.path.realpath(path))
        self._disk = disk or Disk()
        composer = Composer(actor=actor, correlation=correlation, source=source, now=now)
        self._appender = Appender(self.path, composer, disk=self._disk, patience=patience)
        self._known: dict[str, Known] = {}
        self._mutex = threading.Lock()

    def append(self, subject: str, event: Event, *, expected: int | None = None) -> Recorded:
        """Write one event; when this returns it survives a power cut.

        ``expected`` is the seq of the subject's last event as the caller knows it (0: there is none); None
        appends whatever others did. Raises LogConflictError when that is no longer so, LogDamagedError when the
        end of the log is not what was written, LogError when the disk refuses, TypeError for an event that
        holds a Secret or anything else that has no place in the log.
        """

        def check(fd: int, end: int) -> None:
            if expected is not None:
                self._expect(fd, subject, expected, end)

        with self._mutex:
            return self._appender.append(subject, event, check)

    def history(self, subject: str) -> Iterator[Recorded]:
        """The events of one subject, oldest first.

        Each line's own hash is checked; that none is missing is for ``verify`` to say. A second call in the
        same process reads only what was appended since. Raises LogError, LogDamagedError.
        """
        with open_log(self._disk, self.path) as fd:
            if fd is None:
                return
            known = self._recall(fd, subject)
            if known.events is None:
                known = NOTHING
            old = known.events or ()
            yield from old
            kept: list[Recorded] | None = [*old]
            version, offset = known.version, known.offset
            for found, behind in of_subject(self._disk, fd, self.path, subject, after=version, start=offset):
                offset = behind
                for recorded in found:
                    version = recorded.seq
                    yield recorded
                if kept is not None:
                    kept += found
                    if len(kept) > KEPT_EVENTS:
                        kept = None
            events = None if kept is None else tuple(kept)
            self._known[subject] = Known(offset, anchor_at(self._disk, fd, offset), version, events)

    def records(self, *, since_seq: int = 0, verified: bool = False) -> Iterator[Record]:
        """Every record after ``since_seq``, in constant memory.

        With ``verified`` each line's hash, and that it follows the line before, is checked on the way. Raises
        LogError, LogDamagedError.
        """
        with open_log(self._disk, self.path) as fd:
            if fd is None:
                return
            for record in every(self._disk, fd, self.path, verified=verified):
                if record.seq > since_seq:
                    yield record

    def _recall(self, fd: int, subject: str) -> Known:
        known = self._known.get(subject, NOTHING)
        return known if still_true(self._disk, fd, known) else NOTHING

    def _expect(self, fd: int, subject: str, expected: int, end: int) -> None:
        """Raise LogConflictError unless ``expected`` is the seq of the subject's last event."""
        known = self._recall(fd, subject)
        version, events = known.version, known.events
        for found, _ in of_subject(self._disk, fd, self.path, subject, after=version, start=known.offset):
            if found:
                version = found[-1].seq
                events = None if events is None else (*events, *found)
        self._known[subject] = Known(end, anchor_at(self._disk, fd, end), version, events)
        if version != expected:
            raise LogConflictError(
                f"workspace {subject} was changed by another process: its last event is {version}, not {expected}"
            )
