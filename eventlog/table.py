"""Rows as text: aligned columns for people, JSON lines for programs. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from eventlog.lines.record import signature

if TYPE_CHECKING:
    from eventlog.history import Row

HEADINGS: Final = ("TIME (UTC)", "WORKSPACE", "WHO", "VERB", "TOOK", "OUTCOME")
GAP: Final = "  "
LEAST: Final = 20
"""Columns the last field keeps on a terminal, however narrow."""
_MARK: Final = "…"
_NO_NAMES: Final[Mapping[str, str]] = MappingProxyType({})


def table(rows: Iterable[Row], *, width: int | None, names: Mapping[str, str] = _NO_NAMES) -> str:
    """Aligned columns with a heading; ``names`` has what to call workspaces in the place of their subjects.

    ``width`` (None: no limit) shortens the last column; where that is not enough, who somebody is in Azure is left out.
    """
    found = list(rows)
    cells = [HEADINGS, *(_cells(row, names) for row in found)]
    if width is not None and sum(_widths(cells)) + LEAST > width:
        cells = [HEADINGS, *(_cells(row, names, azure=False) for row in found)]
    widths = _widths(cells)
    room = None if width is None else max(LEAST, width - sum(widths))
    return "\n".join(_line(line, widths, room) for line in cells)


def json_lines(rows: Iterable[Row]) -> Iterator[bytes]:
    """One JSON object for each row, without newlines, in UTC, nothing shortened."""
    for row in rows:
        yield json_line(msgspec.json.encode(row))


def columns(text: str) -> int:
    """Columns a text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def printable(text: str) -> str:
    """A text on one line, with nothing in it that a terminal obeys: messages come from elsewhere."""
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "�" for sign in text)


def json_line(encoded: bytes) -> bytes:
    """The same JSON, on one line also for readers that know other line ends, and with no order to a terminal in it."""
    text = encoded.decode()
    if text.isprintable():
        return encoded
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text).encode()


def _escaped(sign: str) -> str:
    units = sign.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    """Of every column but the last, with the gap behind it."""
    return [max(columns(line[i]) for line in cells) + len(GAP) for i in range(len(HEADINGS) - 1)]


def _line(cells: Sequence[str], widths: Sequence[int], room: int | None) -> str:
    padded = [cell + " " * (width - columns(cell)) for cell, width in zip(cells, widths, strict=False)]
    return "".join([*padded, _shortened(cells[-1], room)]).rstrip()


def _shortened(text: str, room: int | None) -> str:
    if room is None:
        return text
    taken = cut = 0
    for at, sign in enumerate(text, 1):
        taken += columns(sign)
        if taken < room:
            cut = at
        elif taken > room:
            return text[:cut] + _MARK
    return text


def _cells(row: Row, names: Mapping[str, str], *, azure: bool = True) -> tuple[str, ...]:
    actor = row.actor
    return tuple(
        printable(text)
        for text in (
            f"{row.time:%Y-%m-%d %H:%M:%S}",
            names.get(row.subject, row.subject),
            signature(actor.user, actor.host, actor.azure if azure else ""),
            row.verb,
            duration(row.seconds),
            row.outcome,
        )
    )


def duration(seconds: float | None) -> str:
    """Seconds as people write them; empty for None."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
