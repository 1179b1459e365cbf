"""Writes docs/state-machine.md from the lifecycle's own tables.

``python -m tools.state_machine_page``; a test holds the file equal to the code.
"""

from __future__ import annotations

from pathlib import Path

from statemachine.diagram import page

PAGE = Path(__file__).parents[1] / "docs" / "state-machine.md"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
