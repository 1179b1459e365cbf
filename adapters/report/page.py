"""The page around the charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from adapters.report.charts import MOST_WORKSPACES, cost_colours, drawings
from eventlog.audit.catalogue import entry_for
from eventlog.audit.operations import Operation
from eventlog.audit.summary import Summary
from eventlog.table import duration, printable
from eventlog.verify import Verdict
from statemachine.states import State

MOST_FAILURES: Final = 100

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
    """``good``, ``bad``, or ``unknown``: it could not be checked here."""
    headline: str
    detail: str


class Frame(NamedTuple):
    """What the page says about itself."""

    source: str
    made: datetime
    version: str
    notes: Sequence[str]


def seal_of(verdict: Verdict | None) -> Seal:
    """The verdict in words."""
    if verdict is None:
        return Seal(
            "unknown", "Chain not checked", "These records were not read from a file: verify them where they are."
        )
    if verdict.ok:
        return Seal("good", f"Chain whole: {verdict.events} events", f"head {verdict.head}")
    if verdict.torn:
        return Seal("good", f"Chain whole: {verdict.events} events", verdict.reason)
    detail = f"{verdict.reason}; {verdict.events} lines before it are whole"
    return Seal("bad", f"Chain broken at line {verdict.line}", detail)


def render(summary: Summary, verdict: Verdict | None, frame: Frame) -> str:
    """The report: one HTML page that loads nothing."""
    environment = Environment(
        loader=PackageLoader("adapters.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # What comes from the log may hold anything, control characters included.
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    environment.filters |= {"clock": clock, "money": money, "hours": hours, "took": duration, "entry": _entry}
    template = environment.get_template("report.html")
    return template.render(
        summary=summary,
        seal=seal_of(verdict),
        frame=frame,
        legend=LEGEND,
        charts={name: [Markup(svg) for svg in shapes] for name, shapes in drawings(summary).items()},  # noqa: S704  # pygal escapes what it draws
        colours=cost_colours(summary),
        most_workspaces=MOST_WORKSPACES,
        failures=summary.failures[:MOST_FAILURES],
        style=Markup(environment.get_template("report.css").render()),  # noqa: S704  # ours
    )


def clock(moment: datetime) -> str:
    """A time to the minute; the page says that it is UTC."""
    return f"{moment:%Y-%m-%d %H:%M}"


def money(amount: Decimal) -> str:
    """An amount to the cent."""
    return "<0.01" if 0 < amount < Decimal("0.01") else f"{amount:,.2f}"


def hours(seconds: float) -> str:
    """Seconds as hours."""
    return f"{seconds / 3600:,.1f}"


def _entry(one: Operation) -> str:
    """What to do about a failure, from the catalogue."""
    entry = entry_for(one.code, one.error)
    return entry.remedy if entry else ""
