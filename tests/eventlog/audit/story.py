"""Writes a log as people, machines and days would: a clock that is set, and an actor for every call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eventlog import Actor, EventLog, Record
from statemachine import events as e

ADA = Actor("ada", "laptop", "ada@contoso.example")
BOB = Actor("bob", "desk", "bob@contoso.example")
CI = Actor("ci", "runner-7", "app:1f6c")
OWNER = e.Owner(host="laptop", pid=4711, started="1")
MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def group(name: str) -> e.GroupRef:
    return e.GroupRef(subscription="11111111", resource_group="devpod", name=f"devpod-{name}", container="dev")


def facts(
    cpu: float = 2.0,
    memory_gb: float = 4.0,
    location: str = "eastus",
    image: str = "mcr.microsoft.com/devcontainers/python:3",
    name: str = "",
) -> e.GroupFacts:
    return e.GroupFacts(image=image, location=location, cpu=cpu, memory_gb=memory_gb, mode="devcontainer", name=name)


def receipt(number: int, status: int = 200, ip: str = "") -> e.Receipt:
    return e.Receipt(http_status=status, request_id=f"eastus:req-{number}", ip=ip)


def refused(code: str, message: str, *, error: str = "AzureError", status: int = 400, number: int = 0) -> e.Failure:
    return e.Failure(
        error=error, message=message, code=code, http_status=status, request_id=f"eastus:req-{number}", exit_status=84
    )


@dataclass
class Story:
    """A log that is being written; ``now`` is moved by hand."""

    path: Path
    now: datetime = MONDAY + timedelta(hours=9)
    calls: int = 0
    _log: EventLog = field(init=False)

    def __post_init__(self) -> None:
        self.call(ADA)

    def call(self, actor: Actor, *, asked_azure: bool = True) -> Story:
        """From here on another invocation writes; its Azure identity is known from the second event on."""
        self.calls += 1
        self._written = 0
        self._actor = actor

        def who() -> Actor:
            known = asked_azure and self._written > 0
            return actor if known else Actor(actor.user, actor.host)

        self._log = EventLog(self.path, actor=who, correlation=f"{actor.user}-{self.calls:04d}", now=lambda: self.now)
        return self

    def wait(self, **duration: float) -> Story:
        self.now += timedelta(**duration)
        return self

    def at(self, text: str) -> Story:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return self

    def says(self, workspace: str, *happened: e.Event) -> Story:
        for event in happened:
            self._log.append(workspace, event)
            self._written += 1
        return self

    def records(self) -> list[Record]:
        return list(self._log.records())

    # The usual lives of a workspace.

    def creates(self, name: str, /, seconds: float = 40, **spec: object) -> Story:
        asked = e.CreateRequested(owner=OWNER, group=group(name), facts=facts(**spec))  # type: ignore[arg-type]  # facts' own keywords
        self.says(name, asked).wait(seconds=seconds)
        return self.says(name, e.Created(receipt=receipt(self.calls, 201, "20.1.2.3")))

    def fails_to_create(self, name: str, failure: e.Failure, /, seconds: float = 3, **spec: object) -> Story:
        asked = e.CreateRequested(owner=OWNER, group=group(name), facts=facts(**spec))  # type: ignore[arg-type]  # facts' own keywords
        return self.says(name, asked).wait(seconds=seconds).says(name, e.CreateFailed(failure=failure))

    def starts(self, name: str, seconds: float = 30) -> Story:
        self.says(name, e.StartRequested(owner=OWNER)).wait(seconds=seconds)
        return self.says(name, e.Started(receipt=receipt(self.calls, 202)))

    def stops(self, name: str, seconds: float = 5) -> Story:
        self.says(name, e.StopRequested(owner=OWNER)).wait(seconds=seconds)
        return self.says(name, e.Stopped(receipt=receipt(self.calls, 204)))

    def deletes(self, name: str, seconds: float = 4) -> Story:
        self.says(name, e.DeleteRequested(owner=OWNER)).wait(seconds=seconds)
        return self.says(name, e.Deleted(receipt=receipt(self.calls, 200)))

    def runs(self, name: str, seconds: float, exit_status: int = 0, purpose: str = "ssh-server") -> Story:
        key = f"c{self.calls}-{self._written}"
        self.says(name, e.CommandOpened(owner=OWNER, command=key, purpose=purpose, sha256="0" * 64, size=12))
        return self.wait(seconds=seconds).says(name, e.CommandClosed(command=key, exit_status=exit_status))


def week(path: Path) -> Story:
    """A week of three people and four workspaces, with what goes wrong in a week."""
    story = Story(path)
    story.at("2026-11-16T09:02:11").call(ADA).creates("shop", 38)
    story.wait(seconds=2).call(ADA).runs("shop", 3 * 3600)
    story.wait(minutes=4).call(BOB).stops("shop")
    story.at("2026-11-16T10:15:00").call(BOB).fails_to_create(
        "ml",
        refused(
            "InaccessibleImage",
            "The image 'contoso.azurecr.io/ml:latest' in container group 'devpod-ml' is not accessible. "
            "Please check the image and registry credential.",
            error="ImageError",
            number=31,
        ),
        image="contoso.azurecr.io/ml:latest",
        cpu=4.0,
        memory_gb=16.0,
    )
    story.at("2026-11-16T10:31:00").call(BOB).creates("ml", 95, cpu=4.0, memory_gb=16.0)
    story.at("2026-11-17T08:00:00").call(BOB).deletes("ml")
    story.at("2026-11-17T08:55:30").call(ADA).starts("shop", 24)
    story.at("2026-11-17T13:00:00").call(CI).creates("nightly", 22, location="swedencentral", cpu=1.0, memory_gb=2.0)
    story.wait(seconds=3).call(CI).runs("nightly", 2400, exit_status=1, purpose="")
    story.wait(seconds=3).call(CI).deletes("nightly")
    story.at("2026-11-17T17:20:00").call(ADA).says("shop", e.Exited(detail="Terminated: Error", exit_code=137))
    story.at("2026-11-18T09:12:00").call(ADA)
    failure = refused(
        "ServiceUnavailable",
        "The requested resource is not available in the location 'eastus' at this moment. "
        "Resource requested: '2' CPU '4' GB memory 'Linux' OS",
        error="CapacityError",
        status=409,
        number=77,
    )
    story.says("shop", e.StartRequested(owner=OWNER)).wait(seconds=2).says("shop", e.StartFailed(failure=failure))
    story.wait(minutes=5).call(ADA).starts("shop", 41)
    story.at("2026-11-18T18:02:00").call(ADA).stops("shop")
    story.at("2026-11-19T11:00:00").call(BOB).creates("api", 51, cpu=1.0, memory_gb=1.5, location="westeurope")
    story.at("2026-11-19T22:30:00").call(BOB).says("api", e.Vanished(detail="not found"))
    story.at("2026-11-20T08:30:00").call(ADA).starts("shop", 33)
    return story
