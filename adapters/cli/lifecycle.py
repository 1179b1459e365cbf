"""create, start, stop, delete, status: the verbs of DevPod's machine mode; all but create serve both modes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click

from adapters.cli.agent import with_agent
from adapters.cli.compose import BRISK, Session, session
from adapters.cli.orders import create_order, simple_order
from adapters.cli.watchdog import watched
from adapters.cli.workspace_option import WORKSPACE, environment
from adapters.devpod import machine_plan
from adapters.devpod.answers import machine_status
from statemachine.decide import Command
from statemachine.errors import CapacityError, ImageError, ProviderError, QuotaError
from statemachine.fold import Workspace
from statemachine.lifecycle import Order, TakenOverError, perform, refresh
from statemachine.observe import apparent
from statemachine.ports import Presence
from statemachine.states import State

NEVER_RAN: Final = (CapacityError, ImageError, QuotaError)
"""Why a new group has no container whose output anybody could want to see."""


def carry_out(current: Session, order: Order) -> Workspace:
    """Perform an order, waiting as long as the options allow."""
    return perform(order, current.subject, current.world, deadline=current.settings.operation_timeout)


@click.command()
def create() -> None:
    """Create the machine's container group and wait until it runs."""
    current = session()
    current.say(f"creating container group {current.target.group_name} in {current.settings.region}")
    order = create_order(current, with_agent(current, machine_plan(current.settings)))
    # DevPod forgets a machine whose create failed, whatever for, and never asks for its end.
    with watched(current.environ) as left_behind:
        create_or_clear_up(current, order, (Exception,), left_behind)


def create_or_clear_up(
    current: Session, order: Order, why: tuple[type[Exception], ...], left_behind: Callable[[], None] = lambda: None
) -> None:
    """Carry out a create; a new group that Azure could not bring up for one of these reasons is deleted.

    Azure would go on trying, and billing, and DevPod would start it as it is, whatever its user has corrected. Where it
    cannot be deleted either, ``left_behind`` is called.
    """
    new = current.log.recall(current.subject).state is State.ABSENT
    try:
        carry_out(current, order)
    except TakenOverError:
        _clear_up(current, _take_back, left_behind)
        raise
    except why as problem:
        if new and _clear_up(current, _give_up, left_behind) and isinstance(problem, ProviderError):
            from adapters.azure.verdict import GIVE_UP  # its patterns cost every verb milliseconds

            problem.hint = problem.hint.removesuffix(GIVE_UP).rstrip()
        raise


def _clear_up(current: Session, how: Callable[[Session, Workspace], None], left_behind: Callable[[], None]) -> bool:
    """Delete what there is of a group; whether nothing is left."""
    workspace = current.log.recall(current.subject)
    try:
        how(current, workspace)
    except ProviderError as problem:
        group = current.group(workspace)
        current.say(
            f"warning: container group {group.name} in resource group {group.resource_group} may still be there, and"
            f" billed: `devpod-provider-aci delete --workspace {workspace.subject}` deletes it ({problem})"
        )
        left_behind()
        return False
    return True


def _give_up(current: Session, workspace: Workspace) -> None:
    """What we asked for, and Azure could not do or did not do in time, is not to come about later."""
    unfinished = workspace.intent is not None and workspace.intent.event.owner == current.world.processes.me()
    failed = workspace.state is State.FAILED and current.look(workspace).presence is not Presence.ABSENT
    if failed or (unfinished and workspace.state is State.PROVISIONING):
        current.say("deleting what there is of it, for Azure would go on trying, and billing")
        carry_out(current, simple_order(current, Command.DELETE))


def _take_back(current: Session, workspace: Workspace) -> None:
    """The workspace was deleted while its group was asked for: what Azure heard of after that goes as well."""
    if workspace.state is State.DELETING:
        current.groups.delete(current.group(workspace))
    elif workspace.state is State.ABSENT and current.look(workspace).presence is not Presence.ABSENT:
        carry_out(current, simple_order(current, Command.DELETE))


@click.command()
def start() -> None:
    """Start the container group and wait until it runs; its file system is fresh."""
    current = session()
    carry_out(current, simple_order(current, Command.START))


@click.command()
@WORKSPACE
def stop(workspace: str | None) -> None:
    """Stop the container group: no compute charge, and the container's files are lost."""
    current = session(environment(workspace))
    if current.target.mode == "devcontainer" and current.log.recall(current.subject).state is State.ABSENT:
        # `devpod up --recreate` stops first without a look; a refusal would end it (pkg/devcontainer/run.go).
        current.say(f"there is no container group {current.target.group_name} to stop")
        return
    _end(current, Command.STOP)


@click.command()
@WORKSPACE
def delete(workspace: str | None) -> None:
    """Delete the container group and wait until it is gone."""
    current = session(environment(workspace))
    _end(current, Command.DELETE)


@click.command()
@WORKSPACE
def status(workspace: str | None) -> None:
    """Print Running, Busy, Stopped or NotFound."""
    current = session(environment(workspace), patience=BRISK)
    found, sighting = refresh(current.subject, current.world)
    click.echo(machine_status(apparent(found.state, sighting.presence)), nl=False)


def _end(current: Session, command: Command) -> None:
    from adapters.cli.sockets import stop_holders

    stop_holders(current)
    carry_out(current, simple_order(current, command))
