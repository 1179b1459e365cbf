"""audit without a verb: the operations that match, as a table or as JSON lines; with ``--follow`` also new ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from adapters.cli.audit.filters import query_of
from adapters.cli.audit.follow import looks, while_read
from adapters.cli.audit.rows import print_json
from adapters.cli.audit.source import Source
from adapters.cli.console import say
from eventlog.audit.names import Names
from eventlog.audit.operations import Follower, Operation
from eventlog.audit.query import Query, chosen, newest
from eventlog.audit.stream import Stream
from eventlog.history import Ended
from statemachine.errors import LogDamagedError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eventlog import Record

LOOK_EVERY: Final = 0.2
"""Seconds between two looks at a log that is followed; a look at one that did not grow is one system call."""
LOOK_FAR_EVERY: Final = 5.0
"""The same where every look is a request."""


def show(source: Source, *, limit: int, as_json: bool, follow: bool, **filters: Any) -> None:
    """Print what the options ask for. Raises LogError, click.UsageError."""
    query = query_of(**filters)
    follower, reader, told, names = Follower(), source.reader(), 0, Names()
    of_chosen = replace(query, workspaces=())

    def fresh() -> Iterator[Record]:
        return names.chosen(source.records(reader), query)

    found, older = newest(follower, fresh(), of_chosen, limit)
    if found:
        _print(found, names, as_json=as_json)
    elif not follow and not reader.damage:
        say(nothing(source, query))
    if older and not as_json:
        say(f"{older} older ones are left out; --limit shows more")
    if follow:
        with while_read():
            for _ in looks(LOOK_FAR_EVERY if source.is_shared() else LOOK_EVERY):
                _print(chosen(follower.feed(fresh()), of_chosen), names, as_json=as_json, bare=True)
                told = _warn(reader.damage, told)


def _warn(damage: Sequence[LogDamagedError], told: int) -> int:
    """Name what was found wrong since the last time, for nobody knows when a watch ends."""
    for one in damage[told:]:
        say(f"warning: {one}")
    return len(damage)


def nothing(source: Source, query: Query) -> str:
    """A line for a query that nothing matches."""
    asked = str(query)
    return f"nothing in {source.name} matches: {asked}" if asked else f"nothing is recorded in {source.name}"


def _print(found: list[Operation], names: Names, *, as_json: bool, bare: bool = False) -> None:
    if not found:
        return
    if as_json:
        print_json([replace(one, name=names.of(one.stream)) for one in found])
        return
    _print_table(found, names.labels(one.stream for one in found), bare=bare)


def _print_table(found: list[Operation], names: dict[Stream, str], *, bare: bool) -> None:
    """A table; a bare one has no headings, for lines that follow it. On a narrow terminal, entries of a few lines."""
    from adapters.cli.audit.tables import clock, display, is_narrow, table, words
    from eventlog.table import duration

    if is_narrow():
        _print_entries(found, names)
        return
    made = table(("TIME (UTC)", "WORKSPACE", "WHO", "VERB", "TOOK", "OUTCOME", "DETAIL"), right=("TOOK",))
    made.show_header = not bare
    for one in found:
        made.add_row(
            clock(one.time),
            words(names[one.stream]),
            words(_who(one)),
            words(one.verb),
            duration(one.seconds),
            words(one.outcome),
            words(one.detail),
        )
    display(made)


def _who(one: Operation) -> str:
    """Who asked for it; of what nobody asked for, who found it."""
    return f"found by {one.who}" if one.outcome is Ended.SEEN else one.who


def _print_entries(found: list[Operation], names: dict[Stream, str]) -> None:
    from rich.text import Text

    from adapters.cli.audit.tables import clock, display, indented, words
    from eventlog.table import duration

    parts: list[RenderableType] = []
    for one in found:
        head = Text.assemble(
            (f"{clock(one.time)}  ", "dim"), words(one.verb, "bold"), "  ", words(names[one.stream], "")
        )
        head.append("  ").append_text(words(one.outcome)).append(f"  {duration(one.seconds)}", "dim")
        parts += [head, indented(words(_who(one), "dim"))]
        if one.detail:
            parts.append(indented(words(one.detail, "")))
    display(*parts)
