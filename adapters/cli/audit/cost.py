"""audit cost: what the workspaces cost, by workspace, person, day or region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adapters.cli.audit.filters import query_of, range_options
from adapters.cli.audit.prices import chosen_prices, footnotes, price_options
from adapters.cli.audit.rows import print_json
from adapters.cli.audit.source import Source, from_option
from adapters.cli.call_error import CallError
from adapters.cli.console import say

if TYPE_CHECKING:
    from decimal import Decimal

    from rich.console import RenderableType
    from rich.text import Text

    from eventlog.audit.cost import Bill, Line
    from eventlog.audit.meter import Stretch
    from eventlog.audit.names import Names
    from eventlog.audit.query import Query


@click.command()
@from_option
@range_options
@click.option(
    "--by",
    default="workspace",
    show_default=True,
    metavar="WHAT[,WHAT]",
    help="What to sum by: workspace, actor, day, region, writer (with --from of many logs), or several of them.",
)
@price_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, amounts in full.")
def cost(*, source: Source, by: str, price_files: tuple[Path, ...], region: str, as_json: bool, **filters: Any) -> None:
    """Show what workspaces cost: metered seconds times vCPU and GB, at a price table."""
    from eventlog.audit.cost import bill
    from eventlog.audit.names import Names

    query = query_of(**filters)
    dimensions = _dimensions(by)
    prices = chosen_prices(price_files, region)
    names = Names()
    found = bill(stretches(source, query, names), prices, dimensions, since=query.since, until=query.until)
    if not found.lines:
        from adapters.cli.audit.listing import nothing

        if not source.damage:
            say(nothing(source, query))
        return
    if as_json:
        import msgspec

        print_json(found.lines, msgspec.json.Encoder(decimal_format="number").encode)
    else:
        _print(found, dimensions, names)
    for note in footnotes(found, prices):
        _note(note, err=as_json)


def stretches(source: Source, query: Query, names: Names) -> list[Stretch]:
    """What was metered for whom the query asks; its time range is for the sum to apply."""
    from datetime import UTC, datetime

    from eventlog.audit.meter import metered
    from eventlog.audit.walk import walk

    records = names.chosen(source.records(), query)
    return [
        stretch
        for stretch in metered(walk(records, source.damage), datetime.now(UTC))
        if query.wants_actor(stretch.actor.user, stretch.actor.host, stretch.actor.azure)
    ]


def _dimensions(by: str) -> tuple[str, ...]:
    from eventlog.audit.cost import DIMENSIONS

    wanted = tuple(dict.fromkeys(part.strip().lower() for part in by.split(",")))
    wrong = [part for part in wanted if part not in DIMENSIONS]
    if wrong:
        raise CallError(f"--by: {wrong[0]!r} is none of {', '.join(DIMENSIONS)}")
    return wanted


def _print(found: Bill, dimensions: tuple[str, ...], known: Names) -> None:
    from adapters.cli.audit.tables import display, filled, words
    from eventlog.audit.stream import Stream

    numbers = ("HOURS", "vCPU h", "GB h", found.total.currency, "IN DOUBT")
    headings = (*(part.upper() for part in dimensions), *numbers)
    names = known.labels(Stream(line.writer, line.workspace) for line in found.lines)
    rows = []
    for line in found.lines:
        cells = {part: getattr(line, part) for part in dimensions}
        if "workspace" in cells and "writer" not in cells:
            cells["workspace"] = names[Stream(line.writer, line.workspace)]
        rows.append([words(cell) for cell in (*cells.values(), *_numbers(line))])
    total = [words(cell, "bold") for cell in ("total", *[""] * (len(dimensions) - 1), *_numbers(found.total))]
    made = filled(headings, [*rows, total], right=numbers)
    if made is None:
        display(*_entries([*rows, total], found.total.currency))
        return
    made.rows[-2].end_section = True
    display(made)


def _entries(rows: Iterable[list[Text]], currency: str) -> Iterator[RenderableType]:
    """Whose it is, and its sums below, where a table would be torn apart."""
    from rich.text import Text

    from adapters.cli.audit.tables import indented

    units = ("hours", "vCPU h", "GB h", currency, "in doubt")
    for row in rows:
        names, sums = row[: -len(units)], row[-len(units) :]
        yield Text("  ").join(name for name in names if name.plain)
        yield indented(Text(", ".join(f"{one} {unit}" for one, unit in zip(sums, units, strict=True) if one.plain)))


def _note(text: str, *, err: bool) -> None:
    if err:
        say(text)
        return
    from adapters.cli.audit.tables import display, words

    display(words(text, ""))


def _numbers(line: Line) -> tuple[str, ...]:
    unpriced = " + ?" if line.unpriced_seconds else ""
    return (
        f"{line.seconds / 3600:.2f}" + ("*" if line.running else ""),
        f"{line.vcpu_seconds / 3600:.2f}",
        f"{line.gb_seconds / 3600:.2f}",
        _money(line.amount) + unpriced,
        _money(line.doubtful_amount) if line.doubtful_seconds else "",
    )


def _money(amount: Decimal) -> str:
    return "<0.01" if 0 < amount < 1 / 100 else f"{amount:.2f}"
