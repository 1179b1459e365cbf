"""A workspace's last failure, in a paragraph: what was asked, what Azure said, why, what was tried, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from eventlog.audit.catalogue import entry_for
from eventlog.audit.codes_service import EXITS
from eventlog.audit.entry import Retry
from eventlog.audit.operations import Operation
from eventlog.audit.story import spec, told
from eventlog.audit.walk import Step
from eventlog.history import Ended
from eventlog.table import duration
from statemachine import events as e
from statemachine.states import State

ENDED_BY_ITSELF: Final = (e.Exited, e.Evicted, e.Vanished)
"""Observations that are a failure to whoever was working there."""

OBSERVED: Final = {
    "Exited": (
        "The container's main process ended, or the platform restarted the container",
        "Read `devpod-provider-aci logs -w NAME`, then `devpod up`.",
    ),
    "Evicted": (
        "Azure moved the container to another machine, for maintenance or because somebody else needed the place",
        "Wait: Azure starts it again by itself, with a fresh file system.",
    ),
    "Vanished": (
        "The container group was deleted outside of this log: in the portal, by a clean-up job, on another computer",
        "The resource group's activity log in Azure says who. Create the workspace again with `devpod up`.",
    ),
}
"""Cause and remedy of what was only observed."""

AGAIN: Final = {
    Retry.YES: "Trying again may be enough.",
    Retry.LATER: "Trying again at once will most likely fail the same way.",
    Retry.NO: "Trying again without a change will fail the same way.",
}


class Explanation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why something failed."""

    workspace: str
    seq: int
    """Of the event that says so."""
    time: datetime
    happened: str
    """What was asked and what came of it."""
    said: str = ""
    """Azure's own words."""
    code: str = ""
    http_status: int = 0
    request_id: str = ""
    cause: str
    tried: str = ""
    since: str = ""
    """What became of it later."""
    mended: bool = False
    """Whether the same succeeded since."""
    remedy: str
    retry: str = ""

    @property
    def paragraph(self) -> str:
        """All of it, to read."""
        parts = [
            self.happened,
            f"{'Azure said' if self.http_status or self.request_id else 'The error'}: {self.said}" if self.said else "",
            f"Cause: {self.cause}.",
            self.tried,
            self.since,
            *self._advice(),
        ]
        return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts if part)

    def _advice(self) -> list[str]:
        if not self.remedy:
            return []
        if self.mended:
            return [f"There is nothing to do now; should it come back: {self.remedy}"]
        return [f"What to do: {self.remedy}", AGAIN[Retry(self.retry)] if self.retry else ""]


def explain(workspace: str, steps: Sequence[Step], operations: Sequence[Operation]) -> Explanation | None:
    """The last failure among a workspace's events; None when there is none."""
    step = next(filter(is_trouble, reversed(steps)), None)
    if step is None:
        return None
    failure = _failure(step.event)
    if failure is None:
        return _observed(workspace, step, operations)
    return _failed(workspace, step, failure, steps, operations)


def nothing_failed(workspace: str, state: State, operations: Sequence[Operation]) -> str:
    """A sentence for a workspace without a failure: how it stands, and what nobody saw the end of."""
    said = f"nothing of workspace {workspace} failed; it is {state}"
    last = next((one for one in reversed(operations) if one.outcome is not Ended.SEEN), None)
    if last is None or last.outcome not in (Ended.OPEN, Ended.ABANDONED):
        return said
    asked = f"{last.who} asked to {_asked(last.verb)} it at {_time(last.time)}"
    if last.outcome is Ended.OPEN:
        return f"{said}; {asked}, and that has not ended, or its process was killed: `devpod status` finds out"
    return f"{said}; {asked}, and its process ended before the outcome was known"


def is_trouble(step: Step) -> bool:
    """Whether something went wrong here; what a failure left behind is part of that failure."""
    if _failure(step.event) is not None:
        return True
    return isinstance(step.event, ENDED_BY_ITSELF) and step.before.state is not State.FAILED


def _failure(event: e.Event | None) -> e.Failure | None:
    return event.failure if isinstance(event, (e.FailedOutcome, e.CommandClosed)) else None


