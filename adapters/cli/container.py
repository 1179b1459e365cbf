"""run, find, logs, target-architecture: the verbs only DevPod's devcontainer mode has."""

from __future__ import annotations

import sys
from typing import Final

import click

from adapters.cli.agent import with_agent
from adapters.cli.carrying_out import NEVER_RAN, create_or_clear_up
from adapters.cli.compose import BRISK, Session, session
from adapters.cli.orders import create_order
from adapters.cli.workspace_option import WORKSPACE, environment
from adapters.devpod import labels_of, parse_run_options, plan
from adapters.devpod.answers import container_details
from adapters.devpod.answers import target_architecture as architecture
from eventlog import blobs, default_path
from statemachine.decide import Tenure
from statemachine.fold import Workspace
from statemachine.lifecycle import POLL_SECONDS, SETTLING, refresh, tenure
from statemachine.observe import apparent
from statemachine.ports import Presence, Sighting
from statemachine.states import State

LABELS: Final = "labels"
UNSURE_SECONDS: Final = SETTLING.total_seconds() + 10
"""When what a process that died had asked for has shown, or will not."""


@click.command()
def run() -> None:
    """Create the dev container that DEVCONTAINER_RUN_OPTIONS describes and wait until it runs."""
    current = session()
    asked = parse_run_options(current.environ.get("DEVCONTAINER_RUN_OPTIONS", ""))
    wanted = with_agent(current, plan(asked, current.settings))
    for warning in wanted.warnings:
        current.say(f"warning: {warning}")
    # The document is on disk before the intent that names it.
    digest = blobs.put(default_path(current.environ), LABELS, wanted.labels) if wanted.labels else ""
    current.say(f"creating container group {current.target.group_name} in {current.settings.region}")
    create_or_clear_up(current, create_order(current, wanted, labels=digest), NEVER_RAN)


@click.command()
def find() -> None:
    """Print the dev container as JSON; nothing at all when there is none."""
    current = session(patience=BRISK)
    workspace, sighting = refresh(current.subject, current.world)
    until = current.world.clock.monotonic() + UNSURE_SECONDS
    while _is_unsure(current, workspace, sighting) and current.world.clock.monotonic() < until:
        # DevPod starts what is found and never asks again: it is to be found only where there is something to start.
        current.world.clock.sleep(POLL_SECONDS)
        workspace, sighting = refresh(current.subject, current.world)
    created = sighting.created or (workspace.created.isoformat() if workspace.created else "")
    answer = container_details(
        apparent(workspace.state, sighting.presence),
        identifier=current.group(workspace).name,
        labels=labels_of(_labels(current, workspace, sighting)),
        created=created,
        started=sighting.started or created,
    )
    click.echo(answer, nl=False)


def _is_unsure(current: Session, workspace: Workspace, sighting: Sighting) -> bool:
    """Whether a process died that had, or had not yet, asked Azure for the group, or for its end."""
    asked = workspace.state is State.PROVISIONING and sighting.presence is Presence.ABSENT
    return (asked or workspace.state is State.DELETING) and tenure(workspace, current.world) is not Tenure.HELD


def _labels(current: Session, workspace: Workspace, sighting: Sighting) -> bytes:
    """The labels document: kept beside the log, else what the group itself carries."""
    digest = workspace.facts.labels if workspace.facts else ""
    kept = blobs.get(default_path(current.environ), LABELS, digest) if digest else None
    if kept is None and digest and not sighting.labels:
        current.say("warning: the labels of this dev container are lost; `devpod delete` and `devpod up` make it anew")
    return sighting.labels if kept is None else kept


@click.command()
@click.option("--tail", type=click.IntRange(min=1), help="Only the last N lines.")
@click.option("--timestamps", is_flag=True, help="Begin each line with its time.")
@WORKSPACE
def logs(*, tail: int | None, timestamps: bool, workspace: str | None) -> None:
    """Print what the container's main process wrote."""
    current = session(environment(workspace))
    group = current.group(current.log.recall(current.subject))
    text = current.groups.logs(group, tail=tail, timestamps=timestamps)
    sys.stdout.write(text)


@click.command("target-architecture")
def target_architecture() -> None:
    """Print the architecture of the containers; Container Instances runs amd64 only."""
    click.echo(architecture(), nl=False)
