"""The report in a real browser: all of it can be read, on a phone and a desk, dark and light, and nothing is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.report.page import Frame, render, seal_of
from eventlog import verify
from eventlog.audit.prices import shipped
from eventlog.audit.query import Query
from eventlog.audit.reader import LogReader
from eventlog.audit.summary import summarise
from tests.adapters.report.chromium import DARK, PROGRAM, Picture, dom, shoot
from tests.adapters.report.conftest import NOW
from tests.eventlog.audit.company import company

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium here (Debian: apt-get install chromium)")

DESK, PHONE, SMALL = (1100, 700), (390, 800), (320, 800)
POLICY = re.compile(r"<meta http-equiv[^>]*>")
LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3 (AA)."""
Written = Callable[..., Path]


def luma(picture: Picture) -> float:
    """How light the paper is."""
    return sum(picture.pixel(2, 2)) / 3


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (PHONE, "dark")], ids=["desk-light", "phone-dark"])
def test_the_page_shows_and_asks_for_nothing(
    written: Written, tmp_path: Path, size: tuple[int, int], scheme: str
) -> None:
    shot = shoot(written(), tmp_path, size, *([DARK] if scheme == "dark" else []))
    assert shot.asked == []
    assert (shot.picture.width, shot.picture.height) == size
    assert len(shot.picture.colours()) > 40
    running = (0x36, 0xB3, 0x7E) if scheme == "dark" else (0x1F, 0x9D, 0x63)
    assert running in shot.picture.colours()
    assert luma(shot.picture) < 40 if scheme == "dark" else luma(shot.picture) > 220
    # The heading's strokes: paint of the ink's own colour where the text is.
    ink = (0xE8, 0xEB, 0xF0) if scheme == "dark" else (0x17, 0x1B, 0x22)
    head = [shot.picture.pixel(x, y) for y in range(20, 90) for x in range(12, 260)]
    assert 200 < head.count(ink) < len(head) / 3


def test_a_page_that_did_ask_would_be_caught(written: Written, tmp_path: Path) -> None:
    image = '<body><img src="http://probe.example/x.png">'
    shot = shoot(written(lambda text: POLICY.sub("", text).replace("<body>", image)), tmp_path, PHONE)
    assert "http://probe.example/x.png" in shot.asked


def test_its_policy_would_stop_it(written: Written, tmp_path: Path) -> None:
    image = '<body><img src="http://probe.example/x.png">'
    assert shoot(written(lambda text: text.replace("<body>", image)), tmp_path, PHONE).asked == []


PROBE = """
const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
  .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
  .reduce((sum, v, at) => sum + v * [.2126, .7152, .0722][at], 0);
const behind = node => {
  for (let at = node; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const look = frame => {
  const page = frame.contentDocument, root = page.documentElement, found = {worst: 99, where: "", cut: []};
  for (const node of page.body.querySelectorAll("*")) {
    const words = [...node.childNodes].filter(c => c.nodeType === 3).map(c => c.data.trim()).join(" ").trim();
    const box = node.getBoundingClientRect();
    const style = frame.contentWindow.getComputedStyle(node);
    // What only those hear who do not see has no colour to judge.
    const head = node.closest("thead");
    const hidden = head && frame.contentWindow.getComputedStyle(head).clipPath !== "none";
    if (!words || !box.width || hidden) continue;
    const paint = node.closest("svg") ? style.fill : style.color;
    const pair = [light(rgb(paint)), light(behind(node))].sort((a, b) => b - a);
    const contrast = (pair[0] + .05) / (pair[1] + .05);
    if (contrast < found.worst) { found.worst = contrast; found.where = words.slice(0, 40); }
    if (!node.closest("svg") && box.right > frame.clientWidth + 1) found.cut.push(words.slice(0, 40));
  }
  found.needed = root.scrollWidth; found.there = frame.clientWidth;
  found.charts = [...page.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().width > 0)
    .map(s => s.classList[1]);
  found.size = Math.min(...[...page.querySelectorAll("p,td,span,li")].map(
    n => parseFloat(frame.contentWindow.getComputedStyle(n).fontSize)));
  found.labels = [...page.querySelectorAll("svg text")].filter(t => t.getBoundingClientRect().width > 0)
    .map(t => t.getBoundingClientRect().height);
  return found;
};
"""


def looked_at(page: Path, tmp_path: Path, width: int, *options: str) -> dict[str, Any]:
    """What a reader sees in a frame of that width: a headless window can't be made as narrow as a small phone."""
    inside = json.dumps(POLICY.sub("", page.read_text("utf-8"))).replace("</", "<\\/")
    probe = tmp_path / "probe.html"
    probe.write_text(
        f'<body><iframe style="border:0;width:{width}px;height:900px"></iframe><pre id="found"></pre>'
        f"<script>{PROBE}const f=document.querySelector('iframe');f.srcdoc={inside};"
        "f.onload=()=>{document.querySelector('#found').textContent="
        "'FOUND'+btoa(unescape(encodeURIComponent(JSON.stringify(look(f)))))+'END'}</script>",
        "utf-8",
    )
    from base64 import b64decode

    match = re.search(r"FOUND([A-Za-z0-9+/=]+)END", dom(probe, tmp_path, (1400, 1000), *options))
    assert match is not None
    found: dict[str, Any] = json.loads(b64decode(match[1]))
    return found


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a company: more workspaces, people and failures than have room."""
    folder = tmp_path_factory.mktemp("crowd")
    log = folder / "events.jsonl"
    log.write_bytes(company(6_000, 120, 60))
    log.chmod(0o600)
    summary = summarise(LogReader(log).records(), Query(), shipped(), NOW)
    page = folder / "report.html"
    page.write_text(render(summary, seal_of(verify(log)), Frame(str(log), NOW, "0.1.0", ["A note."])), "utf-8")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE, SMALL], ids=["desk", "phone", "small phone"])
def test_all_of_it_can_be_read(written: Written, tmp_path: Path, size: tuple[int, int], scheme: str) -> None:
    found = looked_at(written(), tmp_path, size[0], *([DARK] if scheme == "dark" else []))
    legible(found, size[0], charts=2)


@pytest.mark.parametrize("size", [DESK, SMALL], ids=["desk", "small phone"])
def test_a_companys_page_can_be_read_as_well(crowd: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    legible(looked_at(crowd, tmp_path, size[0]), size[0], charts=3)
    assert len(crowd.read_bytes()) < 300_000


def legible(found: dict[str, Any], width: int, *, charts: int) -> None:
    # Nobody has to scroll sideways, and nothing sticks out.
    assert found["needed"] <= found["there"] == width
    assert found["cut"] == []
    assert found["charts"] == ["wide" if width > 640 else "narrow"] * charts
    assert found["worst"] >= LEAST_CONTRAST, found["where"]
    assert found["size"] >= 12
    # A chart's words do not shrink with the screen: at least 9 px high.
    assert min(found["labels"]) >= 9
