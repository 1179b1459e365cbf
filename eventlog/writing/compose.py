"""Makes lines: the envelope around an event, and its hash. Its only inputs from outside: the time and random bits."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from eventlog.files.tail import Tail
from eventlog.lines import layout
from eventlog.lines.codec import Ids, encode, encode_event, timestamp
from eventlog.lines.record import Actor
from statemachine.errors import LogError
from statemachine.events import Event, name_of
from statemachine.ports import Recorded


class _Body(msgspec.Struct, gc=False):
    """A line but for its hash: the members of a record, as they are written."""

    specversion: str
    id: str
    time: datetime | str
    type: str
    subject: str
    seq: int
    schema: int
    source: str
    actor: Actor
    correlation: str
    data: msgspec.Raw
    prev: str


class Draft(msgspec.Struct, gc=False):
    """An event that has all but its place in the log."""

    subject: str
    event: Event
    data: msgspec.Raw
    actor: Actor


class Composer:
    """Makes lines on behalf of one invocation."""

    def __init__(
        self,
        *,
        actor: Callable[[], Actor],
        correlation: str,
        source: str,
        now: Callable[[], datetime],
    ) -> None:
        self._actor = actor
        self._correlation = correlation
        self._source = source
        self._now = now
        self._ids = Ids(os.urandom(10))

    def stamp(self) -> str:
        """The time, as the log writes it."""
        return timestamp(self._now())

    def draft(self, subject: str, event: Event) -> Draft:
        """What can be done before the lock is held. Raises TypeError for what has no place in the log."""
        if not subject:
            raise ValueError("an event needs a subject")
        return Draft(subject, event, msgspec.Raw(encode_event(event)), self._actor())

    def line(self, draft: Draft, tail: Tail) -> tuple[bytes, Recorded, Tail]:
        """The line that follows a tail, what it records, and the tail after it. Raises LogError if it is too long."""
        moment = self._now()
        seq = tail.seq + 1
        event = draft.event
        kind = name_of(event)
        line, digest = layout.seal(
            encode(
                _Body(
                    "1.0",
                    self._ids.make(moment, seq),
                    # msgspec leaves out a zero fraction, and names other zones than UTC.
                    moment if moment.microsecond and moment.tzinfo is UTC else timestamp(moment),
                    kind,
                    draft.subject,
                    seq,
                    event.VERSION,
                    self._source,
                    draft.actor,
                    self._correlation,
                    draft.data,
                    tail.hash,
                )
            )
        )
        size = len(line)
        if size > layout.MAX_LINE:
            raise LogError(
                f"a {kind} of {size} bytes is too long for the event log, which takes {layout.MAX_LINE}", remedy=""
            )
        end = tail.end + size
        return line, Recorded(seq, moment, draft.subject, event, kind), Tail(seq, digest, end, end, tail.base)
