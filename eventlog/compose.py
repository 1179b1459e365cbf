"""Making a line: the envelope around an event, sealed with its hash. No effects but the clock's and the dice's."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

import msgspec

from eventlog import layout
from eventlog.codec import Ids, encode, encode_event, timestamp
from eventlog.record import Actor
from eventlog.tail import Tail
from statemachine.errors import LogError
from statemachine.events import Event, name_of
from statemachine.ports import Recorded


class _Origin(msgspec.Struct):
    """The part of a line that is the same for a whole invocation, but for who Azure says we are."""

    source: str
    actor: Actor
    correlation: str


class Draft(msgspec.Struct, gc=False):
    """An event that has all but its place in the log."""

    subject: str
    event: Event
    data: bytes
    origin: str


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
        self._ask = actor
        self._actor: Actor | None = None
        self._origin = ""
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
        actor = self._ask()
        if actor != self._actor:
            self._origin = encode(_Origin(self._source, actor, self._correlation))[1:-1].decode()
            self._actor = actor
        return Draft(subject, event, encode_event(event), self._origin)

    def line(self, draft: Draft, tail: Tail) -> tuple[bytes, Recorded, Tail]:
        """The line that follows a tail, what it records, and the tail after it. Raises LogError if it is too long."""
        moment = self._now()
        seq = tail.seq + 1
        event = draft.event
        kind = name_of(event)
        # Byte for byte what msgspec makes of a struct with these fields, which a test holds, in half the time.
        body = (
            f'{{"specversion":"1.0","id":"{self._ids.make(moment, seq)}","time":"{timestamp(moment)}",'
            f'"type":"{kind}","subject":{encode(draft.subject).decode()},"seq":{seq},"schema":{event.VERSION},'
            f'{draft.origin},"data":{draft.data.decode()},"prev":"{tail.hash}"'
        )
        line, digest = layout.seal(body)
        size = len(line)
        if size > layout.MAX_LINE:
            raise LogError(
                f"a {kind} of {size} bytes is too long for the event log, which takes {layout.MAX_LINE}", remedy=""
            )
        end = tail.end + size
        return line, Recorded(seq, moment, draft.subject, event, kind), Tail(seq, digest, end, end, tail.base)
