"""audit without a verb: operations that match, as a table or as JSON lines, once or for as long as somebody watches."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import click

from adapters.cli import audit_source as source
from adapters.cli.audit_filters import query_of
from eventlog.audit.operations import Follower, Operation
from eventlog.audit.query import Query, chosen, newest

if TYPE_CHECKING:
    from eventlog import Record

LOOK_EVERY: Final = 0.5
"""Seconds between two looks at a file that is followed."""
LOOK_FAR_EVERY: Final = 5.0
"""The same where every look is a request."""


def show(*, limit: int, as_json: bool, follow: bool, **filters: Any) -> None:
    """Print what the options ask for. Raises LogError, click.UsageError."""
    query = query_of(**filters)
    follower = Follower()
    last = 0

    def wanted(records: Iterable[Record]) -> Iterator[Record]:
        nonlocal last
        for record in records:
            last = record.seq
            if query.wants_workspace(record.subject):
                yield record

    found, older = newest(follower, wanted(source.records()), query, limit)
    if found:
        _print(found, as_json=as_json)
    elif not follow:
        click.echo(nothing(query), err=True)
    if older and not as_json:
        click.echo(f"{older} older ones are left out; --limit shows more", err=True)
    if follow:
        for _ in _changes():
            _print(chosen(follower.feed(wanted(source.records(since_seq=last))), query), as_json=as_json, bare=True)


def nothing(query: Query) -> str:
    """A line for a query that nothing matches."""
    asked = str(query)
    return f"nothing in {source.name()} matches: {asked}" if asked else f"nothing is recorded in {source.name()}"


def _changes() -> Iterator[None]:
    """Again whenever the log may have grown; ends when somebody interrupts."""
    path = source.path()
    before: object = None
    while True:
        now: object = object()
        if path is not None:
            try:
                status = path.stat()
                now = (status.st_ino, status.st_size)
            except OSError:
                now = None
        if now != before:
            before = now
            yield
        time.sleep(LOOK_FAR_EVERY if path is None else LOOK_EVERY)


def _print(found: list[Operation], *, as_json: bool, bare: bool = False) -> None:
    if not found:
        return
    if as_json:
        import msgspec

        for one in found:
            click.echo(msgspec.json.encode(one))
        return
    _print_table(found, bare=bare)


def _print_table(found: list[Operation], *, bare: bool) -> None:
    """A table; a bare one has no headings, for lines that follow it."""
    from adapters.cli.audit_tables import clock, display, table, words
    from eventlog.table import duration

    made = table(("TIME (UTC)", "WORKSPACE", "WHO", "VERB", "TOOK", "OUTCOME", "DETAIL"), right=("TOOK",))
    made.show_header = not bare
    for one in found:
        made.add_row(
            clock(one.time),
            words(one.workspace),
            words(one.who),
            words(one.verb),
            duration(one.seconds),
            words(one.outcome),
            words(one.detail),
        )
    display(made)
