"""The page around the charts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from adapters.report.charts import MOST_WORKSPACES, NAME_MOST, cost_colours, drawings
from adapters.report.svg import fitting
from eventlog.audit.bars import most_at_once
from eventlog.audit.catalogue import entry_for
from eventlog.audit.operations import Operation
from eventlog.audit.summary import Summary
from eventlog.history import VERBS
from eventlog.table import duration
from eventlog.verify import Verdict
from statemachine.states import State

MOST_FAILURES: Final = 20
"""Told one by one; above a few, failures are also summed up by their code."""
MOST_LINES: Final = 25
"""Lines of a table: a page is for reading, and `audit` has the rest."""
FEW: Final = 3
TEXT_MOST: Final = 2000
"""Characters of a text; Azure's longest messages are shorter, and `audit --json` has whatever is not."""

_WORDS: Final = re.compile(r"[A-Z]+[^A-Z]*|[^A-Z]+")

LEGEND: Final = (
    State.RUNNING,
    State.PROVISIONING,
    State.STARTING,
    State.STOPPING,
    State.STOPPED,
    State.DELETING,
    State.FAILED,
)


class Seal(NamedTuple):
    """What checking the hash chain found."""

    verdict: str
    """``good`` or ``bad``."""
    headline: str
    details: tuple[str, ...]


class Frame(NamedTuple):
    """What the page says about itself."""

    source: str
    made: datetime
    version: str
    notes: Sequence[str]


class Cause(NamedTuple):
    """Failures that have one cause."""

    code: str
    times: int
    workspaces: tuple[str, ...]
    last: datetime
    remedy: str


def seal_of(verdict: Verdict, *, signed: bool = False) -> Seal:
    """What was found of one log; ``signed``: its checkpoints were held against keys."""
    if not verdict.ok and not verdict.torn:
        detail = f"{verdict.reason}; {verdict.events} lines before it are whole"
        return Seal("bad", f"Chain broken at line {verdict.line}", (detail,))
    details = [verdict.reason] if verdict.torn else [f"head {verdict.head}"]
    if signed:
        details.append(f"signed up to event {verdict.signed}, {verdict.unsealed} unsigned at the end")
    return Seal("good", f"Chain whole: {verdict.events:,} events", tuple(details))


def seal_of_many(logs: Iterable[tuple[str, int, str]]) -> Seal:
    """What was found of many logs: the name of each, its whole events, and what is wrong behind them."""
    found = list(logs)
    events = sum(count for _, count, _ in found)
    bad = [f"{name}, event {count + 1}: {wrong}" for name, count, wrong in found if wrong]
    if bad:
        return Seal("bad", f"{len(bad)} of {len(found)} chains broken", tuple(bad))
    return Seal("good", f"All {len(found)} chains whole: {events:,} events", ())


def render(summary: Summary, seal: Seal, frame: Frame) -> str:
    """The report: one HTML page that loads nothing."""
    environment = Environment(
        loader=PackageLoader("adapters.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # What comes from the log may hold anything, control characters included, and a megabyte of it.
        finalize=lambda value: fitting(value, TEXT_MOST) if type(value) is str else value,
    )
    environment.filters |= {"clock": clock, "money": money, "hours": hours, "took": duration, "entry": _entry}
    environment.filters["breakable"] = breakable
    states = {bar.state for bars in summary.bars.values() for bar in bars}
    people = sorted(summary.people, key=lambda one: (-one.cost.amount, one.name))
    verbs = [verb for verb in VERBS.values() if any(verb in one.verbs for one in people)]
    return environment.get_template(
        "report.html"
    ).render(
        summary=summary,
        seal=seal,
        frame=frame,
        legend=[state for state in LEGEND if state in states],
        charts={name: [Markup(svg) for svg in shapes] for name, shapes in drawings(summary).items()},  # noqa: S704  # pygal escapes what it draws
        colours=cost_colours(summary),
        most_workspaces=MOST_WORKSPACES,
        most=MOST_LINES,
        at_once=most_at_once(bar for bars in summary.bars.values() for bar in bars),
        people=people,
        verbs=verbs,
        causes=causes(summary.failures),
        few=FEW,
        failures=summary.failures[:MOST_FAILURES],
        style=Markup(environment.get_template("report.css").render()),  # noqa: S704  # ours
    )


def causes(failures: Iterable[Operation]) -> list[Cause]:
    """Failures by code, the most frequent first; they come newest first."""
    groups: dict[tuple[str, str], list[Operation]] = {}
    for one in failures:
        groups.setdefault((one.code or one.error, one.error), []).append(one)
    found = [
        Cause(code, len(group), tuple(sorted({one.workspace for one in group})), group[0].time, _entry(group[0]))
        for (code, _), group in groups.items()
    ]
    return sorted(found, key=lambda cause: -cause.times)


def clock(moment: datetime) -> str:
    """A time to the minute; the page says that it is UTC."""
    return f"{moment:%Y-%m-%d %H:%M}"


def money(amount: Decimal) -> str:
    """An amount to the cent."""
    return "<0.01" if 0 < amount < Decimal("0.01") else f"{amount:,.2f}"


def hours(seconds: float) -> str:
    """Seconds as hours."""
    return f"{seconds / 3600:,.1f}"


def breakable(code: str) -> Markup:
    """A code of several words in one, to be broken between them where it has to be."""
    return Markup("<wbr>").join(_WORDS.findall(fitting(code, NAME_MOST)))


def _entry(one: Operation) -> str:
    """What to do about a failure, from the catalogue."""
    entry = entry_for(one.code, one.error, one.detail)
    return entry.remedy if entry else ""
