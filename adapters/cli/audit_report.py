"""audit report: what happened, as one HTML page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adapters.cli import audit_source as source
from adapters.cli.audit_filters import CallError, query_of, range_options
from adapters.cli.audit_prices import chosen_prices, footnotes, price_options
from statemachine.errors import UnsupportedError

if TYPE_CHECKING:
    from eventlog import Verdict


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="report.html",
    show_default=True,
    help="The file to write.",
)
@source.from_option
@range_options
@price_options
def report(*, output: Path, price_files: tuple[Path, ...], region: str, **filters: Any) -> None:
    """Write a report: workspaces over time, cost by day, failures, and whether the log is whole."""
    from datetime import UTC, datetime

    with _extra("audit report"):
        from adapters.report.page import Frame, render
    from eventlog.audit.summary import summarise

    query = query_of(**filters)
    prices = chosen_prices(price_files, region)
    now = datetime.now(UTC)
    verdict = _verdict()
    summary = summarise(source.records(), query, prices, now)
    if not summary.lives:
        from adapters.cli.audit_list import nothing

        raise CallError(nothing(query))
    notes = footnotes(summary.by_workspace, prices)
    page = render(summary, verdict, Frame(source.name(), now, _version(), notes))
    _write(output, page)
    size = len(page.encode()) / 1024
    click.echo(f"{output}: {len(summary.lives)} workspaces, {len(summary.failures)} failures, {size:.0f} KiB")
    if verdict is not None and not verdict.ok and not verdict.torn:
        click.echo(f"warning: the chain is broken at line {verdict.line}; the report says so too", err=True)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("devpod-provider-aci")
    except PackageNotFoundError:
        return "(not installed)"


def _verdict() -> Verdict | None:
    """The state of the hash chain, where the records are in a file."""
    from eventlog import verify

    path = source.path()
    return None if path is None else verify(path)


def _write(output: Path, page: str) -> None:
    """Put the page where it belongs in one step: a reader never finds half of one, and it is nobody else's to read."""
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        try:
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(page)
            draft.replace(output)
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
    except OSError as error:
        raise CallError(f"--output: {output} cannot be written: {error.strerror}") from error


@contextmanager
def _extra(verb: str) -> Iterator[None]:
    """Say what to install when a package that only this verb needs is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UnsupportedError(
            f"{verb} needs the package {error.name}, which is not installed",
            remedy="Install this program with its extra: `pip install 'devpod-provider-aci[audit]'`.",
        ) from error
