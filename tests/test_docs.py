"""What the docs say of the code is made from the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.exit_statuses import README, renewed

ROOT = Path(__file__).parents[1]
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]


def test_the_readmes_exit_statuses_are_current() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == renewed(text), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target


def test_the_readme_names_every_make_target_it_promises() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", README.read_text(encoding="utf-8"))) <= targets
