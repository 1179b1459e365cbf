"""The one place that orders effects: fold, look, decide, append the intent, perform, append the outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

from statemachine import events as e
from statemachine.decide import Command, Decision, Rule, Tenure, decide
from statemachine.errors import (
    AzureError,
    BusyError,
    DeadlineError,
    InternalError,
    LogConflictError,
    ProviderError,
    RefusedError,
)
from statemachine.fold import Workspace
from statemachine.machine import advance
from statemachine.observe import BUILDERS, observe
from statemachine.ports import Clock, Journal, Presence, Processes, Recorded, Sighting
from statemachine.states import State
from statemachine.table import TABLE

P = ParamSpec("P")
T = TypeVar("T")

SETTLING: Final = timedelta(seconds=30)
"""How long Azure may take to show what a process that died had asked of it."""

LOOK_AGAIN: Final = (1.0, 2.0, 4.0)
"""Seconds before each further look, where what Azure shows may be out of date."""

JUST_DONE: Final = frozenset({State.RUNNING, State.STOPPED})
"""States that an operation ends in when Azure has shown its goal: a later look may have been answered earlier."""

POLL_SECONDS: Final = 1.0
CONFLICT_TRIES: Final = 50

OUTCOME: Final[dict[Command, tuple[type[e.Outcome], type[e.FailedOutcome]]]] = {
    Command.CREATE: (e.Created, e.CreateFailed),
    Command.START: (e.Started, e.StartFailed),
    Command.STOP: (e.Stopped, e.StopFailed),
    Command.DELETE: (e.Deleted, e.DeleteFailed),
}


def outcome(state: State, command: Command) -> tuple[type[e.Outcome], type[e.FailedOutcome]]:
    """How a command's effect ends in a state: a start of what a dead process was creating ends the create."""
    return OUTCOME[Command.CREATE if state is State.PROVISIONING else command]


class TakenOverError(BusyError):
    """Another call has closed our intent meanwhile: a delete, as a rule, which waits for nobody."""


@dataclass(frozen=True)
class World:
    """Everything outside: the ports of one invocation."""

    journal: Journal
    clock: Clock
    processes: Processes
    look: Callable[[Workspace], Sighting]
    """One poll of Azure; raises AzureError."""
    say: Callable[[str], None]
    """A line for the person who waits."""


@dataclass(frozen=True)
class Order:
    """A command with what it needs to be carried out."""

    command: Command
    intent: Callable[[Workspace], e.Intent]
    effect: Callable[[Workspace, bool], e.Receipt]
    """Does it, and returns when Azure shows the goal. True: an earlier try may have reached Azure already,
    so look first and continue. Raises ProviderError."""


def tenure(workspace: Workspace, world: World) -> Tenure:
    """Who stands behind the workspace's open intent."""
    intent = workspace.intent
    if intent is None:
        return Tenure.NONE
    if world.processes.alive(intent.event.owner):
        return Tenure.HELD
    return Tenure.RECENT if _is_recent(intent.time, world) else Tenure.ORPHANED


