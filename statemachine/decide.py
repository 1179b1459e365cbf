"""What a command may do in each state: pure, and one table."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final, NamedTuple

from statemachine.fold import Workspace
from statemachine.states import State


class Command(StrEnum):
    """What a caller may ask of a workspace."""

    CREATE = "create"
    START = "start"
    STOP = "stop"
    DELETE = "delete"
    OPEN = "command"


class Tenure(Enum):
    """What is known of the process that opened a workspace's open intent."""

    NONE = "no intent is open"
    HELD = "its process lives and will close it"
    RECENT = "its process is gone, but Azure may not show yet what it did"
    ORPHANED = "its process is gone, and Azure has had time to show what it did"


class Decision(Enum):
    """The answer to a command."""

    ACT = "append the intent, do it, append the outcome"
    RESUME = "do it again under the intent that is open, append the outcome"
    ALREADY = "nothing to do"
    WAIT = "somebody is at it: look again"
    REFUSE = "not in this state"


class Rule(NamedTuple):
    """A decision, and what to tell the caller when it is a refusal."""

    decision: Decision
    why: str = ""


_ACT, _RESUME, _ALREADY, _WAIT = Rule(Decision.ACT), Rule(Decision.RESUME), Rule(Decision.ALREADY), Rule(Decision.WAIT)


def _no(why: str) -> Rule:
    return Rule(Decision.REFUSE, why)


_NOT_THERE: Final = "it does not exist; `devpod up` creates it"
_NOT_RUNNING: Final = "commands need a running container; `devpod up` starts it"

RULES: Final[dict[State, dict[Command, Rule]]] = {
    State.ABSENT: {
        Command.CREATE: _ACT,
        Command.START: _no(_NOT_THERE),
        Command.STOP: _no(_NOT_THERE),
        Command.DELETE: _ALREADY,
        Command.OPEN: _no(_NOT_THERE),
    },
    State.PROVISIONING: {
        Command.CREATE: _RESUME,
        Command.START: _RESUME,
        Command.STOP: _WAIT,
        Command.DELETE: _ACT,
        Command.OPEN: _no("it is still being created; try again when `status` says Running"),
    },
    State.RUNNING: {
        Command.CREATE: _ALREADY,
        Command.START: _ALREADY,
        Command.STOP: _ACT,
        Command.DELETE: _ACT,
        Command.OPEN: _ACT,
    },
    State.STOPPING: {
        Command.CREATE: _WAIT,
        Command.START: _WAIT,
        Command.STOP: _RESUME,
        Command.DELETE: _ACT,
        Command.OPEN: _no(_NOT_RUNNING),
    },
    State.STOPPED: {
        Command.CREATE: _no("it exists and is stopped; `devpod up` starts it, `devpod delete` removes it"),
        Command.START: _ACT,
        Command.STOP: _ALREADY,
        Command.DELETE: _ACT,
        Command.OPEN: _no(_NOT_RUNNING),
    },
    State.STARTING: {
        Command.CREATE: _WAIT,
        Command.START: _RESUME,
        Command.STOP: _ACT,
        Command.DELETE: _ACT,
        Command.OPEN: _no("it is still being started; try again when `status` says Running"),
    },
    State.DELETING: {
        Command.CREATE: _WAIT,
        Command.START: _WAIT,
        Command.STOP: _WAIT,
        Command.DELETE: _RESUME,
        Command.OPEN: _no("it is being deleted"),
    },
    State.FAILED: {
        Command.CREATE: _ACT,
        Command.START: _ACT,
        Command.STOP: _ACT,
        Command.DELETE: _ACT,
        Command.OPEN: _no("its last operation failed; `devpod up` repairs it, `devpod delete` removes it"),
    },
}
"""Delete is legal wherever something may exist: it is how a person gets out of anything that is stuck."""


def decide(workspace: Workspace, command: Command, tenure: Tenure) -> Rule:
    """What to do with ``command`` now.

    An intent whose process lives is never touched by another process, except by a delete.
    """
    rule = RULES[workspace.state][command]
    if rule.decision is Decision.RESUME and tenure in (Tenure.HELD, Tenure.NONE):
        return _WAIT
    if rule.decision is Decision.ACT and command is not Command.DELETE and tenure is not Tenure.NONE:
        return _WAIT
    return rule
