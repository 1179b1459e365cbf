"""Create, start, stop and delete: each may be called again at any point, by any process."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any, Final, cast

from adapters.azure import resource_group
from adapters.azure.answer import Answer, keep
from adapters.azure.goals import until_absent, until_running, until_settled, until_stopped
from adapters.azure.order import REQUEST_TAG, GroupOrder, body
from adapters.azure.retry import CONFLICT, NEW_GROUP
from adapters.azure.session import Session
from adapters.azure.wait import Look, look, wait
from statemachine.errors import GroupMissingError, RefusedError
from statemachine.events import GroupRef, Receipt
from statemachine.ports import Presence

APPEAR: Final = 5.0
"""Seconds a group may stay invisible after a PUT that may have been accepted, before the PUT is sent again."""

NEW: Final = frozenset({201, 202})
"""Statuses of a PUT that made a group; 200 is for one that was there."""


def create(session: Session, order: GroupOrder, *, resume: bool, before_put: Callable[[], None]) -> Receipt:
    """PUT the group and wait until its container runs; ``resume`` waits for one that is already there."""
    doing = f"create container group {order.ref.name}"
    request = uuid.uuid4().hex
    content = json.dumps(body(order, request=request)).encode()
    if resume and (current := _appeared(session, order.ref)):
        return _receipt(current.answer, _until_running(session, order, doing))
    made = resource_group.ensure(session, order.ref.resource_group, order.facts.location)

    def ask() -> Answer:
        before_put()
        return _put(session, order.ref, content)

    put = session.careful(
        doing,
        ask,
        lambda: _appeared(session, order.ref, request) is not None,
        secrets=order.secrets(),
        extra=(NEW_GROUP,) if made else (),
    )
    return _receipt(put, _until_running(session, order, doing, put, request))


def start(session: Session, ref: GroupRef) -> Receipt:
    """Start a group that does not run; a running one is left alone. One that does not show it is started.

    The vendor warns that starting a running group can leave it in transition, and advises to stop a group
    whose container has ended before it is started (troubleshooting ContainerGroupTransitioning).
    """
    doing = f"start container group {ref.name}"
    current = wait(session, ref, doing, until_settled(doing))
    if current.presence is Presence.ABSENT:
        raise GroupMissingError(f"cannot {doing}: it is not there", remedy="Create the workspace first (`devpod up`).")
    silent = current.seen is not None and current.seen.says_nothing
    if current.presence is Presence.RUNNING and not silent:
        return _receipt(current.answer, current)
    if current.seen and current.seen.group.lower() != "stopped" and not silent:
        stop(session, ref)
        current = look(session, ref)
    posted = session.careful(
        doing,
        lambda: _post_start(session, ref),
        lambda: _starts(look(session, ref)),
        extra=(CONFLICT,),
    )
    judge = until_running(session, ref, doing, before=current.seen)
    return _receipt(posted, wait(session, ref, doing, judge, accepted=posted))


def _starts(current: Look) -> bool:
    """Whether a start that nobody answered has reached Azure: a group that says nothing does not tell."""
    silent = current.seen is not None and current.seen.says_nothing and current.presence is Presence.RUNNING
    return not silent and current.presence not in (Presence.STOPPED, Presence.FAILED)


def stop(session: Session, ref: GroupRef) -> Receipt:
    """Stop the group; one that does not run is fine."""
    doing = f"stop container group {ref.name}"
    try:
        answer = session.call(doing, lambda: _post_stop(session, ref), extra=(CONFLICT,))
    except RefusedError:
        # That it is stopped is no reason to refuse a stop; a look tells whether it is.
        return _receipt(None, wait(session, ref, doing, until_stopped(session)))
    return _receipt(answer, wait(session, ref, doing, until_stopped(session), accepted=answer))


def delete(session: Session, ref: GroupRef) -> Receipt:
    """Delete the group; one that is not there is fine."""
    doing = f"delete container group {ref.name}"

    try:
        answer = session.call(doing, lambda: _delete(session, ref), extra=(CONFLICT,))
    except GroupMissingError as error:
        return Receipt(http_status=error.http_status, request_id=error.request_id)
    wait(session, ref, doing, until_absent, accepted=answer)
    return answer.receipt()


def _put(session: Session, ref: GroupRef, content: bytes) -> Answer:
    # The SDK takes bytes as they are (its stub says IO, its code says bytes too): the body is built and
    # tested against the published schema in order.py, without importing 60 ms of models.
    def put() -> object:
        groups = session.groups_of(ref).container_groups
        return groups.begin_create_or_update(
            ref.resource_group, ref.name, cast("Any", content), polling=False, cls=keep
        ).result()

    return session.ask(put, content=False)


def _post_start(session: Session, ref: GroupRef) -> Answer:
    def post() -> object:
        groups = session.groups_of(ref).container_groups
        return groups.begin_start(ref.resource_group, ref.name, polling=False, cls=keep).result()

    return session.ask(post, content=False)


def _post_stop(session: Session, ref: GroupRef) -> Answer:
    groups = session.groups_of(ref).container_groups
    return session.ask(lambda: groups.stop(ref.resource_group, ref.name, cls=keep), content=False)


def _delete(session: Session, ref: GroupRef) -> Answer:
    def remove() -> object:
        groups = session.groups_of(ref).container_groups
        return groups.begin_delete(ref.resource_group, ref.name, polling=False, cls=keep).result()

    return session.ask(remove, content=False)


def _appeared(session: Session, ref: GroupRef, request: str = "") -> Look | None:
    """The group that a PUT whose answer nobody heard has made, if it was accepted: that of ``request``, or any.

    Reads lag behind writes, so look for a while.
    """
    until = time.monotonic() + min(APPEAR, session.settings.settle)
    while True:
        current = look(session, ref)
        if current.seen and request in ("", current.seen.tag(REQUEST_TAG)):
            return current
        if time.monotonic() >= until:
            return None
        time.sleep(session.settings.poll_interval)


def _until_running(
    session: Session, order: GroupOrder, doing: str, put: Answer | None = None, request: str = ""
) -> Look:
    new = put is not None and put.status in NEW
    judge = until_running(session, order.ref, doing, request=request, new=new, secrets=order.secrets())
    return wait(session, order.ref, doing, judge, accepted=put)


def _receipt(answer: Answer | None, current: Look) -> Receipt:
    """Azure's answer to the request; where that was lost, to the look that showed the request had worked."""
    source = answer or current.answer
    seen = current.seen
    return source.receipt(ip=seen.ip if seen else "", fqdn=seen.fqdn if seen else "") if source else Receipt()
