"""Benchmarks tell people a table and programs a flat map: ``build/figures/<target>.json``."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

ROOT = Path(__file__).parents[1]

Rows = list[tuple[str, str, float, str]]
"""Figures, each with its name for programs, its meaning for people, its value and its unit."""


def machine() -> str:
    """The machine, as far as it matters to a figure."""
    cpu = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    return f"{os.cpu_count()} x {cpu}, {platform.system()} {platform.release()}, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def report(target: str, rows: Rows) -> None:
    """Print rows, and write their names and values as JSON."""
    print(f"{target} on {machine()}")
    wide = max(len(meaning) for _, meaning, _, _ in rows)
    for _, meaning, value, unit in rows:
        print(f"  {meaning:{wide}}  {value:>12,.3f} {unit}")
    folder = ROOT / "build" / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    figures = {name: value for name, _, value, _ in rows}
    (folder / f"{target}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
