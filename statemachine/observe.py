"""What a look at Azure adds to the log: pure, and two tables.

The log is the truth about what we did, Azure about what is. Where they differ, the difference is an event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from statemachine import events as e
from statemachine.decide import Tenure
from statemachine.fold import Workspace
from statemachine.ports import Presence, Sighting
from statemachine.states import State

Kinds = tuple[type[e.Event], ...]

UNASKED: Final[dict[State, dict[Presence, Kinds]]] = {
    State.ABSENT: {
        Presence.RUNNING: (e.Adopted,),
        Presence.STOPPED: (e.Adopted, e.Exited),
        Presence.FAILED: (e.Adopted, e.Exited),
    },
    State.RUNNING: {
        Presence.ABSENT: (e.Vanished,),
        Presence.PENDING: (e.Evicted,),
        Presence.STOPPED: (e.Exited,),
        Presence.FAILED: (e.Exited,),
    },
    State.STOPPED: {Presence.ABSENT: (e.Vanished,), Presence.RUNNING: (e.Drifted,)},
    State.STARTING: {
        Presence.ABSENT: (e.Vanished,),
        Presence.RUNNING: (e.Drifted,),
        Presence.STOPPED: (e.Exited,),
        Presence.FAILED: (e.Exited,),
    },
    State.FAILED: {
        Presence.ABSENT: (e.Vanished,),
        Presence.RUNNING: (e.Drifted,),
        Presence.STOPPED: (e.Exited,),
    },
}
"""What to append when no intent is open: by the state in the log, and what Azure shows."""


class Close(NamedTuple):
    """How an intent that lost its process is closed."""

    kinds: Kinds
    at_once: bool
    """Whether the first look is enough; else Azure gets time to show what it was asked."""


LEFT_OPEN: Final[dict[State, dict[Presence, Close]]] = {
    State.PROVISIONING: {
        Presence.RUNNING: Close((e.Created,), at_once=True),
        Presence.STOPPED: Close((e.Created, e.Exited), at_once=True),
        Presence.FAILED: Close((e.CreateFailed,), at_once=False),
        Presence.ABSENT: Close((e.CreateFailed, e.Vanished), at_once=False),
    },
    State.STARTING: {
        Presence.RUNNING: Close((e.Started,), at_once=True),
        Presence.STOPPED: Close((e.StartFailed, e.Exited), at_once=False),
        Presence.FAILED: Close((e.StartFailed,), at_once=False),
        Presence.ABSENT: Close((e.Vanished,), at_once=True),
    },
    State.STOPPING: {
        Presence.STOPPED: Close((e.Stopped,), at_once=True),
        Presence.FAILED: Close((e.StopFailed,), at_once=False),
        Presence.RUNNING: Close((e.StopFailed, e.Drifted), at_once=False),
        Presence.ABSENT: Close((e.Vanished,), at_once=True),
    },
    State.DELETING: {
        Presence.ABSENT: Close((e.Deleted,), at_once=True),
        Presence.RUNNING: Close((e.DeleteFailed, e.Drifted), at_once=False),
        Presence.STOPPED: Close((e.DeleteFailed, e.Exited), at_once=False),
        Presence.FAILED: Close((e.DeleteFailed,), at_once=False),
    },
}
"""How to close an intent whose process is gone: by the state in the log, and what Azure shows."""


def observe(workspace: Workspace, sighting: Sighting, tenure: Tenure) -> tuple[e.Event, ...]:
    """The events that bring the log in line with what was seen; none when it is already.

    An intent whose process lives is left to that process. A look that does not show whether the container runs
    contradicts nobody who saw it stop.
    """
    if sighting.silent and workspace.state is State.STOPPED:
        return ()
    return tuple(BUILDERS[kind](workspace, sighting) for kind in _kinds(workspace.state, sighting.presence, tenure))


APPEARING: Final = {
    State.ABSENT: State.PROVISIONING,
    State.STOPPED: State.STARTING,
}
"""Somebody else is bringing it up: not yet an event, but DevPod should wait rather than act.

Not so where the last operation failed: Azure goes on trying for half an hour what cannot succeed, and whoever waits for
that is told nothing meanwhile. A start tells.
"""


def apparent(state: State, presence: Presence) -> State:
    """The state to tell DevPod: the log's, unless Azure is just changing it."""
    return APPEARING.get(state, state) if presence is Presence.PENDING else state


def _kinds(state: State, presence: Presence, tenure: Tenure) -> Kinds:
    if tenure is Tenure.NONE:
        return UNASKED.get(state, {}).get(presence, ())
    if tenure is Tenure.HELD:
        return ()
    close = LEFT_OPEN[state].get(presence)
    if close is None or not (close.at_once or tenure is Tenure.ORPHANED):
        return ()
    return close.kinds


def _interrupted(workspace: Workspace, sighting: Sighting) -> e.Failure:
    asked = e.name_of(workspace.intent.event) if workspace.intent else "the operation"
    seen = f": {sighting.detail}" if sighting.detail else ""
    return e.Failure(
        error="Interrupted",
        code="Interrupted",
        message=f"the process behind {asked} ended before the outcome was known; Azure shows {sighting.presence}{seen}",
        request_id=sighting.request_id,
    )


def _receipt(sighting: Sighting) -> e.Receipt:
    return e.Receipt(request_id=sighting.request_id, ip=sighting.ip, fqdn=sighting.fqdn)


def _adopted(_workspace: Workspace, sighting: Sighting) -> e.Event:
    if sighting.group is None or sighting.facts is None:
        raise ValueError("a group that is present has a name and facts")
    return e.Adopted(group=sighting.group, facts=sighting.facts, detail=sighting.detail, request_id=sighting.request_id)


def _exited(_workspace: Workspace, sighting: Sighting) -> e.Event:
    return e.Exited(detail=sighting.detail, request_id=sighting.request_id, exit_code=sighting.exit_code)


def _noted(kind: type[e.Observation]) -> Callable[[Workspace, Sighting], e.Event]:
    return lambda _workspace, sighting: kind(detail=sighting.detail, request_id=sighting.request_id)


def _done(kind: type[e.Outcome]) -> Callable[[Workspace, Sighting], e.Event]:
    return lambda _workspace, sighting: kind(receipt=_receipt(sighting))


def _failed(kind: type[e.FailedOutcome]) -> Callable[[Workspace, Sighting], e.Event]:
    return lambda workspace, sighting: kind(failure=_interrupted(workspace, sighting))


BUILDERS: Final[dict[type[e.Event], Callable[[Workspace, Sighting], e.Event]]] = {
    e.Adopted: _adopted,
    e.Exited: _exited,
    **{kind: _noted(kind) for kind in (e.Evicted, e.Vanished, e.Drifted)},
    **{kind: _done(kind) for kind in (e.Created, e.Started, e.Stopped, e.Deleted)},
    **{kind: _failed(kind) for kind in e.FAILURES},
}
