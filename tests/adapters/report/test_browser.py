"""The report in a real browser: something is there, on a phone and a desk, dark and light, and nothing is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.adapters.report.chromium import DARK, PROGRAM, Picture, dom, shoot

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium here (Debian: apt-get install chromium)")

DESK, PHONE = (1100, 700), (390, 800)
POLICY = re.compile(r"<meta http-equiv[^>]*>")
Written = Callable[..., Path]


def luma(picture: Picture) -> float:
    """How light the paper is."""
    return sum(picture.pixel(2, 2)) / 3


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
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


def test_a_page_that_did_ask_would_be_caught(written: Written, tmp_path: Path) -> None:
    image = '<body><img src="http://probe.example/x.png">'
    shot = shoot(written(lambda text: POLICY.sub("", text).replace("<body>", image)), tmp_path, PHONE)
    assert "http://probe.example/x.png" in shot.asked


def test_its_policy_would_stop_it(written: Written, tmp_path: Path) -> None:
    image = '<body><img src="http://probe.example/x.png">'
    assert shoot(written(lambda text: text.replace("<body>", image)), tmp_path, PHONE).asked == []


@pytest.mark.parametrize("size", [DESK, PHONE, (320, 800)], ids=["desk", "phone", "small phone"])
def test_nobody_has_to_scroll_sideways(written: Written, tmp_path: Path, size: tuple[int, int]) -> None:
    # A frame of the wanted width: a headless window can't be made as narrow as a small phone.
    inside = written(lambda text: POLICY.sub("", text)).read_text("utf-8")
    probe = tmp_path / "probe.html"
    script = (
        "const f=document.querySelector('iframe');f.srcdoc=PAGE;f.onload=()=>{const d=f.contentDocument;"
        "const shown=[...d.querySelectorAll('svg')].filter(s=>s.getBoundingClientRect().width>0).length;"
        "document.body.dataset.found=[d.documentElement.scrollWidth,f.clientWidth,shown].join(' ')}"
    )
    source = json.dumps(inside).replace("</", "<\\/")
    probe.write_text(
        f'<body><iframe style="border:0;width:{size[0]}px;height:900px"></iframe>'
        f"<script>const PAGE={source};{script}</script>",
        "utf-8",
    )
    found = re.search(r'data-found="(\d+) (\d+) (\d+)"', dom(probe, tmp_path, (1400, 1000)))
    assert found is not None
    needed, there, charts = (int(part) for part in found.groups())
    assert needed <= there == size[0]
    assert charts == 2
