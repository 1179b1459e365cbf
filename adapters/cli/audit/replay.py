"""replay: a workspace's history step by step, or the difference between two points."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click

from adapters.cli.audit.filters import moment
from adapters.cli.audit.rows import print_json
from adapters.cli.audit.source import Source, from_option
from adapters.cli.audit.workspace import of_workspace
from adapters.cli.call_error import CallError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from eventlog.audit.diff import Diff, Point
    from eventlog.audit.replay import Moment
    from eventlog.audit.walk import Step


_SEQ: Final = re.compile(r"[0-9]{1,18}")


@click.command()
@click.argument("workspace", required=False)
@click.option("--at", metavar="TIME", help="Up to this time.")
@click.option("--until", metavar="SEQ", type=click.IntRange(min=1), help="Up to this event of the log.")
@click.option("--step", is_flag=True, help="Wait for Enter after every event; q ends.")
@click.option(
    "--diff",
    "points",
    nargs=2,
    metavar="A B",
    help="Compare two points instead: SEQ or TIME of WORKSPACE, or another workspace's: NAME, NAME@SEQ, NAME@TIME.",
)
@from_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def replay(
    *,
    source: Source,
    workspace: str | None,
    at: str | None,
    until: int | None,
    step: bool,
    points: tuple[str, str] | None,
    as_json: bool,
) -> None:
    """Replay WORKSPACE: the state after each event, what was asked of Azure, what it answered, where it drifted."""
    if points:
        if at is not None or until or step:
            raise CallError("--diff names its points itself: leave out --at, --until and --step")
        _show_diff(source, workspace, points, as_json=as_json)
    elif workspace is None:
        raise CallError("replay needs a WORKSPACE; `devpod-provider-aci audit` lists them")
    else:
        when = None if at is None else moment(at, "--at").after
        _show_replay(source, workspace, when, until, step=step, as_json=as_json)


def _show_replay(
    source: Source, workspace: str, when: datetime | None, until: int | None, *, step: bool, as_json: bool
) -> None:
    from eventlog.audit.replay import facts_of, moments, up_to
    from eventlog.audit.walk import walk

    last, early = None, when is not None or until is not None
    for one, after in moments(up_to(walk(of_workspace(source, workspace), source.damage), seq=until, moment=when)):
        if step and last is not None and not _go_on():
            early = True
            break
        last = after
        if as_json:
            print_json([one])
        else:
            _print_moment(one)
    if last is None:
        raise CallError(f"nothing had happened to workspace {workspace} by then")
    if not as_json:
        from adapters.cli.audit.tables import display, table, words

        made = table(("", f"{workspace} THEN" if early else f"{workspace} IN THE END"))
        for name, value in facts_of(last).items():
            made.add_row(words(name, "dim"), words(value))
        display(made)


def _go_on() -> bool:
    """Whether whoever watches wants the next event."""
    print("Enter: next event, q: end ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if sys.stdin.isatty() and sys.stderr.isatty() and answer and os.environ.get("TERM") != "dumb":
        # The terminal has gone to the next line: the question is not part of what is told.
        print("\x1b[1A\r\x1b[K", end="", file=sys.stderr, flush=True)
    else:
        print(file=sys.stderr)
    return bool(answer) and answer.strip().lower() not in ("q", "quit")


def _print_moment(one: Moment) -> None:
    from rich.text import Text

    from adapters.cli.audit.tables import STYLES, clock, display, indented, labelled, words
    from eventlog.lines.record import signature
    from eventlog.table import duration

    gap = "" if one.seconds is None else f"  +{duration(one.seconds)}" if one.seconds >= 0 else "  clock stepped back"
    who = signature(one.user, one.host, one.azure)
    head = Text.assemble((f"{one.seq:>5}  ", "dim"), words(one.type, "bold"), "  ")
    if one.was is not None:
        head.append(f"{one.was} -> ")
    head.append(one.state, STYLES.get(one.state, "bold red" if one.state == "failed" else ""))
    lines: list[RenderableType] = [head, indented(words(f"{clock(one.time)} UTC{gap}  by {who}", "dim"))]
    told = one.words
    for mark, text, style in (
        ("asked", told.asked, "blue"),
        ("answered", told.answered, "red" if told.code else "green"),
        ("drifted", told.drifted, "magenta"),
    ):
        if text:
            lines.append(labelled(mark, style, words(text, "")))
    numbers = [f"HTTP {told.http_status}"] if told.http_status else []
    numbers += [f"request id {told.request_id}"] if told.request_id else []
    if numbers:
        lines.append(labelled("", "", words(", ".join(numbers), "dim")))
    display(*lines, "")


def _show_diff(source: Source, workspace: str | None, points: tuple[str, str], *, as_json: bool) -> None:
    from eventlog.audit.diff import diff

    left, right = (_point(text, workspace) for text in points)
    found = diff(left, list(_steps(source, left)), right, list(_steps(source, right)))
    if as_json:
        print_json([found])
        return
    _print_diff(found)


def _print_diff(found: Diff) -> None:
    from rich.text import Text

    from adapters.cli.audit.tables import display, indented, is_narrow, table, words
    from eventlog.table import printable

    if not found.facts and not found.turns:
        click.echo(printable(f"{found.left} and {found.right} are the same"))
        return
    if is_narrow():
        display(Text.assemble(words(f"- {found.left}", "red"), "\n", words(f"+ {found.right}", "green")))
        for one in found.facts:
            display(words(one.name, "bold"), *_sides(((one.left,), (one.right,))))
    else:
        made = table(("", found.left, found.right))
        for one in found.facts:
            made.add_row(words(one.name, "dim"), words(one.left), words(one.right))
        display(made)
    if not found.turns:
        return
    click.echo(f"\nEvents in common before the ways part: {found.same}")
    if is_narrow():
        for turn in found.turns:
            display(*_sides((turn.left, turn.right)), indented(Text("…", "dim")))
        return
    made = table((found.left, found.right))
    for turn in found.turns:
        for row in range(max(len(turn.left), len(turn.right))):
            made.add_row(*(words(side[row]) if row < len(side) else "" for side in (turn.left, turn.right)))
        made.add_section()
    display(made)


def _sides(sides: tuple[tuple[str, ...], tuple[str, ...]]) -> list[RenderableType]:
    """What is on either side, below each other."""
    from adapters.cli.audit.tables import indented, words

    marks = (("- ", "red"), ("+ ", "green"))
    return [
        indented(words(f"{mark}{text}", style))
        for (mark, style), side in zip(marks, sides, strict=True)
        for text in side
        if text
    ]


def _point(text: str, workspace: str | None) -> Point:
    from eventlog.audit.diff import Point, read_point

    try:
        name, place = read_point(text, workspace)
    except ValueError as error:
        raise CallError(f"--diff: {error}") from error
    if not place:
        return Point(name)
    if _SEQ.fullmatch(place):
        return Point(name, seq=int(place))
    return Point(name, time=moment(place, "--diff").after)


def _steps(source: Source, point: Point) -> Iterator[Step]:
    from eventlog.audit.walk import walk

    return walk(of_workspace(source, point.workspace), source.damage)
