"""Who started and stopped a workspace: one run for each time it was up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from eventlog.audit.stream import Stream
from eventlog.audit.walk import Step
from eventlog.history import VERBS, what_was_seen
from eventlog.lines.record import Actor, signature
from statemachine import events as e
from statemachine.states import State

DOWN: Final = frozenset({State.ABSENT, State.STOPPED})


class Hand(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who turned something on or off, and how."""

    how: str
    """``create``, ``start``, ``stop``, ``delete``; or what was observed: ``adopted``, ``exited``, …"""
    user: str = ""
    """Empty when nobody this log knows did it."""
    host: str = ""
    azure: str = ""
    note: str = ""
    """What Azure showed, for what was only observed."""

    @property
    def who(self) -> str:
        """The person, or that nobody is known."""
        if not self.user:
            return "nobody in this log"
        return signature(self.user, self.host, self.azure)


class Run(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One time a workspace was up."""

    workspace: str
    writer: str = ""
    """Name of the log it is from, where many are read together."""
    began: datetime
    """When it was asked for, or first seen."""
    by: Hand
    until: datetime | None = None
    """None while it is still up, as far as the log tells."""
    ended: Hand | None = None

    @property
    def seconds(self) -> float | None:
        """How long it lasted; None while it is up."""
        return None if self.until is None else max(0.0, (self.until - self.began).total_seconds())


class _Asked(msgspec.Struct, frozen=True):
    time: datetime
    actor: Actor
    correlation: str
    how: str


class Runs:
    """Collects the runs of many workspaces."""

    def __init__(self) -> None:
        self.found: list[Run] = []
        """In the order they began."""
        self._up: dict[Stream, Run] = {}
        self._asked: dict[Stream, _Asked] = {}

    def step(self, step: Step) -> None:
        """Take one event into account."""
        record, event, name = step.record, step.event, step.stream
        if isinstance(event, e.Intent) and not isinstance(event, e.CommandOpened):
            self._asked[name] = _Asked(record.time, record.actor, record.correlation, VERBS[type(event)])
            return
        came_up = step.after.state is State.RUNNING and step.before.state is not State.RUNNING
        if came_up and not (name in self._up and isinstance(event, e.Drifted)):
            # What was up until now was started again after a stop that failed.
            _end(self._up.pop(name, None), record.time, Hand("start"))
            run = _begin(step, self._asked.pop(name, None))
            self._up[name] = run
            self.found.append(run)
        elif step.after.state in DOWN and step.before.state not in DOWN:
            _end(self._up.pop(name, None), record.time, _hand(step, self._asked.pop(name, None)))


def runs(steps: Iterable[Step]) -> list[Run]:
    """The runs of all workspaces in the steps, in the order they began."""
    collected = Runs()
    for step in steps:
        collected.step(step)
    return collected.found


def _begin(step: Step, asked: _Asked | None) -> Run:
    hand = _hand(step, asked)
    began = asked.time if asked is not None and hand.user else step.record.time
    return Run(workspace=step.stream.workspace, writer=step.stream.writer, began=began, by=hand)


def _hand(step: Step, asked: _Asked | None) -> Hand:
    """Who is behind a change: whoever asked for it, unless it was only observed."""
    event = step.event
    if isinstance(event, e.Observation) or asked is None:
        return Hand(step.record.type.lower(), note=what_was_seen(event) if isinstance(event, e.Observation) else "")
    ours = step.record.correlation == asked.correlation
    azure = asked.actor.azure or (step.record.actor.azure if ours else "")
    return Hand(asked.how, asked.actor.user, asked.actor.host, azure)


def _end(run: Run | None, moment: datetime, hand: Hand) -> None:
    if run is not None:
        run.until = moment
        run.ended = hand
