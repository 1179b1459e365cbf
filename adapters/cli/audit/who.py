"""audit who: who started and stopped a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from adapters.cli.audit.rows import print_json
from adapters.cli.audit.source import Source, from_option
from adapters.cli.audit.workspace import of_workspace

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eventlog.audit.operations import Operation
    from eventlog.audit.who import Hand, Run


@click.command()
@click.argument("workspace")
@from_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: each time it was up.")
def who(*, source: Source, workspace: str, as_json: bool) -> None:
    """Show who started and stopped WORKSPACE, and who else worked with it."""
    from eventlog.audit.operations import operations
    from eventlog.audit.walk import walk
    from eventlog.audit.who import runs

    records = of_workspace(source, workspace)
    found = runs(walk(records, source.damage))
    if as_json:
        print_json(found)
        return
    _print_runs(workspace, found)
    _print_people(operations(records))


def _print_runs(workspace: str, found: list[Run]) -> None:
    from adapters.cli.audit.tables import clock, display, is_narrow, table, words
    from eventlog.table import duration, printable

    if not found:
        click.echo(f"workspace {printable(workspace)} never ran")
        return
    if is_narrow():
        _print_entries(found)
        return
    made = table(("STARTED (UTC)", "BY", "HOW", "STOPPED (UTC)", "BY", "HOW", "LASTED"), right=("LASTED",))
    for run in found:
        ended = run.ended
        made.add_row(
            clock(run.began),
            words(run.by.who),
            words(_how(run.by)),
            clock(run.until) if run.until else words("running", "green"),
            words(ended.who) if ended else "",
            words(_how(ended)) if ended else "",
            duration(run.seconds),
        )
    display(made)


def _print_entries(found: list[Run]) -> None:
    from rich.text import Text

    from adapters.cli.audit.tables import clock, display, indented, words
    from eventlog.table import duration

    parts: list[RenderableType] = []
    for run in found:
        parts.append(Text.assemble(f"{clock(run.began)}  ", words(_how(run.by), "bold")))
        parts.append(indented(words(run.by.who, "")))
        if run.ended is None or run.until is None:
            parts.append(Text("still running", "green"))
        else:
            lasted = f"  after {duration(run.seconds)}"
            parts.append(Text.assemble(f"{clock(run.until)}  ", words(_how(run.ended), "bold"), (lasted, "dim")))
            parts.append(indented(words(run.ended.who, "")))
        parts.append("")
    display(*parts[:-1])


def _how(hand: Hand) -> str:
    return hand.how + (f": {hand.note}" if hand.note else "")


def _print_people(operations: list[Operation]) -> None:
    """What each person asked for, and how often."""
    from adapters.cli.audit.tables import clock, display, indented, is_narrow, table, words
    from eventlog.audit.people import People
    from eventlog.history import VERBS, Ended

    counted = People()
    for one in operations:
        if one.outcome is not Ended.SEEN:
            counted.add(one)
    people = counted.all({})
    if not people:
        return
    click.echo()
    if is_narrow():
        for person in people:
            did = [f"{count} {verb}" for verb, count in person.verbs.items()]
            did += [f"{person.failures} FAILED"] if person.failures else []
            where = f"from {', '.join(person.accounts)}, last {clock(person.last)}"
            display(words(person.name, "bold"), indented(words(", ".join(did), "")), indented(words(where, "dim")))
        return
    verbs = [verb for verb in VERBS.values() if any(verb in one.verbs for one in people)]
    numbers = (*(verb.upper() for verb in verbs), "FAILED")
    made = table(("WHO", "FROM", *numbers, "LAST (UTC)"), right=numbers)
    for person in people:
        counts = (str(person.verbs.get(verb) or "") for verb in verbs)
        who, accounts = words(person.name), words(", ".join(person.accounts))
        made.add_row(who, accounts, *counts, str(person.failures or ""), clock(person.last))
    display(made)
