"""tunnel-holder: the background process that keeps one exec session open for many commands."""

from __future__ import annotations

from pathlib import Path

import click

from adapters.cli.compose import BRISK, ca_file, session
from adapters.cli.opener import Opener
from adapters.cli.polls import Look, forget, serve, socket_for
from statemachine.events import GroupRef


@click.command("tunnel-holder", hidden=True)
@click.argument("socket", type=click.Path(path_type=Path))
def tunnel_holder(socket: Path) -> None:
    """Hold the exec session of one container; started by `command`, not by people."""
    from dataclasses import replace

    from adapters.tunnel import HOLDER_TUNING, ExecEndpoint, hold
    from statemachine.lifecycle import recall

    current = session()
    group = current.group(recall(current.subject, current.world))
    polls = session(patience=BRISK)

    def look(wanted: GroupRef) -> Look:
        return Look(polls.groups.look(wanted), polls.groups.identity())

    answering: list[Path] = []
    opened = Opener(current.groups, group)

    def opener() -> ExecEndpoint:
        # Only now is this the process that stays: ``hold`` detaches itself from its caller first.
        if not answering:
            answering.append(socket_for(socket))
            serve(answering[0], group, look)
        return opened()

    try:
        hold(
            socket,
            opener,
            idle_seconds=current.settings.tunnel_idle,
            ca_file=ca_file(current.environ),
            tuning=replace(HOLDER_TUNING, compress=current.settings.tunnel_compression),
        )
    finally:
        forget(socket)
