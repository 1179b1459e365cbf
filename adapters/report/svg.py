"""What every chart shares: its two shapes, its time axis, and the SVG that is left of what pygal draws."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from xml.etree import ElementTree as ET

from pygal.style import Style  # type: ignore[import-untyped]  # pygal has no types

from eventlog.table import printable

_STYLE: Final = Style(label_font_size=12, major_label_font_size=12, no_data_font_size=14)
"""For the sizes alone, which pygal needs to lay a chart out; colours and fonts are the page's."""


class Shape(NamedTuple):
    """One drawing of a chart: text does not shrink with the screen, so a phone gets its own."""

    name: str
    width: int
    ticks: int
    cells: int
    """The most that is drawn side by side."""


SHAPES: Final = (Shape("wide", 960, 9, 160), Shape("narrow", 350, 4, 70))


class Tick(NamedTuple):
    """A label of a time axis, ``value`` hours from its beginning."""

    value: float
    label: str


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


def fitting(text: str, most: int) -> str:
    """A text that can be shown, of so many characters at most: it may be as long as a line of the log."""
    clean = printable(text)
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"


def config(shape: Shape, height: int) -> dict[str, object]:
    """What all charts ask of pygal."""
    return {
        "style": _STYLE,
        "width": shape.width,
        "height": height,
        "explicit_size": False,
        "show_legend": False,
        "js": [],
        "margin": 4,
        # The last label of a time axis stands half behind the axis.
        "margin_right": 18,
        "print_values": False,
        "no_data_text": "nothing in this time",
    }


def drawn(chart: Any, title: str, shape: Shape) -> str:
    """The chart as SVG, without pygal's own style, scripts and descriptions: the page has what is needed."""
    root = chart.render_tree()
    _prune(root)
    root.attrib.pop("id", None)
    root.set("class", f"pygal-chart {shape.name}")
    root.set("role", "img")
    root.set("aria-label", title)
    for element in root.iter():
        # Of places and sizes a tenth of a pixel is enough; what is said keeps its figures.
        element.attrib.update({name: _NUMBER.sub(_rounded, value) for name, value in element.attrib.items()})
    # Comments name the day it was drawn: the same log makes the same page.
    return _COMMENT.sub("", ET.tostring(root, encoding="unicode"))


def _prune(parent: ET.Element) -> None:
    """Take out what is never seen, and what only pygal's own script needs."""
    for child in list(parent):
        tag = str(child.tag).rpartition("}")[2]
        if tag in _UNSEEN:
            parent.remove(child)
            continue
        _prune(child)
        words = child.get("class", "").split()
        hollow = tag == "g" and not len(child) and not child.text
        if hollow or any(part.get("style") == "display:none" for part in (child, *child)):
            parent.remove(child)
        elif kept := [word for word in words if word not in _SCRIPTS]:
            child.set("class", " ".join(kept))
        elif words:
            del child.attrib["class"]
        for name in ("rx", "ry"):
            child.attrib.pop(name, None)


_UNSEEN: Final = frozenset({"defs", "desc"})
_SCRIPTS: Final = frozenset({"reactive", "tooltip-trigger", "rect", "bar", "bars"})
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_NUMBER: Final = re.compile(r"\d+\.\d{2,}")


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match[0]):.1f}"
