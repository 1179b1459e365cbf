"""Which state each workspace was in when: a report's timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, NamedTuple

import msgspec

from eventlog.audit.stream import Stream
from eventlog.audit.walk import Step
from statemachine.states import State


class Bar(msgspec.Struct, frozen=True):
    """A workspace in one state for a time."""

    workspace: str
    state: State
    since: datetime
    until: datetime


class Bars:
    """Collects the bars of many workspaces; absence is no bar."""

    def __init__(self) -> None:
        self._done: list[tuple[Stream, State, datetime, datetime]] = []
        self._entered: dict[Stream, tuple[State, datetime]] = {}

    def step(self, step: Step) -> None:
        """Take one event into account."""
        if step.after.state is not step.before.state:
            stream, moment = step.stream, step.record.time
            if stream in self._entered:
                self._done.append((stream, *self._entered[stream], moment))
            self._entered[stream] = step.after.state, moment

    def within(self, since: datetime, until: datetime) -> Iterator[tuple[Stream, State, datetime, datetime]]:
        """The bars of a time, in the order they ended; what has not ended goes on until its end."""
        on = [(stream, state, began, until) for stream, (state, began) in self._entered.items()]
        for stream, state, began, ended in (*self._done, *on):
            first, last = max(began, since), min(ended, until)
            if state is not State.ABSENT and first < last:
                yield stream, state, first, last


class Drawn(NamedTuple):
    """Bars as they are drawn: in a state, from one cell of a row to another."""

    state: State
    since: datetime
    until: datetime
    bars: tuple[Bar, ...]
    """What it stands for."""


def condensed(bars: Sequence[Bar], since: datetime, until: datetime, cells: int) -> list[Drawn]:
    """One workspace's bars in a row of so many cells: what is too short to be seen still fills one.

    Where several share a cell, a failure is shown if there is one, else what lasted longest.
    """
    cell = (until - since) / cells
    row: dict[int, list[Bar]] = {}
    for bar in bars:
        first = min(cells - 1, int((bar.since - since) / cell))
        last = min(cells - 1, max(first, -int((since - bar.until) // cell) - 1))
        for at in range(first, last + 1):
            row.setdefault(at, []).append(bar)
    shown = [(at, _loudest(row[at], since + at * cell, cell)) for at in sorted(row)]
    found = []
    for (_, state), group in groupby(enumerate(shown), key=lambda one: (one[1][0] - one[0], one[1][1])):
        places = [at for _, (at, _) in group]
        within = tuple(dict.fromkeys(bar for at in places for bar in row[at]))
        found.append(Drawn(state, since + places[0] * cell, since + (places[-1] + 1) * cell, within))
    return found


def _loudest(bars: Iterable[Bar], begin: datetime, cell: timedelta) -> State:
    lasted: dict[State, timedelta] = {}
    for bar in bars:
        part = min(bar.until, begin + cell) - max(bar.since, begin)
        lasted[bar.state] = lasted.get(bar.state, timedelta(0)) + part
    return State.FAILED if State.FAILED in lasted else max(lasted, key=lambda state: lasted[state])


class Fleet:
    """How many workspaces were up, on average, in each of some equal parts of a time."""

    def __init__(self, since: datetime, until: datetime, parts: int) -> None:
        self.begins = [since + (until - since) / parts * at for at in range(parts)]
        self._part = (until - since) / parts
        self._since = since
        self._lasted: dict[State, list[timedelta]] = {}

    def add(self, bar: Bar) -> None:
        """Count a bar; what is neither up, nor on its way there, nor failed is not counted."""
        state = COUNTED.get(bar.state)
        if state is None:
            return
        lasted = self._lasted.setdefault(state, [timedelta(0)] * len(self.begins))
        at = min(len(lasted) - 1, int((bar.since - self._since) / self._part))
        while at < len(lasted) and self.begins[at] < bar.until:
            begin = self.begins[at]
            lasted[at] += max(timedelta(0), min(bar.until, begin + self._part) - max(bar.since, begin))
            at += 1

    def mean(self, state: State) -> list[float]:
        """The number in each part."""
        return [lasted / self._part for lasted in self._lasted.get(state, [])] or [0.0] * len(self.begins)


COUNTED: Final = {
    State.RUNNING: State.RUNNING,
    State.PROVISIONING: State.STARTING,
    State.STARTING: State.STARTING,
    State.FAILED: State.FAILED,
}


def most_at_once(bars: Iterable[Bar]) -> int:
    """How many workspaces ran at the same time at most."""
    changes = sorted(
        change for bar in bars if bar.state is State.RUNNING for change in ((bar.since, 1), (bar.until, -1))
    )
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most
