"""audit who: who started and stopped a workspace."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import click

from adapters.cli import audit_source as source

if TYPE_CHECKING:
    from eventlog.audit.operations import Operation
    from eventlog.audit.who import Run


@click.command()
@click.argument("workspace")
@source.from_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: each time it was up.")
def who(*, workspace: str, as_json: bool) -> None:
    """Show who started and stopped WORKSPACE, and who else worked with it."""
    from eventlog.audit.operations import operations
    from eventlog.audit.walk import walk
    from eventlog.audit.who import runs

    records = source.of_workspace(workspace)
    found = runs(walk(records))
    if as_json:
        import msgspec

        for run in found:
            click.echo(msgspec.json.encode(run))
        return
    _print_runs(workspace, found)
    _print_people(operations(records))


def _print_runs(workspace: str, found: list[Run]) -> None:
    from adapters.cli.audit_tables import clock, display, table, words
    from eventlog.table import duration

    if not found:
        click.echo(f"workspace {workspace} never ran")
        return
    made = table(("STARTED (UTC)", "BY", "HOW", "STOPPED (UTC)", "BY", "HOW", "LASTED"), right=("LASTED",))
    for run in found:
        ended = run.ended
        made.add_row(
            clock(run.began),
            words(run.by.who),
            words(run.by.how),
            clock(run.until) if run.until else words("running", "green"),
            words(ended.who) if ended else "",
            words(ended.how + (f": {ended.note}" if ended.note else "")) if ended else "",
            duration(run.seconds),
        )
    display(made)


def _print_people(operations: list[Operation]) -> None:
    """What each person asked for, and how often."""
    from adapters.cli.audit_tables import clock, display, table, words
    from eventlog.history import VERBS, Ended

    asked = [one for one in operations if one.outcome is not Ended.SEEN]
    verbs = [verb for verb in VERBS.values() if any(one.verb == verb for one in asked)]
    people: dict[str, list[Operation]] = {}
    for one in asked:
        people.setdefault(one.who, []).append(one)
    if not people:
        return
    made = table(
        ("WHO", *(verb.upper() for verb in verbs), "FAILED", "LAST (UTC)"),
        right=("FAILED", *(v.upper() for v in verbs)),
    )
    for name in sorted(people):
        theirs = people[name]
        counts = Counter(one.verb for one in theirs)
        failed = sum(one.outcome is Ended.FAILED for one in theirs)
        made.add_row(
            words(name), *(str(counts[verb] or "") for verb in verbs), str(failed or ""), clock(theirs[-1].time)
        )
    click.echo()
    display(made)
