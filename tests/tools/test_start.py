"""Every benchmark and tool starts: they reach into modules whose names change, and no other test runs them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "tools").glob("[!_]*.py"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODULES)
def test_a_tool_finds_all_that_it_imports(name: str) -> None:
    importlib.import_module(f"tools.{name}")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"-m (tools\.\w+)", MAKEFILE))))
def test_what_make_starts_is_there_and_does_something(name: str) -> None:
    source = (ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
    assert '\nif __name__ == "__main__":\n' in source
