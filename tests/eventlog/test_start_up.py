"""Where the log is, and what it costs to have it: every verb pays for what this package imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import eventlog
from eventlog import default_path, ensure_writable
from statemachine.errors import LogError
from tests.eventlog.processes import ROOT

HEAVY = {"portalocker", "platformdirs", "logging", "hypothesis", "asyncio", "socket", "subprocess", "email"}


def test_default_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_path({"ACI_EVENT_LOG": f" {tmp_path}/x.jsonl "}) == tmp_path / "x.jsonl"
    assert default_path({"ACI_EVENT_LOG": "~/x.jsonl"}) == tmp_path / "x.jsonl"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for environ in ({}, {"ACI_EVENT_LOG": ""}):
        expected = tmp_path / "state" / "devpod-provider-aci" / "events.jsonl"
        assert sys.platform != "linux" or default_path(environ) == expected


def test_reading_writing_and_checking_import_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from eventlog import Actor, EventLog, verify
from statemachine.events import Created
path = Path({str(tmp_path / "events.jsonl")!r})
log = EventLog(path, actor=lambda: Actor("a", "b"), correlation="c")
log.append("ws", Created(), expected=0)
list(log.history("ws")), list(log.records()), verify(path)
print(*sorted({HEAVY!r} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_names_are_those_promised() -> None:
    assert sorted(eventlog.__all__) == [
        "Actor",
        "EventLog",
        "LOG_SUBJECT",
        "Record",
        "TornTailSetAside",
        "Verdict",
        "default_path",
        "ensure_writable",
        "verify",
    ]
    for name in eventlog.__all__:
        assert getattr(eventlog, name)


def test_ensure_writable(tmp_path: Path) -> None:
    path = tmp_path / "new" / "events.jsonl"
    ensure_writable(path)
    assert path.stat().st_size == 0
    with pytest.raises(LogError, match="is a directory"):
        ensure_writable(path.parent)
