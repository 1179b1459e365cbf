"""What people call before there is a workspace."""

from __future__ import annotations

import json

import pytest
import yaml

from adapters.cli.main import run
from statemachine.secret import MASK


def test_options_masks_secrets_and_says_where_a_value_is_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "do-not-show-this")
    monkeypatch.setenv("ACI_CPU_CORES", "4")
    assert run(["options"]) == 0
    shown = capsys.readouterr().out
    assert "do-not-show-this" not in shown
    assert MASK in shown
    assert run(["options", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {row["name"]: row for row in map(json.loads, lines)}
    assert (rows["ACI_CPU_CORES"]["value"], rows["ACI_CPU_CORES"]["origin"]) == ("4", "environment")
    assert rows["ACI_MEMORY_GB"]["origin"] == "default"
    assert rows["AZURE_CLIENT_SECRET"]["value"] == MASK


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_options_prints_nothing_that_a_terminal_obeys(
    how: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACI_EVENT_LOG", "/log\x9b2J\u202e\udcff")
    monkeypatch.setenv("AZURE_REGION", "west\x9b31m\n  AZURE_SUBSCRIPTION_ID  default")
    assert run(["options", *how]) == 0
    assert capsys.readouterr().out.replace("\n", "").isprintable()


@pytest.mark.parametrize("mode", ["machine", "devcontainer"])
def test_manifest_prints_what_devpod_reads(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["manifest", "--mode", mode]) == 0
    manifest = yaml.safe_load(capsys.readouterr().out)
    assert manifest["name"]
    assert manifest["exec"]["command"]
