"""history, verify: what the event log tells people."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import click

from adapters.cli.console import say
from adapters.cli.key_option import PUBLIC_KEYS, verified


@click.command()
@click.argument("workspace", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest N operations.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def history(*, workspace: str | None, limit: int, as_json: bool) -> None:
    """Show who did what, when, and how it ended; of one WORKSPACE or of all."""
    from adapters.cli.expired import note
    from eventlog import default_path
    from eventlog.audit.names import Names
    from eventlog.audit.reader import LogReader
    from eventlog.audit.stream import Stream
    from eventlog.history import rows
    from eventlog.table import json_lines, table
    from statemachine.errors import LogDamagedError

    path = default_path(os.environ)
    note(path)
    reader, names = LogReader(path), Names()
    wanted = (one for one in reader.records() if names.learn(one) == workspace or workspace in (None, one.subject))
    try:
        newest = rows(wanted, limit=limit + 1)
    except LogDamagedError as error:
        # What makes no sense comes from the damage before it.
        raise (reader.damage or [error])[0] from None
    found = newest[-limit:]
    if as_json:
        for line in json_lines(found):
            click.echo(line)
    elif found:
        labels = names.labels(Stream("", row.subject) for row in found)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        click.echo(table(found, width=width, names={stream.workspace: label for stream, label in labels.items()}))
        if len(newest) > limit:
            say("older ones are left out; --limit shows more")
    elif not reader.damage:
        say("nothing recorded" + (f" of workspace {workspace}" if workspace else ""))
    if reader.damage:
        raise reader.damage[0]


@click.command()
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Check this log instead of your own.",
)
@PUBLIC_KEYS
@click.option(
    "--archive",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with segments that `audit archive` copied: what is not here any more is read from there.",
)
def verify(source: Path | None, keys: tuple[Path, ...], archive: Path | None) -> None:
    """Check the event log's hash chain line by line."""
    from adapters.cli.expired import expired
    from eventlog import default_path
    from eventlog.failures import explained
    from statemachine.errors import LogDamagedError, LogError

    path = source or default_path(os.environ)
    if source is not None:
        with explained(source, "read"):
            is_file = source.is_file()
        if not is_file:
            # An empty log is whole, and so is one's own that nobody has begun; a name that is mistyped is not.
            remedy = "Name the log's file; `audit writers` checks those of a folder."
            raise LogError(f"{source} is no file", remedy=remedy)
    verdict = verified(path, keys, archive=archive)
    for warning in verdict.warnings:
        say(f"warning: {warning}")
    if verdict.torn:
        say(f"warning: line {verdict.line} of {path} {verdict.reason}")
    elif not verdict.ok:
        where = f"segment {verdict.file} of {path}" if verdict.file else path
        raise LogDamagedError(
            f"line {verdict.line} of {where} {verdict.reason}; the {verdict.events} lines before it are whole",
            remedy="Restore the file from a copy, or move it away to begin a new one.",
        )
    click.echo(f"{path}: {verdict.events} events, chain whole, head {verdict.head}")
    if verdict.archived:
        click.echo(f"{verdict.archived} of them are not here and were read from {archive}")
    if verdict.expired:
        signed = "signed by a key that was given" if keys else "its signature not checked, for that takes --public-key"
        click.echo(f"{expired(path, single=True)}; tombstone: event {verdict.tombstone}, {signed}")
    if keys:
        click.echo(f"sealed up to event {verdict.signed}; {verdict.unsealed} unsealed events at the end")
