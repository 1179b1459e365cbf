"""A month of a company in one log: many people and workspaces, made quickly, with what goes wrong in a month."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec

from eventlog.lines import layout
from eventlog.lines.codec import encode_event, timestamp
from statemachine import events as e

BEGIN: Final = datetime(2026, 10, 1, 8, tzinfo=UTC)
SIZES: Final = ((1.0, 2.0), (2.0, 4.0), (4.0, 16.0))
REGIONS: Final = ("westeurope", "eastus", "swedencentral")
FAILURES: Final = (
    ("InaccessibleImage", "The image 'x' in container group 'g' is not accessible.", "ImageError", 400),
    ("ServiceUnavailable", "The requested resource is not available in the location.", "CapacityError", 409),
    ("ContainerGroupQuotaReached", "container group quota 'StandardCores' exceeded.", "QuotaError", 400),
)


@dataclass
class _Life:
    """One workspace's events, one after another as dice fall."""

    name: str
    person: int
    dice: random.Random
    now: datetime
    said: list[tuple[datetime, _Life, str, e.Event]] = field(default_factory=list)
    call: str = ""

    def live(self, count: int) -> None:
        cpu, memory = self.dice.choice(SIZES)
        facts = e.GroupFacts(
            image="mcr.microsoft.com/devcontainers/python:3",
            location=self.dice.choice(REGIONS),
            cpu=cpu,
            memory_gb=memory,
            mode="devcontainer",
        )
        group = e.GroupRef(subscription="1111", resource_group="devpod", name=f"devpod-{self.name}", container="dev")
        state = "absent"
        while len(self.said) < count:
            self.call = str(random.Random(self.dice.random()).getrandbits(64))
            state = self._next(state, e.CreateRequested(owner=self.owner, group=group, facts=facts))

    @property
    def owner(self) -> e.Owner:
        return e.Owner(host=f"laptop{self.person:02}", pid=4711)

    def _next(self, state: str, create: e.CreateRequested) -> str:
        owner, dice, say = self.owner, self.dice, self._say
        receipt = e.Receipt(http_status=200, request_id=f"westeurope:{dice.getrandbits(64):x}")
        if state == "running" and (chance := dice.random()) < 0.85:
            say(dice.randrange(600), e.CommandOpened(owner=owner, command=self.call, purpose="ssh-server", size=120))
            say(dice.randrange(1800), e.CommandClosed(command=self.call, exit_status=int(dice.random() < 0.05)))
            return "running"
        if state == "running":
            if chance > 0.95:
                say(3600, e.Exited(detail="Terminated: Error", exit_code=137))
            else:
                say(30, e.StopRequested(owner=owner))
                say(5, e.Stopped(receipt=receipt))
            return "stopped"
        if state == "stopped":
            say(dice.randrange(36_000), e.StartRequested(owner=owner))
            say(30, e.Started(receipt=receipt))
            return "running"
        say(60, create)
        if dice.random() < 0.1:
            code, message, error, status = dice.choice(FAILURES)
            failure = e.Failure(error=error, message=message, code=code, http_status=status)
            say(3, e.CreateFailed(failure=failure))
            return "failed"
        say(40, e.Created(receipt=receipt))
        return "running"

    def _say(self, seconds: float, event: e.Event) -> None:
        self.now += timedelta(seconds=seconds)
        self.said.append((self.now, self, self.call, event))


def company(events: int, workspaces: int, people: int, seed: int = 1) -> bytes:
    """A log of so many events, whole: chained as the log itself would have."""
    dice = random.Random(seed)
    lives = [
        _Life(
            f"ws-{at:04}", dice.randrange(people), random.Random(seed + at), BEGIN + timedelta(days=15 * dice.random())
        )
        for at in range(workspaces)
    ]
    for life in lives:
        life.live(-(-events // workspaces))
    said = sorted((one for life in lives for one in life.said), key=lambda one: one[0])
    return b"".join(_lines(said[:events]))


def _lines(said: list[tuple[datetime, _Life, str, e.Event]]) -> Iterator[bytes]:
    head = layout.GENESIS
    for seq, (moment, life, call, event) in enumerate(said, 1):
        person = f"dev{life.person:02}"
        record = {
            "specversion": "1.0",
            "id": f"01a2051c-1f8f-7abd-879c-{seq:012x}",
            "time": timestamp(moment),
            "type": e.name_of(event),
            "subject": life.name,
            "seq": seq,
            "schema": 1,
            "source": "devpod-provider-aci",
            "actor": {"user": person, "host": f"laptop{life.person:02}", "azure": f"user:{person}@corp.example"},
            "correlation": call,
            "data": msgspec.Raw(encode_event(event)),
            "prev": head,
        }
        body = msgspec.json.encode(record)
        head = sha256(body).hexdigest()
        yield body[:-1] + f',"hash":"{head}"}}\n'.encode()
