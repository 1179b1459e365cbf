"""What can happen to a workspace: every event type, and the facts each one keeps.

Events come in three kinds. An *intent* is on disk before Azure is called; an *outcome* closes it; an
*observation* is what live polling found that the log did not say. Field order is the order in the log.
"""

from __future__ import annotations

from typing import ClassVar, Final

import msgspec


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Base of the values inside events."""


class GroupRef(Fact, frozen=True, gc=False, omit_defaults=True):
    """Which container in which container group; all parts as Azure names them."""

    subscription: str
    resource_group: str
    name: str
    container: str


class GroupFacts(Fact, frozen=True, gc=False, omit_defaults=True):
    """What was asked of Azure, without anything secret: environment by name only."""

    image: str
    location: str
    cpu: float
    memory_gb: float
    restart_policy: str = ""
    os_type: str = "Linux"
    dns_label: str = ""
    ports: tuple[int, ...] = ()
    environment: tuple[str, ...] = ()
    mode: str = ""
    """``machine`` or ``devcontainer``: which of DevPod's two ways asked for it."""
    labels: str = ""
    """SHA-256 of the labels document kept beside the log; empty when there are no labels."""
    name: str = ""
    """What DevPod's user calls the workspace, where DevPod hands over another id of it."""


class Owner(Fact, frozen=True, gc=False, omit_defaults=True):
    """The process that opened an intent; ``started`` tells it from a later one with the same pid."""

    host: str
    pid: int
    started: str = ""


class Receipt(Fact, frozen=True, gc=False, omit_defaults=True):
    """Azure's answer to the request that did it."""

    http_status: int = 0
    request_id: str = ""
    ip: str = ""
    fqdn: str = ""


class Failure(Fact, frozen=True, gc=False, omit_defaults=True):
    """Why an operation failed: our error's name, and what Azure said."""

    error: str
    message: str
    code: str = ""
    http_status: int = 0
    request_id: str = ""
    exit_status: int = 0
    attempts: int = 1
    """How often the request that failed was sent."""


class Event(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Base of all events; ``VERSION`` is raised when a field changes its meaning."""

    VERSION: ClassVar[int] = 1


class Intent(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Something is about to be asked of Azure."""

    owner: Owner


class CreateRequested(Intent, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A container group is about to be created."""

    group: GroupRef
    facts: GroupFacts


class StartRequested(Intent, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group is about to be started."""


class StopRequested(Intent, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group is about to be stopped."""


class DeleteRequested(Intent, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group is about to be deleted."""


class CommandOpened(Intent, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A command is about to run in the container; its text may hold secrets, so only its digest is kept."""

    command: str
    """Identifies the command in its CommandClosed."""
    user: str = ""
    sha256: str = ""
    size: int = 0
    """Bytes of the command's text."""
    purpose: str = ""
    """What DevPod uses the command for, where its text tells: ``inject``, ``ssh-server``, …"""


class Outcome(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Azure did what was asked."""

    receipt: Receipt = Receipt()


class Created(Outcome, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group exists and its container runs."""


class Started(Outcome, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container runs again, with a fresh file system."""


class Stopped(Outcome, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container is stopped; its files are lost."""


class Deleted(Outcome, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group is gone."""


class FailedOutcome(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Azure refused, or did not do, what was asked."""

    failure: Failure


class CreateFailed(FailedOutcome, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group could not be created."""


class StartFailed(FailedOutcome, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group could not be started."""


class StopFailed(FailedOutcome, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group could not be stopped."""


class DeleteFailed(FailedOutcome, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group could not be deleted."""


class CommandClosed(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A command ended."""

    command: str
    exit_status: int | None = None
    """As a shell gives it (128+n for signal n); None when nobody was left to see it."""
    reason: str = "exited"
    """``exited``, ``failed`` (it did not start or the tunnel broke), or ``abandoned`` (the caller was killed)."""
    failure: Failure | None = None


class Observation(Event, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """Azure shows something the log did not say."""

    detail: str = ""
    request_id: str = ""


class Exited(Observation, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container is not running any more, though nobody we know stopped it."""

    exit_code: int | None = None


class Evicted(Observation, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The platform took the container away and is placing it again."""


class Vanished(Observation, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container group is gone, though nobody we know deleted it."""


class Drifted(Observation, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The container runs, though the log says otherwise."""


class Adopted(Observation, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """A container group of this workspace exists that this log knows nothing of."""

    group: GroupRef
    facts: GroupFacts


INTENTS: Final = (CreateRequested, StartRequested, StopRequested, DeleteRequested, CommandOpened)
OUTCOMES: Final = (Created, Started, Stopped, Deleted, CommandClosed)
FAILURES: Final = (CreateFailed, StartFailed, StopFailed, DeleteFailed)
OBSERVATIONS: Final = (Exited, Evicted, Vanished, Drifted, Adopted)

EVENT_TYPES: Final[dict[str, type[Event]]] = {
    kind.__name__: kind for kind in (*INTENTS, *OUTCOMES, *FAILURES, *OBSERVATIONS)
}
"""Every event type by the name it has in the log."""


def name_of(event: Event) -> str:
    """The name of an event's type, as the log writes it."""
    return type(event).__name__
