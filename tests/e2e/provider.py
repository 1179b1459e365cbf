"""The provider as DevPod drives it: a process for every call, told everything through the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE

Answer = subprocess.CompletedProcess[bytes]
PROGRAM = [sys.executable, "-m", "adapters.cli"]
ROOT = Path(__file__).parents[2]
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "COVERAGE_PROCESS_START")


@dataclass(frozen=True)
class Provider:
    """Calls verbs with one environment; ``with_env`` gives a copy that says something else."""

    home: Path
    azure: Mapping[str, str]
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """What every call gets: nothing of the tester's own settings."""
        base = {name: os.environ[name] for name in KEPT if name in os.environ}
        ours = {
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "ACI_EVENT_LOG": str(self.log),
            "AZURE_RESOURCE_GROUP": "devpod-test",
            "AZURE_REGION": "westeurope",
        }
        return base | ours | dict(self.azure) | dict(self.extra)

    @property
    def log(self) -> Path:
        """The event log of this provider's user."""
        return self.home / "state" / "events.jsonl"

    def with_env(self, **changes: str) -> Provider:
        """The same user, calling with other variables."""
        return replace(self, extra={**self.extra, **changes})

    def call(self, *verb: str, stdin: bytes = b"", timeout: float = PATIENCE, **env: str) -> Answer:
        """One call to its end."""
        return subprocess.run(
            [*PROGRAM, *verb],
            input=stdin,
            capture_output=True,
            env=self.env | env,
            timeout=timeout,
            check=False,
            cwd=self.home,
        )

    def ok(self, *verb: str, **how: Any) -> bytes:
        """One call that must succeed; its stdout."""
        answer = self.call(*verb, **how)
        assert answer.returncode == 0, f"{verb}: {answer.returncode}\n{answer.stderr.decode(errors='replace')}"
        return answer.stdout

    def start(self, *verb: str, stdin: int = subprocess.PIPE, **env: str) -> subprocess.Popen[bytes]:
        """A call that goes on while the test does."""
        return subprocess.Popen(
            [*PROGRAM, *verb],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env | env,
            cwd=self.home,
        )

    def status(self) -> str:
        """The word DevPod would get."""
        return self.ok("status").decode().strip()

    def shell(self, command: str, stdin: bytes = b"", **how: Any) -> Answer:
        """A command in the container, as either mode of DevPod asks for one."""
        name = "DEVCONTAINER_COMMAND" if "DEVCONTAINER_ID" in self.env else "COMMAND"
        return self.call("command", stdin=stdin, **(how | {name: command}))

    def events(self) -> list[dict[str, Any]]:
        """Every line of the log."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_bytes().splitlines()]

    def event_types(self) -> list[str]:
        """The events' types, in order."""
        return [event["type"] for event in self.events()]


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE, every: float = 0.1) -> bool:
    """Whether ``condition`` comes true within ``seconds``."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(every)
    return True
