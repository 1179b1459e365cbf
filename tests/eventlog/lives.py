"""Logs of whole lives of workspaces, written without waiting for the disk."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from eventlog import EventLog
from eventlog.disk import Disk
from statemachine import events as e
from tests.eventlog.conftest import ACTOR

OWNER = e.Owner("laptop", 4242, "1767225600")
GROUP = e.GroupRef("sub", "devpod", "aci-ws", "main")
FACTS = e.GroupFacts("debian:12", "westeurope", 2, 4, environment=("HOME",), ports=(22,))
LIFE: tuple[e.Event, ...] = (
    e.CreateRequested(owner=OWNER, group=GROUP, facts=FACTS),
    e.Created(receipt=e.Receipt(201, "r-1")),
    e.CommandOpened(owner=OWNER, command='c"1', user="vscode"),
    e.CommandOpened(owner=OWNER, command="c2"),
    e.CommandClosed(command='c"1', exit_status=0),
    e.Exited(exit_code=1, detail='said "subject":"ws-1"'),
    e.StartRequested(owner=OWNER),
    e.StartFailed(failure=e.Failure("AzureError", "no room", "Capacity")),
    e.CommandClosed(command="c2", reason="abandoned"),
    e.DeleteRequested(owner=OWNER),
    e.Deleted(),
)


class Quick(Disk):
    """Counts its syncs instead of waiting for them."""

    syncs = 0

    def sync(self, fd: int) -> None:
        self.syncs += 1


def quick(path: Path) -> EventLog:
    return EventLog(path, actor=lambda: ACTOR, correlation="call-1", disk=Quick())


def live(log: EventLog, count: int, subjects: int = 7, start: int = 0) -> None:
    """Append some events of workspaces that live at the same time."""
    for subject, event in islice(lives(subjects), start, start + count):
        log.append(subject, event)


def lives(subjects: int) -> Iterator[tuple[str, e.Event]]:
    while True:
        for event in LIFE:
            for number in range(subjects):
                yield f"ws-{number}", event
