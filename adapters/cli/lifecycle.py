"""create, start, stop, delete, status: the verbs of DevPod's machine mode; all but create serve both modes."""

from __future__ import annotations

import click

from adapters.cli.agent import with_agent
from adapters.cli.carrying_out import carry_out, create_or_clear_up
from adapters.cli.compose import BRISK, Session, session
from adapters.cli.orders import create_order, simple_order
from adapters.cli.watchdog import watched
from adapters.cli.workspace_option import WORKSPACE, environment
from adapters.devpod import machine_plan
from adapters.devpod.answers import machine_status
from statemachine.decide import Command
from statemachine.lifecycle import refresh
from statemachine.observe import apparent
from statemachine.states import State


@click.command()
def create() -> None:
    """Create the machine's container group and wait until it runs."""
    current = session()
    current.say(f"creating container group {current.target.group_name} in {current.settings.region}")
    order = create_order(current, with_agent(current, machine_plan(current.settings)))
    # DevPod forgets a machine whose create failed, whatever for, and never asks for its end.
    with watched(current.environ) as left_behind:
        create_or_clear_up(current, order, (Exception,), left_behind)


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
