"""Tables for people, with rich. Imported by the verbs that print one, when they do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import StringIO
from typing import Final, TextIO

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventlog.table import printable

WIDE: Final = 10_000
"""Columns where nobody looks: what reads a pipe wants whole values."""

STYLES: Final = {
    "ok": "green",
    "failed": "bold red",
    "open": "yellow",
    "abandoned": "yellow",
    "seen": "cyan",
    "running": "green",
    "stopped": "dim",
    "absent": "dim",
    "starting": "yellow",
    "stopping": "yellow",
    "provisioning": "yellow",
    "deleting": "yellow",
}
"""Colours of the words that say how something stands."""


def display(*parts: Table | Text) -> None:
    """Print: as wide as the terminal, without colour or limit where there is none."""
    if sys.stdout.isatty():
        _console(sys.stdout, shutil.get_terminal_size((160, 24)).columns).print(*parts, sep="\n")
        return
    text = StringIO()
    _console(text, WIDE).print(*parts, sep="\n")
    click.echo("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def _console(file: TextIO, width: int) -> Console:
    return Console(file=file, width=width, highlight=False, markup=False)


def table(headings: Sequence[str], *, right: Iterable[str] = ()) -> Table:
    """An empty table; the columns named in ``right`` hold numbers."""
    numbers = set(right)
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(
            heading,
            justify="right" if heading in numbers else "left",
            no_wrap=heading in numbers,
            overflow="fold",
        )
    return made


def words(text: str, style: str | None = None) -> Text:
    """A cell: what came from elsewhere is never obeyed, neither by rich nor by the terminal."""
    clean = printable(text)
    return Text(clean, style=STYLES.get(clean, "") if style is None else style)


def clock(moment: datetime) -> str:
    """A time to the second; the heading says that it is UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"
