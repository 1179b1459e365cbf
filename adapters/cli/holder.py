"""tunnel-holder: the background process that keeps one exec session open for many commands."""

from __future__ import annotations

from pathlib import Path

import click

from adapters.cli.compose import BRISK, ca_file, session
from adapters.cli.opener import PLACE, Opener
from adapters.cli.polls import Look, answering
from adapters.cli.sockets import holder_ended
from statemachine.events import GroupRef


@click.command("tunnel-holder", hidden=True)
@click.argument("socket", type=click.Path(path_type=Path))
def tunnel_holder(socket: Path) -> None:
    """Hold the exec session of one container; started by `command`, not by people."""
    from dataclasses import replace

    from adapters.azure.budget import within
    from adapters.tunnel import HOLDER_TUNING, Voice, hold

    current, voice = session(), Voice()
    current.say = voice  # nobody reads our own standard error
    group = current.group(current.log.recall(current.subject))

    def look(wanted: GroupRef) -> Look:
        # Over the connection and with the token of the exec call.
        with within(BRISK):
            return Look(current.groups.look(wanted), current.groups.identity())

    hold(
        socket,
        Opener(current.groups, group, remembered=socket.with_suffix(PLACE), ca_file=ca_file(current.environ)),
        idle_seconds=current.settings.tunnel_idle,
        ca_file=ca_file(current.environ),
        tuning=replace(
            HOLDER_TUNING,
            resume=current.settings.tunnel_resume,
            compress=current.settings.tunnel_compression,
        ),
        answer=answering(group, look),
        voice=voice,
    )
    holder_ended(socket)
