"""What the log keeps of an event: an envelope after CloudEvents 1.0, the event as it was written, two hashes."""

from __future__ import annotations

from datetime import datetime

import msgspec

from eventlog.lines.codec import event_of
from statemachine.events import Event


class Actor(msgspec.Struct, frozen=True, gc=False):
    """Who did it."""

    user: str
    """Name of the user of the operating system."""
    host: str
    azure: str = ""
    """Who Azure says we are, from the token's own claims; empty when no token was needed."""


def signature(user: str, host: str, azure: str = "") -> str:
    """Who it was, as people read it: ``user@host``, and who Azure says that is."""
    return f"{user}@{host}" + (f" ({azure})" if azure else "")


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line of the log."""

    specversion: str
    id: str
    """UUIDv7."""
    time: datetime
    """UTC, of the writer's clock: for people. The order of events is ``seq``."""
    type: str
    subject: str
    seq: int
    """Position in the whole log, from 1."""
    schema: int
    """Version of the event's type."""
    source: str
    actor: Actor
    correlation: str
    """One for each invocation of the program."""
    data: msgspec.Raw
    prev: str
    hash: str

    @property
    def event(self) -> Event | None:
        """The event; None for a type or a version of it that this program does not know.

        Raises LogDamagedError when the data is not what the type and version promise.
        """
        return event_of(self.type, self.schema, self.data, self.seq)
