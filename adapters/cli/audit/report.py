"""audit report: what happened, as one HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adapters.cli.audit.filters import query_of, range_options
from adapters.cli.audit.output import output as written
from adapters.cli.audit.prices import chosen_prices, footnotes, price_options
from adapters.cli.audit.source import Reader, Source, from_option
from adapters.cli.call_error import CallError
from adapters.cli.expired import expired
from adapters.cli.key_option import PUBLIC_KEYS, verified
from statemachine.errors import UnsupportedError

if TYPE_CHECKING:
    from adapters.report.page import Seal


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="report.html",
    show_default=True,
    help="The file to write.",
)
@from_option
@range_options
@price_options
@PUBLIC_KEYS
def report(
    *,
    source: Source,
    output: Path,
    price_files: tuple[Path, ...],
    region: str,
    keys: tuple[Path, ...],
    **filters: Any,
) -> None:
    """Write a report: workspaces over time, cost by day, people, failures, and whether the log is whole."""
    from datetime import UTC, datetime

    try:
        from adapters.report.page import Frame, render
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            f"audit report needs the package {error.name}, which is not installed",
            remedy="Install this program with its extra: `uv tool install '.[audit]'` in its checkout.",
        ) from error
    from adapters.devpod.manifest import installed_version
    from eventlog.audit.summary import summarise

    query = query_of(**filters)
    prices = chosen_prices(price_files, region)
    now = datetime.now(UTC)
    reader = source.reader()
    summary = summarise(source.records(reader), query, prices, now, source.damage)
    if not summary.lives:
        from adapters.cli.audit.listing import nothing

        raise CallError(nothing(source, query))
    notes = footnotes(summary.by_workspace, prices)
    missing = "" if source.is_shared() else expired(source.path, single=source.chosen is not None)
    if missing:
        notes = [f"{missing[:1].upper()}{missing[1:]}.", *notes]
    page = render(summary, _seal(source, reader, keys), Frame(source.name, now, installed_version(), notes))
    data = page.encode()
    with written(output, *filter(None, [source.path])) as file:
        file.write(data)
    size = len(data) / 1024
    click.echo(f"{output}: {len(summary.lives)} workspaces, {len(summary.failures)} failures, {size:.0f} KiB")


def _seal(source: Source, reader: Reader, keys: tuple[Path, ...]) -> Seal:
    """What checking found of the chain, or of everybody's."""
    from adapters.report.page import seal_of, seal_of_many

    path = source.path
    if path is None or source.is_shared():
        if keys:
            raise CallError("--public-key goes with one log here; `audit writers` checks who signed those of many")
        return seal_of_many(reader.logs)
    return seal_of(verified(path, keys), signed=bool(keys))
