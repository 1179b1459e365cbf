"""Each event in words: what was asked of Azure, what it answered, where reality drifted from the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from eventlog.history import why
from statemachine import events as e
from statemachine.fold import Workspace


class Words(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event, told; only one of the first three is filled, or none for what never reached Azure."""

    asked: str = ""
    answered: str = ""
    drifted: str = ""
    """What Azure showed that the log did not say."""
    http_status: int = 0
    code: str = ""
    request_id: str = ""

    @property
    def text(self) -> str:
        """Whichever is filled."""
        return self.asked or self.answered or self.drifted


def told(event: e.Event | None, before: Workspace) -> Words:
    """An event in words; ``before`` is the workspace it happened to."""
    if event is None:
        return Words(answered="written by a newer version of this program; it changes nothing here")
    tell = TELLERS.get(type(event))
    if tell is not None:
        return tell(event, before)
    return Words(answered=e.name_of(event))


def spec(facts: e.GroupFacts) -> str:
    """What was asked for, in one line."""
    system = "" if facts.os_type == "Linux" else f", {facts.os_type}"
    return f"{facts.image}, {facts.cpu:g} vCPU, {facts.memory_gb:g} GB, {facts.location}{system}"


def _named(group: e.GroupRef | None) -> str:
    return f"container group {group.resource_group}/{group.name}" if group else "the container group"


def _create(event: e.CreateRequested, _before: Workspace) -> Words:
    return Words(asked=f"create {_named(event.group)}: {spec(event.facts)}")


def _ask(verb: str) -> Callable[[Any, Workspace], Words]:
    return lambda _event, before: Words(asked=f"{verb} {_named(before.group)}")


def _open(event: e.CommandOpened, _before: Workspace) -> Words:
    what = f" ({event.purpose})" if event.purpose else ""
    user = f" as {event.user}" if event.user else ""
    return Words(asked=f"run a command of {event.size} bytes{what}{user}")


def _close(event: e.CommandClosed, _before: Workspace) -> Words:
    if event.failure is not None:
        return _failed(event.failure, f"the command {event.reason}: ")
    if event.exit_status is None:
        return Words(answered=f"the command {event.reason}; nobody saw how it ended")
    return Words(answered=f"the command {event.reason} with status {event.exit_status}")


def _ok(event: e.Outcome, _before: Workspace) -> Words:
    receipt = event.receipt
    address = receipt.fqdn or receipt.ip
    return Words(
        answered="done" + (f", at {address}" if address else ""),
        http_status=receipt.http_status,
        request_id=receipt.request_id,
    )


def _failure(event: e.FailedOutcome, _before: Workspace) -> Words:
    return _failed(event.failure, "")


def _failed(failure: e.Failure, prefix: str) -> Words:
    times = f" (asked {failure.attempts} times)" if failure.attempts > 1 else ""
    return Words(
        answered=f"{prefix}{why(failure)}{times}",
        http_status=failure.http_status,
        code=failure.code,
        request_id=failure.request_id,
    )


def _seen(words: str) -> Callable[[Any, Workspace], Words]:
    return lambda event, _before: Words(drifted=_with_detail(words, event.detail), request_id=event.request_id)


def _exited(event: e.Exited, _before: Workspace) -> Words:
    status = "" if event.exit_code is None else f" with status {event.exit_code}"
    text = f"the container ended{status}, though nobody in this log stopped it"
    return Words(drifted=_with_detail(text, event.detail), request_id=event.request_id)


def _adopted(event: e.Adopted, _before: Workspace) -> Words:
    text = f"{_named(event.group)} exists, which this log knew nothing of: {spec(event.facts)}"
    return Words(drifted=_with_detail(text, event.detail), request_id=event.request_id)


def _with_detail(text: str, detail: str) -> str:
    return f"{text} ({detail})" if detail else text


TELLERS: Final[dict[type[e.Event], Callable[[Any, Workspace], Words]]] = {
    e.CreateRequested: _create,
    e.StartRequested: _ask("start"),
    e.StopRequested: _ask("stop"),
    e.DeleteRequested: _ask("delete"),
    e.CommandOpened: _open,
    e.CommandClosed: _close,
    e.Created: _ok,
    e.Started: _ok,
    e.Stopped: _ok,
    e.Deleted: _ok,
    **dict.fromkeys(e.FAILURES, _failure),
    e.Exited: _exited,
    e.Evicted: _seen("the platform took the container away and is placing it again"),
    e.Vanished: _seen("the container group is gone, though nobody in this log deleted it"),
    e.Drifted: _seen("the container runs, though the log says otherwise"),
    e.Adopted: _adopted,
}
"""How each event is told."""
