"""Everything a report shows, worked out from the records: no clock, no layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from eventlog.audit.cost import Bill, bill
from eventlog.audit.explain import explain
from eventlog.audit.meter import metered
from eventlog.audit.operations import Operation, operations
from eventlog.audit.prices import Prices
from eventlog.audit.query import Query
from eventlog.audit.walk import Step, walk
from eventlog.audit.who import Run, runs
from eventlog.history import Ended
from eventlog.record import Record
from statemachine.states import State

LEAST: Final = timedelta(hours=1)
"""A report covers no less, so that its axes have a length."""


class Bar(msgspec.Struct, frozen=True):
    """A workspace in one state for a time."""

    workspace: str
    state: State
    since: datetime
    until: datetime


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One workspace in a line."""

    workspace: str
    state: State
    runs: int
    failures: int
    started_by: str
    """Of the last run; empty when it never ran."""
    last: datetime
    seconds: float
    amount: Decimal
    explanation: str = ""
    """Why it is as it is, where it stands failed."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time, summed up."""

    since: datetime
    until: datetime
    events: int
    operations: int
    failures: tuple[Operation, ...]
    """Newest first. A command that ran and ended with a status of its own is not among them."""
    people: tuple[str, ...]
    lives: tuple[Life, ...]
    bars: tuple[Bar, ...]
    by_workspace: Bill
    by_day: Bill
    by_actor: Bill


def summarise(records: Iterable[Record], query: Query, prices: Prices, now: datetime) -> Summary:
    """What happened to the workspaces, and through the people, a query asks for. Raises LogDamagedError."""
    kept = [record for record in records if query.wants_workspace(record.subject)]
    steps = list(walk(kept))
    until = min(query.until or now, now)
    since = query.since or min((step.record.time for step in steps), default=until)
    since = min(since, until - LEAST)
    within = msgspec.structs.replace(query, since=since, until=until)
    everything = operations(kept)
    asked = [one for one in everything if within.wants(one)]
    stretches = [
        one for one in metered(steps, now) if query.wants_actor(one.actor.user, one.actor.host, one.actor.azure)
    ]
    by_workspace = bill(stretches, prices, ("workspace",), since=since, until=until)
    return Summary(
        since=since,
        until=until,
        events=sum(since <= record.time < until for record in kept),
        operations=sum(one.outcome is not Ended.SEEN for one in asked),
        failures=tuple(one for one in reversed(asked) if _went_wrong(one)),
        people=tuple(sorted({one.who for one in asked if one.outcome is not Ended.SEEN})),
        lives=_lives(steps, everything, by_workspace, since, until),
        bars=tuple(_bars(steps, since, until)),
        by_workspace=by_workspace,
        by_day=bill(stretches, prices, ("day", "workspace"), since=since, until=until),
        by_actor=bill(stretches, prices, ("actor",), since=since, until=until),
    )


def _went_wrong(one: Operation) -> bool:
    return one.outcome is Ended.FAILED and bool(one.error)


def _bars(steps: Sequence[Step], since: datetime, until: datetime) -> list[Bar]:
    """The states of each workspace, in the order they were entered; absence is no bar."""
    found: list[Bar] = []
    entered: dict[str, tuple[State, datetime]] = {}

    def end(workspace: str, moment: datetime) -> None:
        state, began = entered.pop(workspace, (State.ABSENT, moment))
        first, last = max(began, since), min(moment, until)
        if state is not State.ABSENT and first < last:
            found.append(Bar(workspace, state, first, last))

    for step in steps:
        if step.after.state is not step.before.state:
            end(step.record.subject, step.record.time)
            entered[step.record.subject] = (step.after.state, step.record.time)
    for workspace in list(entered):
        end(workspace, until)
    return found


def _lives(
    steps: Sequence[Step], everything: Sequence[Operation], costs: Bill, since: datetime, until: datetime
) -> tuple[Life, ...]:
    by_name: dict[str, list[Step]] = {}
    for step in steps:
        if step.record.time < until:
            by_name.setdefault(step.record.subject, []).append(step)
    ups: dict[str, list[Run]] = {}
    for run in runs(steps):
        if run.began < until and (run.until is None or run.until >= since):
            ups.setdefault(run.workspace, []).append(run)
    sums = {line.workspace: line for line in costs.lines}
    found = []
    for name, own in by_name.items():
        mine = [one for one in everything if one.workspace == name and one.time < until]
        if name not in ups and name not in sums and not any(one.time >= since for one in mine):
            continue
        state = own[-1].after.state
        why = explain(name, own, mine) if state is State.FAILED else None
        line = sums.get(name)
        mine_ups = ups.get(name, [])
        found.append(
            Life(
                workspace=name,
                state=state,
                runs=len(mine_ups),
                failures=sum(_went_wrong(one) and one.time >= since for one in mine),
                started_by=mine_ups[-1].by.who if mine_ups else "",
                last=own[-1].record.time,
                seconds=line.seconds if line else 0.0,
                amount=line.amount if line else Decimal(0),
                explanation=why.paragraph if why else "",
            )
        )
    return tuple(sorted(found, key=lambda life: life.last, reverse=True))
