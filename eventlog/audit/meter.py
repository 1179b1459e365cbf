"""When Azure's meter ran, as far as the log can tell.

It starts with the image pull, so with the request that Azure accepted, and ends when the group is stopped,
deleted, gone, or exited for good. What the log cannot know is kept apart as in doubt, never left out: the time
between the last sign of life and the moment somebody noticed that the container had ended, a group that failed
and may still have been billed, and the time the platform took to place an evicted group again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from eventlog.audit.stream import Stream
from eventlog.audit.walk import Step
from eventlog.lines.record import Actor
from statemachine import events as e
from statemachine.states import State

UNKNOWN: Final = Actor(user="unknown", host="")
"""Who started what was only found running."""

NEVER_REACHED: Final = frozenset({"CredentialsError", "AuthenticationError", "AccessDeniedError"})
"""Errors that end before Azure accepts anything, whatever status they carry."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """A time during which one container group was, or may have been, billed."""

    workspace: str
    writer: str = ""
    """Name of the log it is from, where many are read together."""
    actor: Actor
    """Who started it."""
    since: datetime
    until: datetime
    facts: e.GroupFacts
    certain: bool
    running: bool = False
    """Whether it goes on: ``until`` is only the moment of asking."""


class _Billed(NamedTuple):
    """What a running meter bills for; since when is kept apart."""

    actor: Actor
    correlation: str
    """Of the invocation that started it; empty for one that was found running."""
    facts: e.GroupFacts | None
    certain: bool = True


class _Meter:
    """One workspace's meter."""

    def __init__(self, emit: Callable[[Stretch], None]) -> None:
        self._emit = emit
        self._billed: _Billed | None = None
        self._before: _Billed | None = None
        """What was billed before the create or start that is under way."""
        self._since = self._seen = self._last = datetime.min.replace(tzinfo=UTC)
        self._stream = Stream("", "")

    def step(self, step: Step) -> None:
        """Take one event into account."""
        record, event = step.record, step.event
        self._stream = step.stream
        self._follow_clock(record.time)
        if event is not None:
            HANDLERS.get(type(event), _Meter._nothing)(self, step)
        # Who Azure says it is is known from the invocation's later events.
        found = self._billed
        if found and record.correlation == found.correlation and record.actor.azure and not found.actor.azure:
            self._billed = found._replace(actor=record.actor)

    def finish(self, now: datetime) -> None:
        """The log ends here; what is on stays on until now."""
        self._follow_clock(now)
        self._cut(now, running=True)

    def _follow_clock(self, moment: datetime) -> None:
        """Begin anew if the clock was set to before what is counted began; what it showed until then is kept."""
        if moment < self._since:
            self._cut(self._last)
            self._since = self._seen = moment
        self._last = moment

    def _turn_on(self, step: Step) -> None:
        self._cut(step.record.time)
        self._before = self._billed
        known = isinstance(step.event, e.Intent)
        self._billed = _Billed(
            actor=step.record.actor if known else UNKNOWN,
            correlation=step.record.correlation if known else "",
            facts=step.after.facts,
        )
        self._since = self._seen = step.record.time

    def _turn_off(self, step: Step) -> None:
        self._cut(step.record.time)
        self._billed = None

    def _found_ended(self, step: Step) -> None:
        """It ended by itself, some time after the last sign of life."""
        if self._billed and self._billed.certain:
            self._cut(min(self._seen, step.record.time))
            self._doubt()
        self._turn_off(step)

    def _failed_to_come_up(self, step: Step) -> None:
        if isinstance(step.event, e.FailedOutcome) and _refused(step.event.failure):
            # What an earlier request may have brought up is not ended by this one.
            self._billed = self._before
        else:
            self._doubt()

    def _in_doubt(self, step: Step) -> None:
        self._cut(step.record.time)
        self._doubt()

    def _sign_of_life(self, step: Step) -> None:
        self._seen = step.record.time

    def _command_closed(self, step: Step) -> None:
        # One whose caller was killed is closed by whoever comes next, and one that failed may have met nobody.
        if isinstance(step.event, e.CommandClosed) and step.event.reason == "exited":
            self._sign_of_life(step)

    def _found_running(self, step: Step) -> None:
        if self._billed is None:
            self._turn_on(step)
            return
        self._cut(step.record.time)
        self._billed = self._billed._replace(certain=True)
        self._seen = step.record.time

    def _stop_asked(self, step: Step) -> None:
        # Before anything is asked for, Azure is looked at.
        if step.before.state is State.RUNNING:
            self._seen = step.record.time

    def _nothing(self, _step: Step) -> None:
        return

    def _doubt(self) -> None:
        if self._billed:
            self._billed = self._billed._replace(certain=False)

    def _cut(self, moment: datetime, *, running: bool = False) -> None:
        """What was metered up to a moment; the meter goes on from there, if it is on."""
        found = self._billed
        if found is None:
            return
        if found.facts is not None and moment > self._since:
            self._emit(
                Stretch(
                    workspace=self._stream.workspace,
                    writer=self._stream.writer,
                    actor=found.actor,
                    since=self._since,
                    until=moment,
                    facts=_counted(found.facts),
                    certain=found.certain,
                    running=running,
                )
            )
        self._since = max(self._since, moment)


