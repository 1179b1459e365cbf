"""The charts of the report, as SVG to stand in the page: its colours are the page's, so they follow dark and light."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

from pygal import HorizontalStackedBar, StackedBar  # type: ignore[import-untyped]  # pygal has no types
from pygal.style import Style  # type: ignore[import-untyped]  # the same

from eventlog.audit.summary import Bar, Summary
from eventlog.table import duration, printable

MOST_WORKSPACES: Final = 30
"""Rows of the timeline; the workspaces that did something last are shown."""
MOST_COLOURS: Final = 8
MOST_DAYS: Final = 92
OTHERS: Final = "all others"

_ROW: Final = 34
"""Height of a workspace's row."""
_LABEL: Final = 22
"""Characters of a name that fit beside the chart."""

_STYLE: Final = Style(label_font_size=12, major_label_font_size=12, no_data_font_size=14)
"""For the sizes alone, which pygal needs to lay a chart out; colours and fonts are the page's."""


class Shape(NamedTuple):
    """One drawing of a chart: text does not shrink with the screen, so a phone gets its own."""

    name: str
    width: int
    ticks: int


SHAPES: Final = (Shape("wide", 960, 9), Shape("narrow", 380, 4))


class Tick(NamedTuple):
    """A label of a time axis, ``value`` hours from its beginning."""

    value: float
    label: str


def timeline(summary: Summary, shape: Shape) -> str:
    """Each workspace's states over time, as a row of bars."""
    names = [life.workspace for life in summary.lives[:MOST_WORKSPACES]]
    rows = {name: [bar for bar in summary.bars if bar.workspace == name] for name in names}
    layers = max((2 * len(bars) for bars in rows.values()), default=0)
    hours = (summary.until - summary.since) / timedelta(hours=1)
    height = _ROW * len(names) + 44
    chart = HorizontalStackedBar(
        **_config(shape, height),
        range=(0, hours),
        zero=0,
        show_x_guides=True,
        show_y_guides=False,
        truncate_label=_LABEL,
    )
    # The first is drawn lowest.
    names.reverse()
    chart.x_labels = [_fit(name) for name in names]
    chart.y_labels = [tick._asdict() for tick in ticks(summary.since, summary.until, shape.ticks)]
    pieces = {name: _pieces(rows[name], summary.since) for name in names}
    for layer in range(layers):
        chart.add("", [pieces[name][layer] if layer < len(pieces[name]) else None for name in names])
    return _drawn(chart, "Workspaces by state over time", shape)


def costs(summary: Summary, shape: Shape) -> str:
    """What each day cost, stacked by workspace."""
    bill = summary.by_day
    days = _days(summary)
    names = _ranked(summary)
    amounts: dict[tuple[str, str], float] = {}
    for line in bill.lines:
        place = (line.workspace if line.workspace in names else OTHERS, line.day)
        amounts[place] = amounts.get(place, 0.0) + float(line.amount)
    chart = StackedBar(
        **_config(shape, 260),
        show_x_guides=False,
        show_y_guides=True,
        x_labels_major_count=shape.ticks,
        zero=0,
        truncate_label=-1,
    )
    chart.show_minor_x_labels = len(days) <= shape.ticks
    chart.x_labels = [f"{day:%d %b}" for day in days]
    for name in names:
        row = [(f"{day:%Y-%m-%d}", amounts.get((name, f"{day:%Y-%m-%d}"))) for day in days]
        chart.add(name, [_portion(name, key, amount, bill.total.currency) if amount else None for key, amount in row])
    return _drawn(chart, f"Cost by day in {bill.total.currency}", shape)


def cost_colours(summary: Summary) -> list[tuple[str, str]]:
    """The workspaces of the cost chart with the colours they have there."""
    return [(name, f"var(--c{number})") for number, name in enumerate(_ranked(summary))]


def _ranked(summary: Summary) -> list[str]:
    """Workspaces by what they cost, the small ones together."""
    names = [line.workspace for line in sorted(summary.by_workspace.lines, key=lambda line: -line.amount)]
    return names if len(names) <= MOST_COLOURS else [*names[: MOST_COLOURS - 1], OTHERS]


