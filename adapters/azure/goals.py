"""What a wait may be for: judges that say of each look whether the goal is reached, and raise when it never will be."""

from __future__ import annotations

from typing import Final

from adapters.azure import verdict
from adapters.azure.observed import ContainerEvent, Observed
from adapters.azure.order import REQUEST_TAG
from adapters.azure.session import Session
from adapters.azure.wait import Judge, Look
from statemachine.errors import GroupMissingError, ProviderError, ProvisioningError
from statemachine.events import GroupRef
from statemachine.ports import Presence
from statemachine.secret import Secret, scrub

SILENCE: Final = 5.0
"""Seconds after which a group's look is believed that tells nothing of what runs in it."""


def until_running(
    session: Session,
    ref: GroupRef,
    doing: str,
    *,
    before: Observed | None = None,
    request: str = "",
    new: bool = False,
    secrets: tuple[Secret, ...] = (),
) -> Judge:
    """True once the container's process runs.

    ``before`` is what was seen before the request: until Azure shows something else, or ``settle`` seconds
    have passed, it counts as old news. ``request`` names the PUT that was accepted: until a group with that
    mark shows, a 404 and any other group of the same name are old news too. ``new`` tells that Azure called the
    group new: then one without any mark is ours as well, for not every answer gives tags back.
    ``secrets`` are masked in what the container printed.
    """
    settle = session.settings.settle
    known = set(before.events) if before else set()

    def judge(current: Look, waited: float) -> bool:
        seen = current.seen
        if seen is None:
            if request and waited < settle:
                return False
            raise GroupMissingError(f"Azure did not {doing}: the container group is not there")
        mark = seen.tag(REQUEST_TAG)
        if request and waited < settle and mark != request and (mark or not new):
            return False
        silent = before is not None and before.says_nothing and seen.says_nothing
        if seen.presence is Presence.RUNNING and not (silent and waited < min(settle, SILENCE)):
            return True
        news = tuple(event for event in seen.events if event not in known)
        reason = verdict.of_events(news, doing)
        if before and not reason and waited < settle and _before_the_start(seen, before, news):
            return False
        reason = reason or verdict.of_group(seen, news, doing)
        if isinstance(reason, ProvisioningError) and seen.presence is not Presence.FAILED:
            reason = verdict.of_group(seen, news, doing, scrub(_last_output(session, ref), *secrets))
        if reason:
            raise reason
        return False

    return judge


def _before_the_start(seen: Observed, before: Observed, news: tuple[ContainerEvent, ...]) -> bool:
    """Whether this look is older than the start, which ``before`` was taken for.

    ``before`` may itself lag, behind the stop that went ahead of the start. So Stopped is always old, for no start
    leads there; so is every word about the run that ``before`` knew.
    """
    known_run = bool(seen.started) and seen.started == before.started
    return known_run or seen.group.lower() == "stopped" or (seen.run() == before.run() and not news)


def until_stopped(session: Session) -> Judge:
    """True once the container does not run. A group that failed to provision counts as stopped once
    Azure has accepted the stop and shows no running process; so does one that shows nothing but that it was
    deployed, for its word would not change.
    """
    settle = session.settings.settle

    def judge(current: Look, waited: float) -> bool:
        if current.presence in (Presence.STOPPED, Presence.ABSENT):
            return True
        if current.seen is not None and current.seen.says_nothing and current.presence is Presence.RUNNING:
            return waited >= min(settle, SILENCE)
        if current.seen is None or current.presence is not Presence.FAILED:
            return False
        return current.seen.container.lower() != "running" and waited >= min(settle, SILENCE)

    return judge


def until_absent(current: Look, _waited: float) -> bool:
    """True once Azure does not show the group any more."""
    return current.presence is Presence.ABSENT


def until_settled(doing: str) -> Judge:
    """True once no operation is in flight. Raises the error that an event of the group stands for."""

    def judge(current: Look, _waited: float) -> bool:
        if current.presence is not Presence.PENDING:
            return True
        if current.seen and (reason := verdict.of_events(current.seen.events[-1:], doing)):
            raise reason
        return False

    return judge


def _last_output(session: Session, ref: GroupRef) -> str:
    """The container's last lines, where Azure still has them; an error message must not fail over this."""
    from adapters.azure.console import logs

    try:
        return logs(session, ref, tail=5)
    except ProviderError:  # the reason it is asked for is about to be raised, and is worth more
        return ""
