"""Everything a report shows, worked out in one pass over the records: no clock, no layout, and little kept."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import msgspec

from eventlog.audit.bars import Bar, Bars
from eventlog.audit.cost import Bill, Line, bill
from eventlog.audit.explain import explain, is_trouble
from eventlog.audit.meter import Meters, Stretch
from eventlog.audit.names import Names
from eventlog.audit.operations import Follower, Operation
from eventlog.audit.people import People, Person
from eventlog.audit.prices import Prices
from eventlog.audit.query import CHUNK, Query
from eventlog.audit.stream import Stream
from eventlog.audit.walk import Step, walk
from eventlog.audit.who import Run, Runs
from eventlog.history import Ended
from eventlog.lines.record import Record
from statemachine.errors import LogDamagedError
from statemachine.states import State

LEAST: Final = timedelta(hours=1)
"""A report covers no less, so that its axes have a length."""
REMEMBERED: Final = 50
"""Operations of each workspace that are kept to explain a failure with."""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One workspace in a line."""

    workspace: str
    """Its name, and whose it is where two have that name."""
    state: State
    runs: int
    failures: int
    started_by: str
    """Of the last run; empty when it never ran."""
    last: datetime
    cost: Line
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
    people: tuple[Person, ...]
    lives: tuple[Life, ...]
    bars: dict[str, list[Bar]]
    """By workspace, each in the order of time."""
    by_workspace: Bill
    by_day: Bill


def summarise(
    records: Iterable[Record], query: Query, prices: Prices, now: datetime, damage: list[LogDamagedError] | None = None
) -> Summary:
    """What happened to the workspaces, and through the people, a query asks for. Raises as ``walk``."""
    until = min(query.until or now, now)
    seen = _Seen(query, until)
    seen.read(records, damage)
    seen.meters.finish(now)
    since = min(query.since or seen.begin or until, until - LEAST)
    names = seen.names.labels(seen.last)
    stretches = [
        msgspec.structs.replace(one, workspace=names.get(Stream(one.writer, one.workspace), one.workspace), writer="")
        for one in seen.stretches
        if query.wants_actor(one.actor.user, one.actor.host, one.actor.azure)
    ]
    by_workspace = bill(stretches, prices, ("workspace",), since=since, until=until)
    bars: dict[str, list[Bar]] = {}
    for stream, state, first, last in seen.bars.within(since, until):
        bars.setdefault(names[stream], []).append(Bar(names[stream], state, first, last))
    return Summary(
        since=since,
        until=until,
        events=seen.count,
        operations=seen.asked,
        failures=tuple(
            msgspec.structs.replace(one, workspace=names.get(one.stream, one.workspace))
            for one in sorted(seen.failures, key=lambda one: (one.time, one.seq), reverse=True)
        ),
        people=seen.people.all(names, bill(stretches, prices, ("actor",), since=since, until=until)),
        lives=tuple(sorted(_lives(seen, names, by_workspace, since, until), key=lambda life: life.last, reverse=True)),
        bars=bars,
        by_workspace=by_workspace,
        by_day=bill(stretches, prices, ("day", "workspace"), since=since, until=until),
    )


class _Seen:
    """What one pass over the records leaves."""

    def __init__(self, query: Query, until: datetime) -> None:
        self._query = query
        self._within = msgspec.structs.replace(query, until=until, workspaces=())
        self._until = until
        self.names = Names()
        self.begin: datetime | None = None
        self.count = 0
        self.asked = 0
        self.bars, self.runs, self.people = Bars(), Runs(), People()
        self.stretches: list[Stretch] = []
        self.meters = Meters(self.stretches.append)
        self.failures: list[Operation] = []
        self.last: dict[Stream, Step] = {}
        """The latest event of each workspace in the time."""
        self.trouble: dict[Stream, Step] = {}
        """The latest that went wrong with each."""
        self.recent: dict[Stream, deque[Operation]] = {}
        self.active: set[Stream] = set()
        self.failed: Counter[Stream] = Counter()
        self._open: dict[tuple[str, int], Operation] = {}

    def read(self, records: Iterable[Record], damage: list[LogDamagedError] | None) -> None:
        """Take all records into account."""
        wanted = self.names.chosen(records, self._query)
        for step in walk(self._passing(wanted), damage):
            self.bars.step(step)
            self.runs.step(step)
            self.meters.step(step)
            if step.record.time < self._until:
                self.last[step.stream] = step
                if is_trouble(step):
                    self.trouble[step.stream] = step
        for one in list(self._open.values()):
            self._done(one)

    def _passing(self, records: Iterator[Record]) -> Iterator[Record]:
        """The records, unchanged; operations are made of them on the way, a chunk at a time."""
        since, follower = self._query.since, Follower()
        while chunk := list(islice(records, CHUNK)):
            for one in follower.feed(chunk):
                if one.outcome is Ended.OPEN:
                    self._open[one.key] = one
                else:
                    self._open.pop(one.key, None)
                    self._done(one)
            for record in chunk:
                if record.time < self._until and (since is None or record.time >= since):
                    self.count += 1
                    self.begin = min(self.begin or record.time, record.time)
            yield from chunk

    def _done(self, one: Operation) -> None:
        if one.time >= self._until:
            return
        self.recent.setdefault(one.stream, deque(maxlen=REMEMBERED)).append(one)
        if self._query.since is None or one.time >= self._query.since:
            self.active.add(one.stream)
            self.failed[one.stream] += one.went_wrong
        if self._within.wants(one):
            if one.went_wrong:
                self.failures.append(one)
            if one.outcome is not Ended.SEEN:
                self.asked += 1
                self.people.add(one)


def _lives(seen: _Seen, names: dict[Stream, str], costs: Bill, since: datetime, until: datetime) -> Iterator[Life]:
    ups: dict[Stream, list[Run]] = {}
    for run in seen.runs.found:
        if run.began < until and (run.until is None or run.until >= since):
            ups.setdefault(Stream(run.writer, run.workspace), []).append(run)
    sums = {line.workspace: line for line in costs.lines}
    for stream, step in seen.last.items():
        name, mine = names[stream], ups.get(stream, [])
        if not mine and name not in sums and stream not in seen.active:
            continue
        yield Life(
            workspace=name,
            state=step.after.state,
            runs=len(mine),
            failures=seen.failed[stream],
            started_by=mine[-1].by.who if mine else "",
            last=step.record.time,
            cost=sums.get(name, Line()),
            explanation=_explained(seen, stream, step),
        )


def _explained(seen: _Seen, stream: Stream, last: Step) -> str:
    if last.after.state is not State.FAILED or stream not in seen.trouble:
        return ""
    operations = sorted(seen.recent.get(stream, ()), key=lambda one: one.seq)
    why = explain(stream.workspace, [seen.trouble[stream], last], operations)
    return why.paragraph if why else ""
