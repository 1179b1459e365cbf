"""From options to orders: what each verb asks of Azure, and what the log keeps of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from adapters.cli.compose import Session
from adapters.devpod import RunPlan
from statemachine import events as e
from statemachine.decide import Command
from statemachine.fold import Workspace
from statemachine.lifecycle import Order, ensure_ours

if TYPE_CHECKING:
    from adapters.azure import GroupOrder


def create_order(session: Session, plan: RunPlan, *, labels: str = "") -> Order:
    """The order for ``create`` and ``run``.

    ``labels`` is the digest of the labels document kept beside the log.
    """

    @cache
    def wanted() -> GroupOrder:
        return group_order(session, plan, labels)

    def intent(workspace: Workspace) -> e.CreateRequested:
        return e.CreateRequested(
            owner=session.world.processes.me(), group=_fresh(session, workspace), facts=wanted().facts
        )

    def effect(workspace: Workspace, resume: bool) -> e.Receipt:  # noqa: FBT001  # the port's signature
        return session.groups.create(
            replace(wanted(), ref=session.group(workspace)),
            resume=resume,
            # It may have been long on its way: Azure asks for patience, and a delete waits for nobody.
            before_put=lambda: ensure_ours(workspace, session.world),
        )

    return Order(Command.CREATE, intent, effect)


def _fresh(session: Session, workspace: Workspace) -> e.GroupRef:
    """A new group goes where the options say now, not where an earlier one was."""
    from msgspec.structs import replace as with_changes

    return session.group(with_changes(workspace, group=None))


def group_order(session: Session, plan: RunPlan, labels: str) -> GroupOrder:
    """Everything a PUT needs, secrets included."""
    from adapters.azure import EmptyDir, GroupOrder, RegistryLogin

    settings, target = session.settings, session.target
    registry = settings.registry
    return GroupOrder(
        ref=_fresh(session, Workspace(subject=target.subject)),
        facts=e.GroupFacts(
            image=plan.image,
            location=settings.region,
            cpu=settings.cpu,
            memory_gb=settings.memory_gb,
            restart_policy=settings.restart_policy,
            dns_label=settings.dns_label,
            ports=settings.ports,
            environment=tuple(sorted(plan.environment)),
            mode=target.mode,
            labels=labels,
            name=target.name,
        ),
        command=plan.command,
        secure_environment=plan.environment,
        tags=target.tags,
        volumes=tuple(EmptyDir(name=each.name, mount_path=each.mount_path) for each in plan.emptydirs),
        registry=RegistryLogin(
            server=registry.server,
            username=registry.username,
            password=registry.password or None,
            identity=registry.identity,
        )
        if registry
        else None,
        identity_id=settings.identity,
        labels=plan.labels,
    )


def simple_order(session: Session, command: Command) -> Order:
    """The order for start, stop and delete: an intent without particulars, and one call."""
    kinds: dict[Command, type[e.StartRequested | e.StopRequested | e.DeleteRequested]] = {
        Command.START: e.StartRequested,
        Command.STOP: e.StopRequested,
        Command.DELETE: e.DeleteRequested,
    }

    def intent(_workspace: Workspace) -> e.Intent:
        return kinds[command](owner=session.world.processes.me())

    def effect(workspace: Workspace, _resume: bool) -> e.Receipt:  # noqa: FBT001  # the port's signature
        calls: dict[Command, tuple[str, Callable[[e.GroupRef], e.Receipt]]] = {
            Command.START: ("starting", session.groups.start),
            Command.STOP: ("stopping", session.groups.stop),
            Command.DELETE: ("deleting", session.groups.delete),
        }
        doing, call = calls[command]
        group = session.group(workspace)
        session.say(f"{doing} container group {group.name}")
        return call(group)

    return Order(command, intent, effect)
