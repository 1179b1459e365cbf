"""create, start, stop, delete, status: the verbs of DevPod's machine mode; all but create serve both modes."""

from __future__ import annotations

import click

from adapters.cli.agent import with_agent
from adapters.cli.compose import BRISK, Session, session
from adapters.cli.orders import create_order, simple_order
from adapters.devpod import machine_plan
from adapters.devpod.answers import machine_status
from statemachine.decide import Command
from statemachine.errors import CapacityError, ImageError, ProviderError, ProvisioningError, QuotaError
from statemachine.fold import Workspace
from statemachine.lifecycle import Order, perform, recall, refresh
from statemachine.observe import apparent
from statemachine.ports import Presence
from statemachine.states import State


def carry_out(current: Session, order: Order) -> Workspace:
    """Perform an order, waiting as long as the options allow."""
    return perform(order, current.subject, current.world, deadline=current.settings.operation_timeout)


@click.command()
def create() -> None:
    """Create the machine's container group and wait until it runs."""
    current = session()
    current.say(f"creating container group {current.target.group_name} in {current.settings.region}")
    order = create_order(current, with_agent(current, machine_plan(current.settings)))
    new = recall(current.subject, current.world).state is State.ABSENT
    try:
        carry_out(current, order)
    except (CapacityError, ImageError, ProvisioningError, QuotaError):
        if new:
            _clear_up(current)
        raise


def _clear_up(current: Session) -> None:
    """Delete what Azure could not bring up.

    DevPod forgets a machine whose create failed and never asks for its end, while Azure goes on trying, and billing.
    """
    workspace = recall(current.subject, current.world)
    try:
        if workspace.state is State.FAILED and current.look(workspace).presence is not Presence.ABSENT:
            current.say("deleting what there is of it, for DevPod forgets a machine that could not be created")
            carry_out(current, simple_order(current, Command.DELETE))
    except ProviderError as problem:
        current.say(f"warning: container group {current.target.group_name} may still be there: {problem}")


@click.command()
def start() -> None:
    """Start the container group and wait until it runs; its file system is fresh."""
    current = session()
    carry_out(current, simple_order(current, Command.START))


@click.command()
def stop() -> None:
    """Stop the container group: no compute charge, and the container's files are lost."""
    current = session()
    _end(current, Command.STOP)


@click.command()
def delete() -> None:
    """Delete the container group and wait until it is gone."""
    current = session()
    _end(current, Command.DELETE)


@click.command()
def status() -> None:
    """Print Running, Busy, Stopped or NotFound."""
    current = session(patience=BRISK)
    workspace, sighting = refresh(current.subject, current.world)
    click.echo(machine_status(apparent(workspace.state, sighting.presence)), nl=False)


def _end(current: Session, command: Command) -> None:
    from adapters.cli.sockets import stop_holders

    stop_holders(current)
    carry_out(current, simple_order(current, command))
