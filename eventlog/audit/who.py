"""Who started and stopped a workspace: one run for each time it was up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from eventlog.audit.walk import Step
from eventlog.history import VERBS
from eventlog.record import Actor
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
        return f"{self.user}@{self.host}" + (f" ({self.azure})" if self.azure else "")


class Run(msgspec.Struct, kw_only=True):
    """One time a workspace was up."""

    workspace: str
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


def runs(steps: Iterable[Step]) -> list[Run]:
    """The runs of all workspaces in the steps, in the order they began."""
    found: list[Run] = []
    up: dict[str, Run] = {}
    asked: dict[str, _Asked] = {}
    for step in steps:
        record, event, name = step.record, step.event, step.record.subject
        if isinstance(event, e.Intent) and not isinstance(event, e.CommandOpened):
            asked[name] = _Asked(record.time, record.actor, record.correlation, VERBS[type(event)])
            continue
        came_up = step.after.state is State.RUNNING and step.before.state is not State.RUNNING
        if came_up and not (name in up and isinstance(event, e.Drifted)):
            # What was up until now was started again after a stop that failed.
            _end(up.pop(name, None), record.time, Hand("start"))
            run = _begin(step, asked.pop(name, None))
            up[name] = run
            found.append(run)
        elif step.after.state in DOWN and step.before.state not in DOWN:
            _end(up.pop(name, None), record.time, _hand(step, asked.pop(name, None)))
    return found


def _begin(step: Step, asked: _Asked | None) -> Run:
    hand = _hand(step, asked)
    began = asked.time if asked is not None and hand.user else step.record.time
    return Run(workspace=step.record.subject, began=began, by=hand)


def _hand(step: Step, asked: _Asked | None) -> Hand:
    """Who is behind a change: whoever asked for it, unless it was only observed."""
    event = step.event
    if isinstance(event, e.Observation) or asked is None:
        detail = event.detail if isinstance(event, e.Observation) else ""
        if isinstance(event, e.Exited) and event.exit_code is not None:
            detail = f"exit status {event.exit_code}" + (f", {detail}" if detail else "")
        return Hand(step.record.type.lower(), note=detail)
    ours = step.record.correlation == asked.correlation
    azure = asked.actor.azure or (step.record.actor.azure if ours else "")
    return Hand(asked.how, asked.actor.user, asked.actor.host, azure)


def _end(run: Run | None, moment: datetime, hand: Hand) -> None:
    if run is not None:
        run.until = moment
        run.ended = hand
