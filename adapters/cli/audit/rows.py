"""Answers as JSON lines for programs; rows of a query also as a table for people, whatever types its columns have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import click


def print_json(values: Iterable[object], encode: Callable[[object], bytes] | None = None) -> None:
    """Print each value as one line of JSON with no order to a terminal in it; ``encode`` is msgspec's unless given."""
    import msgspec

    from eventlog.table import json_line

    for value in values:
        click.echo(json_line((encode or msgspec.json.encode)(value)))


def print_rows(columns: list[str], rows: Iterator[tuple[object, ...]], *, as_json: bool) -> None:
    """Print all rows, each value below the column it belongs to."""
    (_print_json if as_json else _print_table)(columns, rows)


def _print_json(columns: list[str], rows: Iterator[tuple[object, ...]]) -> None:
    import msgspec

    names = _distinct(columns)
    objects = (dict(zip(names, map(_zoned, row), strict=True)) for row in rows)
    print_json(objects, msgspec.json.Encoder(enc_hook=str).encode)


def _distinct(columns: list[str]) -> list[str]:
    """Names that an object can have at once, as DuckDB makes them for a table: ``seq``, ``seq_1``."""
    found: list[str] = []
    for name in columns:
        ways = (name, *(f"{name}_{number}" for number in range(1, len(columns) + 1)))
        found.append(next(way for way in ways if way not in found and (way == name or way not in columns)))
    return found


def _print_table(columns: list[str], rows: Iterator[tuple[object, ...]]) -> None:
    from adapters.cli.audit.tables import blocks, display, filled, words

    found = list(rows)
    numbers = [
        name
        for at, name in enumerate(columns)
        if found and all(isinstance(row[at], int | float | None) for row in found)
    ]
    cells = [[words(_cell(value), "") for value in row] for row in found]
    made = filled(columns, cells, right=numbers)
    display(*(blocks(columns, cells) if made is None else [made]))


def _cell(value: object) -> str:
    from datetime import datetime

    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, dict | list):
        import msgspec

        return msgspec.json.encode(value, enc_hook=str).decode()
    return "" if value is None else str(value)


def _zoned(value: object) -> object:
    """Times in the log are UTC, which DuckDB's plain timestamps do not say."""
    from datetime import UTC, datetime

    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value
