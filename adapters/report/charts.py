"""The charts of the report: its colours are the page's, so they follow dark and light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from pygal import HorizontalStackedBar, StackedBar  # type: ignore[import-untyped]  # pygal has no types

from adapters.report.svg import SHAPES, Shape, Tick, config, drawn, fitting, ticks
from eventlog.audit.bars import Drawn, Fleet, condensed
from eventlog.audit.summary import Summary
from eventlog.table import duration
from statemachine.states import State

MOST_WORKSPACES: Final = 30
"""Rows of the timeline; the workspaces that did something last are shown."""
MOST_COLOURS: Final = 8
MOST_DAYS: Final = 92
OTHERS: Final = "all others"
TOGETHER: Final = "all workspaces"

FLEET: Final = (State.RUNNING, State.STARTING, State.FAILED)
"""What the chart of all workspaces counts, from below; STARTING stands for all that is on its way."""

_ROW: Final = 28
"""Height of a workspace's row."""
_NAME: Final = {"wide": 24, "narrow": 14}
"""Characters of a name that fit beside the chart."""
NAME_MOST: Final = 120
"""The same where a name has a line to itself."""


def timeline(summary: Summary, shape: Shape) -> str:
    """Each workspace's states over time, as a row of bars."""
    names = [life.workspace for life in summary.lives[:MOST_WORKSPACES]]
    rows = {name: condensed(summary.bars.get(name, []), summary.since, summary.until, shape.cells) for name in names}
    # pygal draws no axis for a chart without any layer; of a log of one instant there is no bar.
    layers = max((2 * len(bars) for bars in rows.values()), default=0) or 1
    hours = (summary.until - summary.since) / timedelta(hours=1)
    chart = HorizontalStackedBar(
        **config(shape, _ROW * len(names) + 44),
        range=(0, hours),
        zero=0,
        show_x_guides=True,
        show_y_guides=False,
        truncate_label=_NAME[shape.name],
    )
    chart._series_margin = 0.16  # pygal has no option for the gaps
    # The first is drawn lowest.
    names.reverse()
    chart.x_labels = [fitting(name, _NAME[shape.name]) for name in names]
    chart.y_labels = [tick._asdict() for tick in ticks(summary.since, summary.until, shape.ticks)]
    pieces = {name: _pieces(rows[name], summary.since) for name in names}
    for layer in range(layers):
        chart.add("", [pieces[name][layer] if layer < len(pieces[name]) else None for name in names])
    return drawn(chart, "Workspaces by state over time", shape)


