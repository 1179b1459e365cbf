"""The options that choose among recorded operations, declared once for every verb that takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from adapters.cli.call_error import CallError
from eventlog.history import OBSERVED, OWN, VERBS, Ended

if TYPE_CHECKING:
    from eventlog.audit.query import Query
    from eventlog.audit.times import Stretch

F = TypeVar("F", bound=Callable[..., Any])

WORKSPACE: Final = click.option(
    "-w",
    "--workspace",
    "workspaces",
    multiple=True,
    metavar="PATTERN",
    help="Of this workspace; `*` stands for any text. Repeatable.",
)
ACTOR: Final = click.option(
    "--actor",
    "actors",
    multiple=True,
    metavar="PATTERN",
    help="By this user, user@host, or Azure identity; `*` stands for any text. Repeatable.",
)
SINCE: Final = click.option("--since", metavar="TIME", help="From this time on: 2h, yesterday, 2026-11-22T10:30, …")
UNTIL: Final = click.option("--until", metavar="TIME", help="Up to this time; a day or a month means its end.")


def filter_options(function: F) -> F:
    """Every filter."""
    for option in (
        click.option("--correlation", metavar="ID", help="Of this invocation; the first characters are enough."),
        UNTIL,
        SINCE,
        click.option(
            "--outcome",
            "outcomes",
            multiple=True,
            type=click.Choice([end.value for end in Ended]),
            help="That ended so. Repeatable.",
        ),
        click.option(
            "--verb",
            "verbs",
            multiple=True,
            type=click.Choice([*VERBS.values(), *OBSERVED, *OWN.values()]),
            metavar="VERB",
            help="Of this kind. Repeatable.",
        ),
        ACTOR,
        WORKSPACE,
    ):
        function = option(function)
    return function


def range_options(function: F) -> F:
    """The filters that make sense for sums: whose, and when."""
    for option in (UNTIL, SINCE, ACTOR, WORKSPACE):
        function = option(function)
    return function


def limit_option(function: F) -> F:
    """``--limit``."""
    return click.option(
        "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest N operations."
    )(function)


def query_of(
    *,
    workspaces: tuple[str, ...] = (),
    actors: tuple[str, ...] = (),
    verbs: tuple[str, ...] = (),
    outcomes: tuple[str, ...] = (),
    since: str | None = None,
    until: str | None = None,
    correlation: str | None = None,
) -> Query:
    """The query that the options make. Raises CallError."""
    from eventlog.audit.query import Query

    if correlation == "":
        raise CallError("--correlation is empty; `audit --json` shows those there are")
    found = Query(
        workspaces=workspaces,
        actors=actors,
        verbs=verbs,
        outcomes=outcomes,
        since=None if since is None else moment(since, "--since").first,
        until=None if until is None else moment(until, "--until").after,
        correlation=correlation or "",
    )
    if found.since and found.until and found.since >= found.until:
        raise CallError(f"--since {since} is not before --until {until}")
    return found


def moment(text: str, option: str) -> Stretch:
    """What a time expression means now. Raises CallError."""
    from datetime import UTC, datetime

    from eventlog.audit.times import BadTimeError, parse

    try:
        return parse(text, datetime.now(UTC))
    except BadTimeError as error:
        raise CallError(f"{option}: {error}") from error
