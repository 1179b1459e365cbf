"""tunnel-holder: the background process that keeps one exec session open for many commands."""

from __future__ import annotations

from pathlib import Path

import click

from adapters.cli.compose import ca_file, session


@click.command("tunnel-holder", hidden=True)
@click.argument("socket", type=click.Path(path_type=Path))
def tunnel_holder(socket: Path) -> None:
    """Hold the exec session of one container; started by `command`, not by people."""
    from adapters.tunnel import ExecEndpoint, hold
    from statemachine.lifecycle import recall

    current = session()
    group = current.group(recall(current.subject, current.world))

    def opener() -> ExecEndpoint:
        uri, password = current.groups.open_exec(group)
        return ExecEndpoint(uri=uri, password=password)

    hold(socket, opener, idle_seconds=current.settings.tunnel_idle, ca_file=ca_file(current.environ))
