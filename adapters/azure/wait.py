"""Waiting until the group itself shows the goal.

Judged from ``GET`` of the group, which any process can ask: one that was killed while it waited is
continued by the next. The operation's own address, where this process has it, is asked now and then for
the reason of a failure.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.azure import verdict
from adapters.azure.answer import Answer, json_of
from adapters.azure.budget import left
from adapters.azure.errors import failed_later
from adapters.azure.fault import answered
from adapters.azure.observed import Observed, observe, read_events
from adapters.azure.session import Session
from statemachine.errors import (
    AzureError,
    DeadlineError,
    ProvisioningError,
    ThrottledError,
    UnavailableError,
)
from statemachine.events import GroupRef
from statemachine.ports import Presence

NAMED_MOST: Final = 60.0
"""Seconds between two looks, whatever longer time Azure names: somebody waits."""
GROWTH: Final = 1.3
OPERATION_EVERY: Final = 3
"""Looks at the group between two at the operation."""


@dataclass(frozen=True)
class Look:
    """One GET of the group: nothing seen when it is not there."""

    seen: Observed | None
    answer: Answer | None

    @property
    def presence(self) -> Presence:
        """ABSENT when nothing is there."""
        return self.seen.presence if self.seen else Presence.ABSENT


Judge = Callable[[Look, float], bool]
"""Whether the goal is reached, given a look and the seconds waited; raises when it never will be."""


def look(session: Session, ref: GroupRef) -> Look:
    """One GET of the group."""
    answer = session.group(ref)
    return Look(observe(answer.body, ref.container), answer) if answer else Look(None, None)


def wait(session: Session, ref: GroupRef, doing: str, judge: Judge, *, accepted: Answer | None = None) -> Look:
    """Look until ``judge`` is content. Raises DeadlineError, and what ``judge`` raises."""
    try:
        return _wait(session, ref, doing, judge, accepted)
    except AzureError as error:
        # What fails later has no answer of its own: support begins with the request that was accepted.
        if accepted and not error.request_id:
            error.request_id = accepted.request_id
        raise


def _wait(session: Session, ref: GroupRef, doing: str, judge: Judge, accepted: Answer | None) -> Look:
    settings = session.settings
    begun = time.monotonic()
    interval = settings.poll_interval
    asked = accepted.retry_after if accepted else None
    rounds = 0
    while True:
        try:
            current = _look_on(session, ref, doing)
        except ThrottledError as error:
            # That Azure wants a pause says nothing of the group, which may well be there after it.
            pause = error.retry_after or settings.poll_ceiling
            if pause >= left():
                raise _lost_sight(error, doing) from error
            time.sleep(pause)
            continue
        if judge(current, time.monotonic() - begun):
            return current
        rounds += 1
        if accepted and accepted.operation and rounds % OPERATION_EVERY == 0:
            raise_if_failed(session.operation(accepted.operation), doing)
        named = asked or (current.answer.retry_after if current.answer else None)
        pause = min(named, NAMED_MOST) if named else interval
        asked = None
        if pause >= left():
            state = current.seen.detail if current.seen else "Azure does not show the group"
            raise DeadlineError(f"gave up waiting to {doing}: {state}")
        time.sleep(pause)
        interval = min(settings.poll_ceiling, interval * GROWTH)


def _look_on(session: Session, ref: GroupRef, doing: str) -> Look:
    """A look in the middle of an operation; that Azure does not answer says nothing about how the operation ends."""
    try:
        return look(session, ref)
    except UnavailableError as error:
        raise _lost_sight(error, doing) from error


def _lost_sight(error: AzureError, doing: str) -> DeadlineError:
    return DeadlineError(
        f"lost sight of Azure while waiting to {doing}: {error.message}",
        code=error.code,
        http_status=error.http_status,
        request_id=error.request_id,
        azure_message=error.azure_message,
    )


def raise_if_failed(operation: Answer | None, doing: str) -> None:
    """Raise the AzureError that a failed operation stands for; nothing happens for any other.

    It says why in ``properties.events``; ``error`` is read too where there is one.
    """
    body = json_of(operation)
    if str(body.get("status")).lower() not in ("failed", "canceled", "cancelled"):
        return
    properties = body.get("properties")
    events = read_events(properties.get("events")) if isinstance(properties, dict) else ()
    if reason := verdict.of_events(events, doing):
        raise reason
    if isinstance(body.get("error"), dict):
        raise failed_later(answered(0, {}, json.dumps(body)), doing)
    said = "; ".join(f"{event.name}: {event.message}" for event in events[-2:])
    raise ProvisioningError(f"Azure could not {doing}: {said or 'it gave no reason'}", remedy=verdict.GIVE_UP)
