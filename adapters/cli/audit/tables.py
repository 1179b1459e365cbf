"""Tables for people, with rich. Imported by the verbs that print one, when they do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import StringIO
from typing import Final, Literal, TextIO

import click
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from eventlog.table import printable

WIDE: Final = 10_000
"""Columns where nobody looks: what reads a pipe wants whole values."""
NARROW: Final = 130
"""A terminal with fewer columns gets an entry of some lines rather than a row whose cells are torn apart."""
INDENT: Final = 7
LEAST: Final = 24
"""Columns that the widest column of a table keeps."""
_RULE: Final = "─"

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


def display(*parts: RenderableType) -> None:
    """Print: as wide as the terminal, without colour or limit where there is none; https://no-color.org."""
    text = StringIO()
    if sys.stdout.isatty():
        colours: Literal["auto"] | None = None if os.environ.get("NO_COLOR") else "auto"
        _console(text, columns(), force_terminal=True, colours=colours).print(*parts, sep="\n")
    else:
        _console(text, WIDE, force_terminal=False, colours=None).print(*parts, sep="\n")
    click.echo(_ruled("\n".join(line.rstrip() for line in text.getvalue().splitlines())))


def _ruled(text: str) -> str:
    """The text with rules of hyphens where what reads it has no others: a row of question marks says nothing."""
    try:
        _RULE.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return text.replace(_RULE, "-")
    return text


def columns() -> int:
    """How wide what is printed may be."""
    return shutil.get_terminal_size((160, 24)).columns if sys.stdout.isatty() else WIDE


def is_narrow() -> bool:
    """Whether a table of many columns would be torn apart."""
    return columns() < NARROW


def indented(text: Text) -> Padding:
    """A text under the head of its entry."""
    return Padding(text, (0, 0, 0, INDENT), expand=False)


def labelled(label: str, style: str, text: Text) -> Padding:
    """A text with a word before it, under the head of its entry."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=8, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(label, style), text)
    return Padding(grid, (0, 0, 0, INDENT), expand=False)


def _console(file: TextIO, width: int, *, force_terminal: bool, colours: Literal["auto"] | None) -> Console:
    return Console(
        file=file, width=width, highlight=False, markup=False, force_terminal=force_terminal, color_system=colours
    )


def table(headings: Sequence[str], *, right: Iterable[str] = ()) -> Table:
    """An empty table; the columns named in ``right`` hold numbers."""
    numbers = set(right)
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for heading in headings:
        made.add_column(
            printable(heading),
            justify="right" if heading in numbers else "left",
            no_wrap=heading in numbers,
            overflow="fold",
        )
    return made


def filled(headings: Sequence[str], rows: Sequence[Sequence[Text]], *, right: Iterable[str] = ()) -> Table | None:
    """A table with its rows; None where the terminal is too narrow for it.

    Only the widest column is ever wrapped, and keeps LEAST columns and its longest word.
    """
    made = table(headings, right=right)
    cells = [[words(heading, ""), *(row[at] for row in rows)] for at, heading in enumerate(headings)]
    widths = [max(cell.cell_len for cell in column) for column in cells]
    widest = max(range(len(widths)), key=lambda at: (not made.columns[at].no_wrap, widths[at]))
    word = max((cell_len(word) for cell in cells[widest] for word in cell.plain.split()), default=0)
    gaps = 3 * (len(headings) - 1)
    if sum(widths) - widths[widest] + min(widths[widest], max(LEAST, word)) + gaps > columns():
        return None
    for at, column in enumerate(made.columns):
        column.no_wrap = at != widest
    for row in rows:
        made.add_row(*row)
    return made


def blocks(headings: Sequence[str], rows: Iterable[Sequence[Text]]) -> list[RenderableType]:
    """The same where a table has no room: a line for each cell that holds something, an empty one between rows."""
    parts: list[RenderableType] = []
    for row in rows:
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for heading, cell in zip(headings, row, strict=True):
            if cell.plain:
                grid.add_row(words(heading, "bold"), cell)
        parts += [grid, ""]
    return parts[:-1]


def words(text: str, style: str | None = None) -> Text:
    """A cell: what came from elsewhere is never obeyed, neither by rich nor by the terminal."""
    clean = printable(text)
    return Text(clean, style=STYLES.get(clean, "") if style is None else style)


def clock(moment: datetime) -> str:
    """A time to the second; the heading says that it is UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S}"
