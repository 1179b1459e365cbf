"""The page in docs/ is what the tables say."""

from __future__ import annotations

from pathlib import Path

from statemachine.diagram import mermaid, page
from statemachine.table import TABLE

PAGE = Path(__file__).parents[2] / "docs" / "state-machine.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_the_diagram_has_an_arrow_for_every_move() -> None:
    drawn = mermaid()
    for kind, moves in TABLE.items():
        for source, target in moves.items():
            if source is not target:
                assert any(
                    line.strip().startswith(f"{source} --> {target}:") and kind.__name__ in line
                    for line in drawn.splitlines()
                )
