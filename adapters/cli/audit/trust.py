"""audit key, audit seal: the public key, and signed checkpoints, with which an auditor can check the log."""

from __future__ import annotations

import os
from pathlib import Path

import click

from adapters.cli.audit.output import output as written
from adapters.cli.compose import own_log
from eventlog import default_path


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead of stdout.")
def key(output: Path | None) -> None:
    """Print the public key that checkpoints are signed with, to give to an auditor; makes a key the first time.

    The first line also says what is sealed by now, so whoever keeps it sees later whether that was cut off.
    """
    from eventlog.sealing.seal import public_key

    with written(output) as file:
        file.write(public_key(default_path(os.environ)).encode("ascii"))


@click.command()
def seal() -> None:
    """Sign a checkpoint: from then on every event before it is vouched for."""
    from eventlog.sealing.keys import load
    from eventlog.sealing.seal import seal as sign

    log = own_log(os.environ)
    recorded = sign(log)
    found = load(log.path)
    click.echo(f"{recorded.seq - 1} events sealed with key {found.id if found else ''}")
