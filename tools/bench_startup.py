"""Cold start of ``status`` beside the bare interpreter's, in turn in one run, against the emulator.

``python -m tools.bench_startup``
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from emulator.testing import running_emulator
from tools.figures import ROOT, Rows, report
from tools.provider import PROGRAM, environment

RUNS = 15
SUBJECTS = {
    "interpreter": [sys.executable, "-c", "pass"],
    "refusal": [*PROGRAM, "start"],
    "history": [*PROGRAM, "history"],
    "status": [*PROGRAM, "status"],
}


def once(arguments: list[str], env: dict[str, str]) -> float:
    """Seconds from start to end of one process."""
    before = time.perf_counter()
    subprocess.run(arguments, env=env, capture_output=True, check=False, cwd=ROOT)
    return time.perf_counter() - before


def rows() -> Rows:
    """The figures: medians in milliseconds, and ratios to the bare interpreter."""
    with tempfile.TemporaryDirectory() as folder, running_emulator() as azure:
        env = environment(azure, Path(folder))
        taken: dict[str, list[float]] = {name: [] for name in SUBJECTS}
        for _ in range(RUNS + 1):
            for name, arguments in SUBJECTS.items():
                taken[name].append(once(arguments, env))
    median = {name: statistics.median(times[1:]) * 1000 for name, times in taken.items()}
    found = [(f"startup_{name}_ms", f"{name}: start to end", value, "ms") for name, value in median.items()]
    found += [
        (f"startup_{name}_ratio", f"{name} / interpreter", value / median["interpreter"], "x")
        for name, value in median.items()
        if name != "interpreter"
    ]
    return found


if __name__ == "__main__":
    report("bench-startup", rows())