def fleet(summary: Summary, shape: Shape) -> str:
    """How many workspaces were up at a time: what is left to see when there are too many for a row each."""
    found = Fleet(summary.since, summary.until, shape.cells // 2)
    for bars in summary.bars.values():
        for bar in bars:
            found.add(bar)
    chart = _columns(shape, 220, gap=0.04)
    marks = _marks(found.begins, ticks(summary.since, summary.until, shape.ticks), summary.since)
    chart.x_labels = [marks.get(at, "") for at in range(len(found.begins))]
    for state in FLEET:
        chart.add(state, [_counted(state, at, value, found) for at, value in enumerate(found.mean(state))])
    return drawn(chart, "Workspaces that were up, over time", shape)


def costs(summary: Summary, shape: Shape) -> str:
    """What each day cost, stacked by workspace."""
    bill = summary.by_day
    days = _days(summary)
    names = _ranked(summary)
    amounts: dict[tuple[str, str], float] = {}
    for line in bill.lines:
        place = (line.workspace if line.workspace in names else names[-1], line.day)
        amounts[place] = amounts.get(place, 0.0) + float(line.amount)
    chart = _columns(shape, 240, gap=0.28 if len(days) <= shape.ticks else 0.1)
    # As many as there is room for, at even steps.
    step = -(-len(days) // shape.ticks)
    chart.x_labels = [f"{day:%d %b}" if at % step == 0 else "" for at, day in enumerate(days)]
    for name in names:
        row = [(f"{day:%Y-%m-%d}", amounts.get((name, f"{day:%Y-%m-%d}"))) for day in days]
        chart.add(name, [_portion(name, key, amount, bill.total.currency) if amount else None for key, amount in row])
    return drawn(chart, f"Cost by day in {bill.total.currency}", shape)


def _columns(shape: Shape, height: int, *, gap: float) -> StackedBar:
    """A chart of stacked columns; ``gap`` is the part of a column's place that stays empty on either side."""
    chart = StackedBar(
        **config(shape, height),
        show_x_guides=False,
        show_y_guides=True,
        zero=0,
        truncate_label=-1,
        value_formatter=lambda value: f"{value:,.4g}",
    )
    chart._series_margin = gap
    return chart


def cost_colours(summary: Summary) -> list[tuple[str, str]]:
    """The workspaces of the cost chart with the colours they have there."""
    return [(name, f"var(--c{number})") for number, name in enumerate(_ranked(summary))]


def _ranked(summary: Summary) -> list[str]:
    """Workspaces by what they cost, the small ones together; where all are small, nothing but their sum."""
    lines = sorted(summary.by_workspace.lines, key=lambda line: -line.amount)
    names = [line.workspace for line in lines]
    if len(names) <= MOST_COLOURS:
        return names
    large = sum(line.amount for line in lines[: MOST_COLOURS - 1])
    return [*names[: MOST_COLOURS - 1], OTHERS] if large > summary.by_workspace.total.amount / 5 else [TOGETHER]


def _portion(name: str, day: str, amount: float, currency: str) -> dict[str, object]:
    return {"value": amount, "tooltip": f"{fitting(name, NAME_MOST)}, {day}: {amount:.2f} {currency}"}


def _counted(state: State, at: int, value: float, found: Fleet) -> dict[str, object] | None:
    if not value:
        return None
    words = f"{found.begins[at]:%d %b %H:%M}: {value:.1f} {state} on average"
    return {"value": value, "style": f"fill:var(--{state});stroke:none", "tooltip": words}


def _marks(begins: Sequence[datetime], wanted: Sequence[Tick], since: datetime) -> dict[int, str]:
    """Which columns carry which label of a time axis."""
    offsets = [(begin - since) / timedelta(hours=1) for begin in begins]
    return {max(at for at, offset in enumerate(offsets) if offset <= tick.value): tick.label for tick in wanted}


def _days(summary: Summary) -> list[datetime]:
    """The days with their midnights; of a long time only the last ones."""
    first = summary.since.replace(hour=0, minute=0, second=0, microsecond=0)
    count = -(-(summary.until - first) // timedelta(days=1))
    days = [first + timedelta(days=number) for number in range(count)]
    return days[-MOST_DAYS:]


def _pieces(bars: Sequence[Drawn], since: datetime) -> list[dict[str, object]]:
    """A row of the timeline: by turns the time in between, which is not seen, and a bar."""
    found: list[dict[str, object]] = []
    at = since
    for bar in bars:
        found.append({"value": max(0.0, (bar.since - at) / timedelta(hours=1)), "style": "display:none"})
        found.append(
            {
                "value": (bar.until - bar.since) / timedelta(hours=1),
                "style": f"fill:var(--{bar.state});stroke:none",
                "tooltip": _told(bar),
            }
        )
        at = bar.until
    return found


def _told(drawn_bar: Drawn) -> str:
    bars = drawn_bar.bars
    name = fitting(bars[0].workspace, NAME_MOST)
    span = f"{bars[0].since:%d %b %H:%M} to {bars[-1].until:%d %b %H:%M} UTC"
    if len(bars) > 1:
        states = ", ".join(dict.fromkeys(str(bar.state) for bar in bars))
        return f"{name}: {states}, {span}"
    lasted = duration((bars[0].until - bars[0].since).total_seconds())
    return f"{name}: {bars[0].state}, {span}, {lasted}"


CHARTS: Final[dict[str, Callable[[Summary, Shape], str]]] = {"timeline": timeline, "costs": costs}


def drawings(summary: Summary) -> dict[str, list[str]]:
    """Every chart, in every shape; that of all workspaces only where not each has its row."""
    found = {name: [draw(summary, shape) for shape in SHAPES] for name, draw in CHARTS.items()}
    crowded = len(summary.lives) > MOST_WORKSPACES
    return found | {"fleet": [fleet(summary, shape) for shape in SHAPES] if crowded else []}
