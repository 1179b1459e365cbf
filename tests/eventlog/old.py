"""Logs with a past: one event an hour from 2026-01-01 on, and the moments to expire it at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eventlog import EventLog
from eventlog.disk import Disk
from eventlog.lines.tombstone import SegmentFacts
from eventlog.retention.archive import Copies, archive, select
from eventlog.retention.expire import Plan, expire, plan
from eventlog.retention.steps import alone, finish
from statemachine.fold import Workspace
from tests.eventlog.conftest import ACTOR
from tests.eventlog.lives import Quick, live

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = 8_000


def at(hours: float) -> datetime:
    """The time of the event with that seq, less one."""
    return BEGIN + timedelta(hours=hours)


def hours(first: int = 0) -> Callable[[], datetime]:
    """A clock that goes on by an hour whenever it is looked at."""
    moments = iter(at(number) for number in range(first, 1 << 20))
    return lambda: next(moments)


def old(path: Path, count: int = 150, *, segment: int = SIZE, subjects: int = 7, start: int = 0) -> EventLog:
    """A log of workspaces that live at the same time, in segments, each event an hour after the last."""
    log = EventLog(path, actor=lambda: ACTOR, correlation="call-1", disk=Quick(), segment=segment, now=hours(start))
    live(log, count, subjects, start)
    return log


def expires(log: EventLog, before: datetime, *, disk: Disk | None = None, only: Path | bool = False) -> Plan:
    """All that ``audit expire`` does."""
    disk = disk or Quick()
    with alone(disk, log.path):
        finish(disk, log.path)
        may = Copies(disk, log.path, only if isinstance(only, Path) else None).has if only else None
        found = plan(disk, log.path, before, may)
        if found.segments:
            expire(log, disk, found, archived=bool(only))
        return found


def archives(
    log: EventLog, target: Path, *, before: datetime | None = None, keep: int = 0, disk: Disk | None = None
) -> list[SegmentFacts]:
    """All that ``audit archive`` does."""
    disk = disk or Quick()
    with alone(disk, log.path):
        finish(disk, log.path)
        return archive(log, disk, target, select(disk, log.path, before=before, keep=keep))


def stored(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a log, with what is in it."""
    for file in sorted(path.parent.rglob("*")):
        if file.is_file():
            yield str(file.relative_to(path.parent)), file.read_bytes()


def lasting(states: dict[str, Workspace | None]) -> dict[str, Workspace | None]:
    """The workspaces that are not over."""
    return {
        name: one
        for name, one in states.items()
        if name != "log" and (one is None or one.state != "absent" or one.intent or one.commands)
    }