def _against_conflicts(once: Callable[Concatenate[str, World, P], T]) -> Callable[Concatenate[str, World, P], T]:
    """A function that is called again whenever another process appended first; it has to begin with a new recall."""

    @wraps(once)
    def repeated(subject: str, world: World, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(CONFLICT_TRIES):
            try:
                return once(subject, world, *args, **kwargs)
            except LogConflictError:
                continue
        raise _contended(subject)

    return repeated


def _contended(subject: str) -> BusyError:
    return BusyError(f"workspace {subject} changes faster than it can be read")


@_against_conflicts
def refresh(subject: str, world: World) -> tuple[Workspace, Sighting]:
    """The workspace as the log and a look at Azure tell it; a difference is appended, nothing else.

    Azure's reads lag behind its writes, now and then for a moment only: that a group is gone which the log knows, or
    is there again that was just deleted, is believed when some looks in a row say so; and so is that one runs which was
    just stopped, or does not run which was just started.

    Raises AzureError when Azure cannot be asked, LogError when the log cannot be used.
    """
    workspace = world.journal.recall(subject)
    sighting = _look(workspace, world)
    workspace = _close_abandoned(workspace, world)
    for event in observe(workspace, sighting, tenure(workspace, world)):
        workspace = _record(workspace, event, world)
    return workspace, sighting


def _look(workspace: Workspace, world: World) -> Sighting:
    sighting = world.look(workspace)
    for pause in LOOK_AGAIN:
        if not _may_be_old(workspace, sighting, world):
            break
        world.clock.sleep(pause)
        sighting = world.look(workspace)
    return sighting


def _may_be_old(workspace: Workspace, sighting: Sighting, world: World) -> bool:
    """Whether a look may be out of date: Azure's reads lag behind its writes."""
    differs = bool(observe(workspace, sighting, tenure(workspace, world)))
    if sighting.presence is Presence.ABSENT:
        return differs
    if workspace.since is None or not _is_recent(workspace.since, world):
        return False
    return workspace.state is State.ABSENT or (workspace.state in JUST_DONE and differs)


def _is_recent(moment: datetime, world: World) -> bool:
    """Whether Azure may not yet show what was asked of it then; no moment counts that a clock set back left ahead."""
    return abs(world.clock.now() - moment) < SETTLING


def perform(order: Order, subject: str, world: World, *, deadline: float) -> Workspace:
    """Carry out a command, waiting for other invocations at most ``deadline`` seconds.

    A refusal comes from the log alone: DevPod asks for the status before every verb, and that look is in the
    log. Every effect stands between two appends. A process that dies in between leaves its intent open; the
    next call looks what became of it and continues. Raises RefusedError, BusyError, and what the effect
    raises, after the failure is in the log.
    """
    workspace = world.journal.recall(subject)
    _refuse_if(decide(workspace, order.command, tenure(workspace, world)), workspace)
    until = world.clock.monotonic() + deadline
    waiting = False
    while True:
        workspace, sighting = refresh(subject, world)
        rule = _rule(order.command, workspace, sighting, tenure(workspace, world))
        _refuse_if(rule, workspace)
        if rule.decision is Decision.ALREADY:
            world.say(f"workspace {subject} is already {workspace.state}")
            return workspace
        if rule.decision is Decision.WAIT:
            if world.clock.monotonic() >= until:
                raise BusyError(f"workspace {subject} is still {workspace.state} after {deadline:g} s")
            if not waiting:
                world.say(f"workspace {subject} is {workspace.state}; waiting for that to finish")
                waiting = True
            world.clock.sleep(POLL_SECONDS)
            continue
        resume = rule.decision is Decision.RESUME
        if resume:
            world.say(f"workspace {subject} is {workspace.state}; continuing what an earlier call began")
        else:
            try:
                workspace = _with_intent(order, workspace, sighting, world)
            except LogConflictError:
                continue
        return _bracket(order, workspace, world, resume=resume or sighting.presence is Presence.PENDING)


def _with_intent(order: Order, workspace: Workspace, sighting: Sighting, world: World) -> Workspace:
    """The workspace once the order's intent is in the log. Raises LogConflictError."""
    if _appearing(workspace, sighting) and order.command is Command.DELETE:
        workspace = _adopt_unsettled(workspace, sighting, world)
    return _record(workspace, order.intent(workspace), world)


@_against_conflicts
def open_command(subject: str, world: World, opened: Callable[[Workspace], e.CommandOpened]) -> Workspace:
    """Record that a command is about to run, if the log says that the workspace does.

    Azure is not asked: what is wrong with the container shows when the command is opened. Raises RefusedError.
    """
    workspace = world.journal.recall(subject)
    _refuse_if(decide(workspace, Command.OPEN, tenure(workspace, world)), workspace)
    workspace = _close_abandoned(workspace, world)
    return _record(workspace, opened(workspace), world)


@_against_conflicts
def close_command(subject: str, world: World, closed: e.CommandClosed) -> Workspace:
    """Record how a command ended. Legal in every state: the workspace may be gone by then."""
    workspace = world.journal.recall(subject)
    return _record(workspace, closed, world) if closed.command in workspace.commands else workspace


def failure_of(error: Exception) -> e.Failure:
    """What the log keeps of an error; secrets cannot be in it, for errors are built without them."""
    if not isinstance(error, ProviderError):
        error = InternalError(f"{type(error).__name__}: {error}")
    said = error if isinstance(error, AzureError) else AzureError("")
    return e.Failure(
        error=type(error).__name__,
        message=said.azure_message or error.message,
        code=said.code,
        http_status=said.http_status,
        request_id=said.request_id,
        exit_status=error.exit_status,
        attempts=said.attempts,
    )


def _bracket(order: Order, workspace: Workspace, world: World, *, resume: bool) -> Workspace:
    done, failed = outcome(workspace.state, order.command)
    try:
        receipt = order.effect(workspace, resume)
    except DeadlineError:
        # Azure is still at it: the intent stays open, and the next call continues it.
        raise
    except Exception as error:
        _settle(workspace, failed(failure=failure_of(error)), world)
        raise
    return _settle(workspace, done(receipt=receipt), world)


def _settle(workspace: Workspace, event: e.Event, world: World) -> Workspace:
    """Close our intent, also when others appended to the workspace meanwhile. Raises TakenOverError.

    Who continued the same intent may have closed it first: that it ended as it did for us is no reason to complain.
    """
    ours = workspace.intent.seq if workspace.intent else 0
    goal = TABLE[type(event)].get(workspace.state)
    for _ in range(CONFLICT_TRIES):
        try:
            return _record(workspace, event, world)
        except LogConflictError:
            workspace = world.journal.recall(workspace.subject)
        if workspace.intent is None and workspace.state is goal:
            return workspace
        if workspace.intent is None or workspace.intent.seq != ours:
            raise _taken_over(workspace)
    raise _contended(workspace.subject)


def ensure_ours(ours: Workspace, world: World) -> None:
    """For an effect about to ask Azure for something that would outlast a delete. Raises TakenOverError, LogError."""
    now = world.journal.recall(ours.subject)
    if ours.intent is None or now.intent is None or now.intent.seq != ours.intent.seq:
        raise _taken_over(now)


def _taken_over(workspace: Workspace) -> TakenOverError:
    return TakenOverError(
        f"workspace {workspace.subject} was taken over by another call meanwhile and is {workspace.state}"
    )


def _refuse_if(rule: Rule, workspace: Workspace) -> None:
    if rule.decision is Decision.REFUSE:
        raise RefusedError(
            f"workspace {workspace.subject} is {workspace.state}: {rule.why}",
            remedy="If it was changed elsewhere, `devpod status` brings the log up to date.",
        )


def _rule(command: Command, workspace: Workspace, sighting: Sighting, held: Tenure) -> Rule:
    """What to do with a command once Azure was looked at."""
    if _appearing(workspace, sighting) and command is not Command.CREATE:
        return Rule(Decision.ACT if command is Command.DELETE else Decision.WAIT)
    rule = decide(workspace, command, held)
    if rule.decision is Decision.RESUME and command is Command.START and sighting.presence is Presence.ABSENT:
        # What was asked for may never have reached Azure: that shows in a while.
        return Rule(Decision.WAIT)
    return rule


def _adopt_unsettled(workspace: Workspace, sighting: Sighting, world: World) -> Workspace:
    """A group that Azure is still placing, taken over to be deleted: it may never settle, and it is billed."""
    for kind in (e.Adopted, e.Evicted):
        workspace = _record(workspace, BUILDERS[kind](workspace, sighting), world)
    return workspace


def _appearing(workspace: Workspace, sighting: Sighting) -> bool:
    """Whether Azure is placing a group that this log knows nothing of: it can't be adopted before it settles."""
    return workspace.state is State.ABSENT and sighting.presence is Presence.PENDING


def _close_abandoned(workspace: Workspace, world: World) -> Workspace:
    for identifier, opened in workspace.commands.items():
        if not world.processes.alive(opened.event.owner):
            workspace = _record(workspace, e.CommandClosed(command=identifier, reason="abandoned"), world)
    return workspace


def _record(workspace: Workspace, event: e.Event, world: World) -> Workspace:
    def append(happened: e.Event) -> Recorded:
        return world.journal.append(workspace.subject, happened, expected=workspace.version)

    return advance(workspace, event, append)
