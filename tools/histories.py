"""The same history twice: as a log of ours, and as an aggregate of the ``eventsourcing`` library in a SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from eventlog import Actor
from eventlog.files.tail import Tail
from eventlog.lines import layout
from eventlog.writing.compose import Composer
from statemachine import events as e

ACTOR = Actor("ada", "laptop", "8d1f7a52-0c39-4a08-b6c7-55b1b2a7f7aa")
OWNER = e.Owner("laptop", 4242, "1767225600")
RECEIPT = e.Receipt(202, "5c2ad7f6-9b57-4d8e-8f0a-2b9f0a5f8c11", "10.0.0.4", "ws.westeurope.azurecontainer.io")
LIFE: tuple[e.Event, ...] = (
    e.CreateRequested(
        owner=OWNER,
        group=e.GroupRef("00000000-0000-0000-0000-000000000000", "devpod", "aci-ws", "main"),
        facts=e.GroupFacts("mcr.microsoft.com/devcontainers/base:ubuntu", "westeurope", 2, 4),
    ),
    e.Created(receipt=RECEIPT),
    e.CommandOpened(owner=OWNER, command="c1", user="vscode", sha256="a" * 64, size=100, purpose="inject"),
    e.CommandClosed(command="c1", exit_status=0),
    e.StopRequested(owner=OWNER),
    e.Stopped(receipt=RECEIPT),
    e.StartRequested(owner=OWNER),
    e.Started(receipt=RECEIPT),
    e.DeleteRequested(owner=OWNER),
    e.Deleted(receipt=RECEIPT),
)


def history(events: int, subjects: int) -> Iterator[tuple[str, e.Event]]:
    """One life after the other, of each workspace in turn; every command has an identifier of its own."""
    for number in range(events):
        life, step = divmod(number, len(LIFE))
        event = LIFE[step]
        if isinstance(event, e.CommandOpened | e.CommandClosed):
            event = msgspec.structs.replace(event, command=f"{life:032x}")
        yield f"ws-{life % subjects:04d}", event


def write_log(path: Path, events: int, subjects: int) -> int:
    """A log as it would be after ``events`` appends, without waiting for the disk at each; its size."""
    clock = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=step) for step in range(events))
    composer = Composer(actor=lambda: ACTOR, correlation="c", source="devpod-provider-aci", now=lambda: next(clock))
    tail = Tail(0, layout.GENESIS, 0, 0)
    with path.open("wb") as file:
        for subject, event in history(events, subjects):
            line, _, tail = composer.line(composer.draft(subject, event), tail)
            file.write(line)
    path.chmod(0o600)
    return tail.end


def library_replay(folder: Path, events: int) -> Callable[[], object]:
    """``eventsourcing`` rebuilding one aggregate from a SQLite file that holds the same events as our log.

    Each of its events carries what ours does: the event's data, who did it, and the call. Raises ImportError.
    """
    from eventsourcing.application import Application
    from eventsourcing.domain import Aggregate, event

    class Workspace(Aggregate):
        @event("Opened")
        def __init__(self) -> None:
            self.state = "absent"

        @event("Happened")
        def happened(self, kind: str, data: dict[str, object], actor: dict[str, str], correlation: str) -> None:
            self.state = kind

    settings = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "library.sqlite")}
    application: Application[UUID] = Application(env=settings)
    workspace = Workspace()
    actor = msgspec.to_builtins(ACTOR)
    for number, (_, happened) in enumerate(history(events, 1)):
        workspace.happened(type(happened).__name__, msgspec.to_builtins(happened), actor, "c")
        if number % 50 == 0:
            application.save(workspace)
    application.save(workspace)
    return lambda: application.repository.get(workspace.id)
