"""Standard streams as they come: of any encoding, full, or with nobody behind them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.ship.logs import chained, write

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "adapters.cli")
ASKED = "SELECT workspace, actor.user FROM events"
READING = {
    "history": ("history",),
    "audit": ("audit",),
    "who": ("audit", "who", "ünï-工"),
    "cost": ("audit", "cost"),
    "sql": ("audit", "sql", ASKED),
    "replay": ("replay", "ünï-工"),
    "diff": ("replay", "ünï-工", "--diff", "1", "2"),
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of names that few encodings have."""
    name = {"subject": "ünï-工", "actor": {"user": "åsa-太郎", "host": "laptop", "azure": ""}}
    owner = {"owner": {"host": "laptop", "pid": 1, "started": "1"}}
    group = {"subscription": "s", "resource_group": "r", "name": "n", "container": "c"}
    facts = {"image": "i", "location": "westeurope", "cpu": 2.0, "memory_gb": 4.0}
    told = [
        {"type": "CreateRequested", "data": owner | {"group": group, "facts": facts}},
        {"type": "Created", "data": {"receipt": {"http_status": 201, "request_id": "r"}}},
    ]
    return write(tmp_path / "state" / "events.jsonl", chained([one | name for one in told]))


def environment(log: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "DEVPOD_DEBUG"}
    return kept | {"ACI_EVENT_LOG": str(log), "ACI_EVENT_LOG_KEY": "file"} | more


@pytest.mark.parametrize("words", READING.values(), ids=READING)
def test_an_encoding_that_lacks_a_name_is_no_failure(log: Path, words: tuple[str, ...]) -> None:
    env = environment(log, PYTHONIOENCODING="cp1252", PYTHONUTF8="1")
    answer = subprocess.run([*COMMAND, *words], env=env, cwd=ROOT, capture_output=True, check=False)
    assert (answer.returncode, answer.stderr.count(b"error")) == (0, 0)
    assert "ünï-?" in answer.stdout.decode("cp1252") or "åsa-??" in answer.stdout.decode("cp1252")
    assert b"???" not in answer.stdout
