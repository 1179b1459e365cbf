"""explain: why the last thing that failed did so, and what to do."""

from __future__ import annotations

import shutil
import sys

import click

from adapters.cli.audit.rows import print_json
from adapters.cli.audit.source import Source, from_option
from adapters.cli.audit.workspace import of_workspace
from adapters.cli.console import say


@click.command()
@click.argument("workspace")
@from_option
@click.option("--json", "as_json", is_flag=True, help="A JSON object.")
def explain(*, source: Source, workspace: str, as_json: bool) -> None:
    """Explain the last failure of WORKSPACE: cause, Azure's code, what was tried, what to do next."""
    from eventlog.audit.explain import explain as explained
    from eventlog.audit.explain import nothing_failed
    from eventlog.audit.operations import operations
    from eventlog.audit.walk import walk

    records = of_workspace(source, workspace)
    steps = list(walk(records, source.damage))
    if not steps:
        return  # nothing that is recorded of it can have happened, which is named as damage
    found_operations = operations(records)
    found = explained(workspace, steps, found_operations)
    if found is None:
        say(nothing_failed(workspace, steps[-1].after.state, found_operations))
    elif as_json:
        print_json([found])
    else:
        click.echo(_wrapped(found.paragraph))


def _wrapped(text: str) -> str:
    from textwrap import fill

    from eventlog.table import printable

    clean = printable(text)
    if not sys.stdout.isatty():
        return clean
    return fill(clean, min(100, shutil.get_terminal_size().columns), break_long_words=False, break_on_hyphens=False)
