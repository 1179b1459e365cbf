"""create, start, stop, delete, status: the verbs of DevPod's machine mode; all but create serve both modes."""

from __future__ import annotations

import click

from adapters.cli.agent import with_agent
from adapters.cli.compose import BRISK, Session, session
from adapters.cli.orders import create_order, simple_order
from adapters.devpod import machine_plan
from adapters.devpod.answers import machine_status
from statemachine.decide import Command
from statemachine.fold import Workspace
from statemachine.lifecycle import Order, perform, refresh
from statemachine.observe import apparent


def carry_out(current: Session, order: Order) -> Workspace:
    """Perform an order, waiting as long as the options allow."""
    return perform(order, current.subject, current.world, deadline=current.settings.operation_timeout)


@click.command()
def create() -> None:
    """Create the machine's container group and wait until it runs."""
    current = session()
    current.say(f"creating container group {current.target.group_name} in {current.settings.region}")
    carry_out(current, create_order(current, with_agent(current, machine_plan(current.settings))))


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
