"""What programs rely on: the names of the fields are those that the documentation lists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.cli.main import run
from eventlog.audit.cost import Line
from eventlog.audit.diff import Diff, Difference, Turn
from eventlog.audit.explain import Explanation
from eventlog.audit.operations import Operation
from eventlog.audit.replay import Moment
from eventlog.audit.story import Words
from eventlog.audit.who import Hand, Run
from tests.adapters.cli.audit.people import copies

DOCS = Path(__file__).parents[4] / "docs" / "audit.md"

MADE_OF: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "audit": (Operation,),
    "audit who": (Run, Hand),
    "audit cost": (Line,),
    "explain": (Explanation,),
    "replay": (Moment, Words),
    "replay --diff": (Diff, Difference, Turn),
}


def documented() -> dict[str, list[str]]:
    table = DOCS.read_text("utf-8").partition("<!-- fields")[2]
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", table, re.MULTILINE)
    return {verb: re.findall(r"`([a-z_]+)`", text) for verb, text in rows}


@pytest.mark.parametrize("verb", MADE_OF)
def test_the_fields_are_those_documented(verb: str) -> None:
    fields = {name for kind in MADE_OF[verb] for name in kind.__struct_fields__}
    assert set(documented()[verb]) == fields


def test_every_field_that_comes_out_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ACI_EVENT_LOG", str(tmp_path / "events.jsonl"))
    folder = copies(tmp_path)
    known = documented()
    calls = {
        "audit": ["audit"],
        "audit who": ["audit", "who", "ada/shop"],
        "audit cost": ["audit", "cost", "--by", "workspace,actor,day,region"],
        "audit writers": ["audit", "writers"],
        "explain": ["explain", "ml-ada"],
        "replay": ["replay", "ada/shop"],
        "replay --diff": ["replay", "--diff", "ada/shop", "ml-bob"],
    }
    for verb, call in calls.items():
        assert run([*call, "--from", str(folder), "--json"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines
        assert {name for line in lines for name in names(json.loads(line))} <= set(known[verb]), verb
    assert "audit sql" in known


def names(value: Any) -> set[str]:
    """The names of all fields, those of objects inside included."""
    if isinstance(value, list):
        return {name for part in value for name in names(part)}
    if isinstance(value, dict):
        return set(value) | {name for part in value.values() for name in names(part)}
    return set()
