"""Starting appenders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def appender(path: Path, mode: str, subject: str, count: int, *more: str) -> subprocess.Popen[str]:
    """An appender with its acknowledgements on stdout."""
    arguments = [sys.executable, "-m", "tests.eventlog.appender", str(path), mode, subject, str(count), *more]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
