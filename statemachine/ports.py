"""What the lifecycle needs of the world. The event log and the Azure adapter satisfy these."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import msgspec

from statemachine.events import Event, GroupFacts, GroupRef, Owner

if TYPE_CHECKING:
    from statemachine.fold import Workspace


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """One event as the journal keeps it."""

    seq: int
    """Position in the whole log, from 1."""
    time: datetime
    """UTC."""
    subject: str
    event: Event | None
    """None for a type this version does not know: it is kept, and changes nothing."""
    type: str


class Journal(Protocol):
    """An append-only record of events."""

    def recall(self, subject: str) -> Workspace:
        """What the events of one workspace add up to; need not read them all. Raises LogError, LogDamagedError."""
        ...

    def append(self, subject: str, event: Event, *, expected: int) -> Recorded:
        """Write one event durably, if ``expected`` is still the seq of the subject's last event (0: none).

        Raises LogConflictError when somebody else appended first, LogError when the disk refuses.
        """
        ...


class Presence(StrEnum):
    """What Azure shows of a container group, reduced to what a decision needs."""

    ABSENT = "absent"
    PENDING = "pending"
    """Being placed, pulled, started, updated or deleted: ask again."""
    RUNNING = "running"
    STOPPED = "stopped"
    """It exists and its container does not run: stopped, completed or crashed."""
    FAILED = "failed"
    """Azure could not provision it; it may go on trying, and billing."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a container group."""

    presence: Presence
    detail: str = ""
    """Azure's own words: states, detailStatus, the newest warning event."""
    exit_code: int | None = None
    group: GroupRef | None = None
    facts: GroupFacts | None = None
    """Both None when absent."""
    request_id: str = ""
    ip: str = ""
    fqdn: str = ""
    created: str = ""
    started: str = ""
    """RFC 3339, when the container last started; empty when unknown."""
    tags: dict[str, str] = {}
    labels: bytes = b""
    """The labels document the group carries in Azure; empty when it carries none."""
    silent: bool = False
    """Whether Azure's answer only shows that the group is deployed, and not whether anything in it runs."""


class Clock(Protocol):
    """Time, and waiting."""

    def now(self) -> datetime:
        """The time of day, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class Processes(Protocol):
    """Who we are among processes, and whether another one still lives."""

    def me(self) -> Owner:
        """This process."""
        ...

    def alive(self, owner: Owner) -> bool:
        """Whether that process still runs; False when it ran on another host, where nobody here can tell."""
        ...