def _failed(
    workspace: str, step: Step, failure: e.Failure, steps: Sequence[Step], operations: Sequence[Operation]
) -> Explanation:
    record = step.record
    mine = next((one for one in operations if one.closed == record.seq), None)
    entry = entry_for(failure.code, failure.error, failure.message)
    facts = _facts(failure)
    numbers = f" ({', '.join(facts)})" if facts else ""
    if mine is None:
        happened = f"At {_time(record.time)} an operation on workspace {workspace} failed{numbers}"
    else:
        what = f": {spec(step.after.facts)}" if mine.verb in ("create", "start") and step.after.facts else ""
        happened = (
            f"At {_time(mine.time)} {mine.who} asked to {_asked(mine.verb)} workspace {workspace}{what};"
            f" after {duration(mine.seconds)} it failed{numbers}"
        )
    return Explanation(
        workspace=workspace,
        seq=record.seq,
        time=record.time,
        happened=happened,
        said=failure.message,
        code=failure.code or failure.error,
        http_status=failure.http_status,
        request_id=failure.request_id,
        cause=entry.cause if entry else f"{failure.code or failure.error} is not in the catalogue of known errors",
        tried=" ".join(filter(None, (_repeated(failure), _tried(mine, operations)))),
        since=_since(record.seq, steps, operations),
        mended=_mended(record.seq, mine.verb if mine else "", operations),
        remedy=entry.remedy if entry else "Search for the code, and give Azure support the request id.",
        retry=entry.retry if entry else "",
    )


def _observed(workspace: str, step: Step, operations: Sequence[Operation]) -> Explanation:
    record = step.record
    words = told(step.event, step.before)
    cause, remedy = OBSERVED[record.type]
    if isinstance(step.event, e.Exited) and step.event.exit_code in EXITS:
        cause, remedy = EXITS[step.event.exit_code]
    return Explanation(
        workspace=workspace,
        seq=record.seq,
        time=record.time,
        happened=f"At {_time(record.time)} a look at Azure found of workspace {workspace}, last known to be"
        f" {step.before.state}: {words.drifted}",
        request_id=words.request_id,
        cause=cause,
        since=_since(record.seq, [], operations),
        mended=_mended(record.seq, "start", operations),
        remedy=remedy,
    )


def _repeated(failure: e.Failure) -> str:
    """What was done about it before it was called a failure."""
    if failure.attempts < 2:
        return ""
    return f"The request was sent {failure.attempts} times before it was given up."


def _tried(mine: Operation | None, operations: Sequence[Operation]) -> str:
    """The tries of the same verb that failed in a row, this one being the last."""
    if mine is None:
        return ""
    same = [one for one in operations if one.verb == mine.verb and one.seq <= mine.seq]
    row: list[Operation] = []
    for one in reversed(same):
        if not one.went_wrong:
            break
        row.append(one)
    if len(row) < 2:
        return ""
    codes = ", ".join(dict.fromkeys(one.code or one.error or one.detail for one in reversed(row)))
    return f"It was attempt {len(row)} in a row since {_time(row[-1].time)}, which ended in {codes}."


def _since(seq: int, steps: Sequence[Step], operations: Sequence[Operation]) -> str:
    """The latest thing that was asked for afterwards."""
    later = [one for one in operations if one.seq > seq and one.outcome is not Ended.SEEN]
    if not later:
        state = steps[-1].after.state if steps else ""
        return f"Nothing was asked for since; the workspace is {state}." if state else ""
    last = later[-1]
    good = next((one for one in reversed(later) if one.outcome is Ended.OK), None)
    shown = good or last
    return f"Since then, at {_time(shown.time)}, {shown.who} asked to {_asked(shown.verb)} it: {shown.outcome}."


def _mended(seq: int, verb: str, operations: Sequence[Operation]) -> bool:
    """Whether what failed would succeed now: the same was done since, or something that needs it."""
    proofs = PROOFS.get(verb, frozenset())
    return any(one.seq > seq and one.outcome is Ended.OK and one.verb in proofs for one in operations)


PROOFS: Final = {
    "create": frozenset({"create", "start", "command", "delete"}),
    "start": frozenset({"create", "start", "command", "delete"}),
    "stop": frozenset({"stop", "delete"}),
    "delete": frozenset({"delete"}),
    "command": frozenset({"command"}),
}
"""Which operations, done since, show that what failed is over."""


def _facts(failure: e.Failure) -> list[str]:
    return [
        fact
        for fact in (
            failure.code or failure.error,
            f"HTTP {failure.http_status}" if failure.http_status else "",
            f"request id {failure.request_id}" if failure.request_id else "",
        )
        if fact
    ]


def _asked(verb: str) -> str:
    return "run a command in" if verb == "command" else verb


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