def _portion(name: str, day: str, amount: float, currency: str) -> dict[str, Any]:
    return {"value": amount, "tooltip": f"{printable(name)}, {day}: {amount:.2f} {currency}"}


def ticks(since: datetime, until: datetime, most: int) -> list[Tick]:
    """Labels at whole hours, days or weeks, as many as fit."""
    span = until - since
    step, text = next(
        ((step, text) for step, text in STEPS if span / step <= most),
        (timedelta(days=max(1, span.days // most)), "%d %b"),
    )
    midnight = since.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + step * max(0, -(-(since - midnight) // step))
    found = []
    while at <= until:
        found.append(Tick((at - since) / timedelta(hours=1), f"{at:{text}}"))
        at += step
    return found


STEPS: Final = (
    (timedelta(minutes=10), "%H:%M"),
    (timedelta(minutes=30), "%H:%M"),
    (timedelta(hours=1), "%H:%M"),
    (timedelta(hours=3), "%H:%M"),
    (timedelta(hours=6), "%d %H:%M"),
    (timedelta(days=1), "%d %b"),
    (timedelta(days=2), "%d %b"),
    (timedelta(days=7), "%d %b"),
    (timedelta(days=14), "%d %b"),
    (timedelta(days=30), "%d %b"),
)


def _days(summary: Summary) -> list[datetime]:
    """The days with their midnights; of a long time only the last ones."""
    first = summary.since.replace(hour=0, minute=0, second=0, microsecond=0)
    count = -(-(summary.until - first) // timedelta(days=1))
    days = [first + timedelta(days=number) for number in range(count)]
    return days[-MOST_DAYS:]


def _pieces(bars: Sequence[Bar], since: datetime) -> list[dict[str, Any]]:
    """A row of the timeline: by turns the time in between, which is not seen, and a bar."""
    found: list[dict[str, Any]] = []
    at = since
    for bar in bars:
        found.append({"value": max(0.0, (bar.since - at) / timedelta(hours=1)), "style": "display:none"})
        found.append(
            {
                "value": (bar.until - bar.since) / timedelta(hours=1),
                "style": f"fill:var(--{bar.state});stroke:none",
                "tooltip": f"{printable(bar.workspace)}: {bar.state} from {bar.since:%d %b %H:%M:%S} to"
                f" {bar.until:%d %b %H:%M:%S} UTC, {duration((bar.until - bar.since).total_seconds())}",
            }
        )
        at = bar.until
    return found


def _fit(name: str) -> str:
    clean = printable(name)
    return clean if len(clean) <= _LABEL else f"{clean[: _LABEL - 1]}…"


def _config(shape: Shape, height: int) -> dict[str, Any]:
    return {
        "style": _STYLE,
        "width": shape.width,
        "height": height,
        "explicit_size": False,
        "show_legend": False,
        "js": [],
        "margin": 4,
        "print_values": False,
        "no_data_text": "nothing in this time",
    }


def _drawn(chart: Any, title: str, shape: Shape) -> str:
    """The chart as SVG, without pygal's own style, scripts and descriptions: the page has what is needed."""
    root = chart.render_tree()
    for unwanted in ("defs", "desc"):
        for parent in list(root.iter()):
            for child in list(parent):
                if isinstance(child.tag, str) and child.tag.rpartition("}")[2] == unwanted:
                    parent.remove(child)
    for parent in list(root.iter()):
        for child in list(parent):
            # Comments name the day it was drawn: the same log makes the same page.
            if not isinstance(child.tag, str):
                parent.remove(child)
    root.attrib.pop("id", None)
    root.set("class", f"pygal-chart {shape.name}")
    root.set("role", "img")
    root.set("aria-label", title)
    text = ET.tostring(root, encoding="unicode")
    return _NUMBER.sub(_rounded, text)


_NUMBER: Final = re.compile(r"\d+\.\d{3,}")


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.1f}"


CHARTS: Final[dict[str, Callable[[Summary, Shape], str]]] = {"timeline": timeline, "costs": costs}


def drawings(summary: Summary) -> dict[str, list[str]]:
    """Every chart, in every shape."""
    return {name: [draw(summary, shape) for shape in SHAPES] for name, draw in CHARTS.items()}