HANDLERS: Final[dict[type[e.Event], Callable[[_Meter, Step], None]]] = {
    e.CreateRequested: _Meter._turn_on,
    e.StartRequested: _Meter._turn_on,
    e.Created: _Meter._sign_of_life,
    e.Started: _Meter._sign_of_life,
    e.CreateFailed: _Meter._failed_to_come_up,
    e.StartFailed: _Meter._failed_to_come_up,
    e.StopRequested: _Meter._stop_asked,
    e.DeleteRequested: _Meter._stop_asked,
    e.Stopped: _Meter._turn_off,
    e.Deleted: _Meter._turn_off,
    e.StopFailed: _Meter._in_doubt,
    e.DeleteFailed: _Meter._in_doubt,
    e.CommandOpened: _Meter._sign_of_life,
    e.CommandClosed: _Meter._command_closed,
    e.Exited: _Meter._found_ended,
    e.Vanished: _Meter._found_ended,
    e.Evicted: _Meter._in_doubt,
    e.Drifted: _Meter._found_running,
    e.Adopted: _Meter._turn_on,
}
"""What each event does to the meter."""


class Meters:
    """A meter for each workspace; stretches go to ``emit`` when they end."""

    def __init__(self, emit: Callable[[Stretch], None]) -> None:
        self._emit = emit
        self._meters: dict[Stream, _Meter] = {}

    def step(self, step: Step) -> None:
        """Take one event into account."""
        meter = self._meters.get(step.stream)
        if meter is None:
            meter = self._meters[step.stream] = _Meter(self._emit)
        meter.step(step)

    def finish(self, now: datetime) -> None:
        """The log ends here; what is still up runs until ``now``."""
        for meter in self._meters.values():
            meter.finish(now)


def metered(steps: Iterable[Step], now: datetime) -> list[Stretch]:
    """The stretches of all workspaces in the steps, in the order they ended; what is still up runs until ``now``."""
    found: list[Stretch] = []
    meters = Meters(found.append)
    for step in steps:
        meters.step(step)
    meters.finish(now)
    return found


def _counted(facts: e.GroupFacts) -> e.GroupFacts:
    """A group as it is summed: one that is smaller than nothing, as a log may say, takes nothing off the others."""
    if facts.cpu >= 0 and facts.memory_gb >= 0:
        return facts
    return msgspec.structs.replace(facts, cpu=max(0.0, facts.cpu), memory_gb=max(0.0, facts.memory_gb))


def _refused(failure: e.Failure) -> bool:
    """Whether Azure never accepted the group, so that nothing was billed."""
    return failure.error in NEVER_REACHED or 400 <= failure.http_status < 500
