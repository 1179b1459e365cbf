"""The check that docs/event-log.md gives to an auditor works, and sees what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from eventlog import EventLog, verify
from statemachine.events import Created, Exited
from tests.eventlog.processes import ROOT


def test_the_auditors_script(log: EventLog, path: Path, tmp_path: Path) -> None:
    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "event-log.md").read_text(encoding="utf-8"), re.DOTALL
    )
    script = tmp_path / "check.py"
    script.write_text(code, encoding="utf-8")
    log.append("ws", Created())
    log.append("ws", Exited(detail="☃"))
    log.append("ws", Created())

    def check() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-W", "ignore", script, path]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert check().stdout.strip() == verify(path).head
    path.write_bytes(path.read_bytes().replace("☃".encode(), "☂".encode()))
    assert check().stderr.strip().endswith("AssertionError: 2")
