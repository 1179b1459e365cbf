"""Carrying out an order, and deleting what a create that did not end well leaves: Azure would go on billing it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from adapters.cli.compose import Session
from adapters.cli.orders import simple_order
from statemachine.decide import Command
from statemachine.errors import CapacityError, ImageError, ProviderError, QuotaError
from statemachine.fold import Workspace
from statemachine.lifecycle import Order, TakenOverError, perform
from statemachine.ports import Presence
from statemachine.states import State

NEVER_RAN: Final = (CapacityError, ImageError, QuotaError)
"""Why a new group has no container whose output anybody could want to see."""


def carry_out(current: Session, order: Order) -> None:
    """Perform an order, waiting as long as the options allow. Raises what ``perform`` raises."""
    perform(order, current.subject, current.world, deadline=current.settings.operation_timeout)


def create_or_clear_up(
    current: Session, order: Order, why: tuple[type[Exception], ...], left_behind: Callable[[], None] = lambda: None
) -> None:
    """Carry out a create; a new group that Azure could not bring up for one of these reasons is deleted.

    Azure would go on trying, and billing, and DevPod would start it as it is, whatever its user has corrected. Where it
    cannot be deleted either, ``left_behind`` is called. Raises what ``perform`` raises, and only says what else
    went wrong.
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
