"""In-memory ports: a journal, a cloud and a clock that tests can bend."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from statemachine import events as e
from statemachine.errors import LogConflictError
from statemachine.fold import Workspace, fold
from statemachine.lifecycle import World
from statemachine.ports import Presence, Recorded, Sighting

REF = e.GroupRef("sub", "rg", "devpod-demo", "devcontainer")
FACTS = e.GroupFacts("debian:12", "westeurope", 1.0, 2.0)
ME = e.Owner("here", 100, "t100")
OTHER = e.Owner("here", 200, "t200")


@dataclass
class FakeClock:
    time: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    on_sleep: list[object] = field(default_factory=list)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)
        if self.on_sleep:
            action = self.on_sleep.pop(0)
            assert callable(action)
            action()


@dataclass
class MemoryJournal:
    entries: list[Recorded] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    before_append: list[e.Event] = field(default_factory=list)
    """Events another process slips in ahead of the next appends, one each."""

    def recall(self, subject: str) -> Workspace:
        return fold(subject, [entry for entry in self.entries if entry.subject == subject])

    def append(self, subject: str, event: e.Event, *, expected: int) -> Recorded:
        if self.before_append:
            self._write(subject, self.before_append.pop(0))
        last = max((entry.seq for entry in self.entries if entry.subject == subject), default=0)
        if last != expected:
            raise LogConflictError(f"expected {expected}, found {last}")
        return self._write(subject, event)

    def _write(self, subject: str, event: e.Event) -> Recorded:
        recorded = Recorded(len(self.entries) + 1, self.clock.now(), subject, event, e.name_of(event))
        self.entries.append(recorded)
        return recorded

    def names(self) -> list[str]:
        return [entry.type for entry in self.entries]


@dataclass
class FakeProcesses:
    living: set[int] = field(default_factory=lambda: {ME.pid})

    def me(self) -> e.Owner:
        return ME

    def alive(self, owner: e.Owner) -> bool:
        return owner.pid in self.living


@dataclass
class Cloud:
    """One container group, as Azure would show it."""

    presence: Presence = Presence.ABSENT
    looks: int = 0
    stale: list[Presence] = field(default_factory=list)
    """What the next looks show, before they show what is."""
    scene: World = field(init=False)
    journal: MemoryJournal = field(init=False)
    clock: FakeClock = field(default_factory=FakeClock)
    processes: FakeProcesses = field(default_factory=FakeProcesses)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(clock=self.clock)
        self.scene = World(self.journal, self.clock, self.processes, self.look, self.said.append)

    def look(self, _workspace: Workspace) -> Sighting:
        self.looks += 1
        shown = self.stale.pop(0) if self.stale else self.presence
        if shown is Presence.ABSENT:
            return Sighting(presence=shown)
        return Sighting(presence=shown, group=REF, facts=FACTS, detail="seen", request_id="look-1")


def seeing(presence: Presence) -> Sighting:
    present = presence is not Presence.ABSENT
    return Sighting(presence=presence, group=REF if present else None, facts=FACTS if present else None)


def intent(kind: type[e.Intent], owner: e.Owner = ME) -> e.Intent:
    if kind is e.CreateRequested:
        return e.CreateRequested(owner=owner, group=REF, facts=FACTS)
    if kind is e.CommandOpened:
        return e.CommandOpened(owner=owner, command="c1")
    return kind(owner=owner)


def example(kind: type[e.Event]) -> e.Event:
    """An event of the given type."""
    if issubclass(kind, e.Intent):
        return intent(kind)
    if issubclass(kind, e.FailedOutcome):
        return kind(failure=e.Failure("AzureError", "no"))
    if kind is e.CommandClosed:
        return e.CommandClosed(command="c1", exit_status=0)
    if kind is e.Adopted:
        return e.Adopted(group=REF, facts=FACTS)
    return kind()
