"""A workspace is found under the name that its user gave it, though DevPod hands over another id."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.adapters.cli.calling import Call
from tests.eventlog.audit.story import BOB, Story, refused

FIRST, SECOND = "default-sh-11111", "default-sh-22222"
LABEL = f"shop ({SECOND})"


@pytest.fixture(autouse=True)
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lives of shop, the later one with a failure."""
    monkeypatch.setenv("ACI_EVENT_LOG", str(tmp_path / "events.jsonl"))
    story = Story(tmp_path / "events.jsonl").creates(FIRST, name="shop").deletes(FIRST)
    story.fails_to_create(SECOND, refused("ServiceUnavailable", "no room"), name="shop").creates("box").call(BOB)


@pytest.mark.parametrize("verb", [("history", "shop"), ("audit", "-w", "shop"), ("audit", "-w", "s*")])
def test_lists_show_both_names_and_take_either(call: Call, verb: tuple[str, ...]) -> None:
    status, out, err = call(*verb)
    assert (status, err) == (0, "")
    lines = [line for line in out.splitlines() if line.startswith("20")]
    assert [LABEL in line for line in lines] == [False, False, True]
    assert all(f"shop ({FIRST})" in line for line in lines[:2])
    _, by_id, _ = call(*verb[:-1], SECOND)
    assert [LABEL in line for line in by_id.splitlines() if line.startswith("20")] == [True]


def test_history_says_that_it_shows_the_newest_only(call: Call) -> None:
    assert call("history", "--limit", "4")[2] == ""
    status, out, err = call("history", "--limit", "2")
    assert (status, len(out.splitlines()), err) == (0, 3, "older ones are left out; --limit shows more\n")
    assert len(call("history", "--json", "--limit", "2")[1].splitlines()) == 2


def test_programs_get_the_name_beside_the_id(call: Call) -> None:
    found = [json.loads(line) for line in call("audit", "--json")[1].splitlines()]
    assert [(one["workspace"], one.get("name")) for one in found] == [
        (FIRST, "shop"), (FIRST, "shop"), (SECOND, "shop"), ("box", None)
    ]  # fmt: skip


def test_of_several_lives_under_a_name_the_latest_is_told(call: Call) -> None:
    assert "no room" in call("explain", "shop")[1]
    told = call("replay", "shop")[1]
    assert "CreateFailed" in told
    assert "Deleted" not in told
    assert call("audit", "who", "shop")[0] == 0
    assert "did you mean shop?" in call("audit", "who", "shap")[2]


def test_sums_and_reports_are_told_by_name(call: Call, tmp_path: Path) -> None:
    assert f"shop ({FIRST})" in call("audit", "cost", "-w", "shop")[1]
    assert call("audit", "report", "-w", "shop", "-o", str(tmp_path / "r.html"))[0] == 0
    assert LABEL in (tmp_path / "r.html").read_text()
