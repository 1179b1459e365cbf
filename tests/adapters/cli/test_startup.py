"""Start-up: DevPod starts us for every call, so what a call does not need is not imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROBE = """
import sys
from adapters.cli.main import run
try:
    status = run(sys.argv[1:])
finally:
    print("IMPORTED", *sys.modules, file=sys.stderr)
"""


def imported(arguments: list[str], **env: str) -> set[str]:
    """The modules one call has imported."""
    base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        env=base | {"PYTHONPATH": str(ROOT)} | env,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    last = answer.stderr.splitlines()[-1].split()
    assert last[0] == "IMPORTED", answer.stderr
    return set(last[1:])


def heavy(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules} & {"azure", "msal", "requests", "cryptography", "yaml"}


REFUSALS = [
    ["create"],
    ["status"],
    ["find"],
    ["run"],
    ["command"],
    ["no-such-verb"],
]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["history"], ["verify"], ["options"], ["status", "--help"], *REFUSALS]
)
def test_no_azure_without_need(arguments: list[str], tmp_path: Path) -> None:
    assert heavy(imported(arguments, ACI_EVENT_LOG=str(tmp_path / "events.jsonl"))) == set()


@pytest.mark.parametrize("verb", ["history", "verify", "audit"])
def test_what_only_reads_the_log_needs_no_options_and_no_azure(verb: str, tmp_path: Path) -> None:
    modules = imported([verb], ACI_EVENT_LOG=str(tmp_path / "events.jsonl"))
    assert not [name for name in modules if name.startswith(("adapters.azure", "adapters.devpod", "adapters.tunnel"))]


def test_a_refusal_by_state_needs_no_azure(tmp_path: Path) -> None:
    options = {
        "AZURE_SUBSCRIPTION_ID": "11111111-2222-3333-4444-555555555555",
        "AZURE_RESOURCE_GROUP": "rg",
        "AZURE_REGION": "westeurope",
        "MACHINE_ID": "demo",
    }
    for verb in ("start", "stop", "command"):
        modules = imported([verb], ACI_EVENT_LOG=str(tmp_path / "events.jsonl"), COMMAND="true", **options)
        assert heavy(modules) == set()
