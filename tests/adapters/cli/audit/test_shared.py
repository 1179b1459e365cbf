"""The audit verbs over many people's logs: nobody's is taken for another's, and one that was changed is named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.main import run
from adapters.ship.writer import blob_name, writer_of
from statemachine.errors import LogDamagedError, LogError
from tests.adapters.cli.audit import newer
from tests.adapters.cli.audit.people import copies
from tests.adapters.cli.calling import Call, objects
from tests.adapters.ship.logs import chained, write
from tests.eventlog.audit.story import Story


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACI_EVENT_LOG", str(tmp_path / "own" / "events.jsonl"))
    return copies(tmp_path)


@pytest.fixture
def call(folder: Path, call: Call) -> Call:
    return lambda *arguments: call(*arguments, "--from", str(folder))


HOSTILE = {
    "a time without a zone": {"time": "2026-03-01T00:00:00"},
    "a time of another zone": {"time": "0001-01-01T00:00:00+14:00"},
    "nobody": {"actor": None},
    "no correlation": {"correlation": None},
    "half a version": {"schema": 1.5},
    "no data": {"data": None},
    "version 0": {"schema": 0},
    "no checkpoint": {"subject": "log", "type": "CheckpointSigned", "data": {"count": "many"}},
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("verb", [("audit",), ("audit", "cost"), ("audit", "who", "ml-ada")])
def test_a_line_with_a_good_hash_that_is_no_record_is_its_writers_damage(
    folder: Path, call: Call, verb: tuple[str, ...], change: dict[str, Any]
) -> None:
    data = chained([change])
    name = "mallory.eve.0123456789abcdef" if change.get("actor", {}) is None else writer_of(data.partition(b"\n")[0])
    write(folder / blob_name(name, 1), data)
    status, out, err = call(*verb)
    assert (status, len(err.splitlines())) == (86, 1)
    assert f"event 1 of {name}" in err
    assert "ada" in out


@pytest.mark.parametrize(
    "verb", [("audit", "cost"), ("audit", "report", "-o", "report.html"), ("audit", "who", "eve/shop")]
)
def test_one_with_a_newer_version_does_not_keep_the_others_from_being_read(
    folder: Path, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    _, alone, _ = call("audit", "cost", "--json")
    data = newer.log()
    name = writer_of(data.partition(b"\n")[0])
    write(folder / blob_name(name, 1), data)
    status, _, err = call(*verb)
    assert (status, len(err.splitlines())) == (LogDamagedError.exit_status, 1)
    assert f"{name}: event 2 of the log says Created" in err
    assert "install that one" in err
    # What is known of it is told: it does not seem to run until now.
    _, out, _ = call("audit", "cost", "--json")
    (api,) = (line for line in objects(out) if line["workspace"] == "api")
    assert (api["seconds"], api.get("running")) == (3.0, None)
    assert [line for line in objects(out) if line != api] == objects(alone)


def test_a_workspace_of_which_nothing_can_have_happened_is_no_defect(folder: Path, call: Call) -> None:
    opened = {"subject": "odd", "type": "CommandOpened", "data": {"owner": newer.OWNER, "command": "c"}}
    data = chained([opened])
    write(folder / blob_name(writer_of(data.partition(b"\n")[0]), 1), data)
    for verb in (("explain", "odd"), ("replay", "odd"), ("audit", "who", "odd")):
        status, _, err = call(*verb)
        assert (status, len(err.splitlines())) == (LogDamagedError.exit_status, 1), verb
        assert "event 1 of the log says CommandOpened" in err


@pytest.mark.parametrize("other", ["host.mallory.{}", "laptop.ada.0123456789abcdef", "laptop.eve.{}"])
def test_a_log_that_was_copied_under_another_name_is_nobody_elses(folder: Path, call: Call, other: str) -> None:
    _, alone, _ = call("audit", "cost", "--json")
    (mine,) = folder.glob("laptop.ada.*")
    name = other.format(mine.name.rpartition(".")[2])
    shutil.copytree(mine, folder / name)
    status, out, err = call("audit", "cost", "--json")
    assert (status, out) == (LogDamagedError.exit_status, alone)
    assert f"event 1 of {name} is of another log, {mine.name}: it was moved or copied here" in err


def test_the_last_day_of_all_costs_something(tmp_path: Path) -> None:
    story = Story(tmp_path / "late.jsonl").at("9999-12-31T20:00").creates("late").wait(hours=1).stops("late")
    assert run(["audit", "cost", "--from", str(story.path), "--by", "day", "--json"]) == 0


def test_everybodys_operations_in_the_order_of_time(call: Call) -> None:
    status, out, err = call("audit", "--json")
    assert (status, err) == (0, "")
    found = objects(out)
    assert [one["user"] for one in found[:3]] == ["ada", "bob", "ci"]
    assert [one["time"] for one in found] == sorted(one["time"] for one in found)
    assert {one["outcome"] for one in found} == {"ok", "failed"}
    assert {one["writer"].rpartition(".")[0] for one in found} == {"laptop.ada", "desk.bob", "runner-7.ci"}


def test_names_that_several_have_are_told_apart(call: Call) -> None:
    out = call("audit")[1]
    assert "shop (laptop.ada)" in out
    assert "shop (desk.bob)" in out
    assert "ml-ada (" not in out
    costs = call("audit", "cost")[1]
    assert "shop (runner-7.ci)" in costs
    found = objects(call("audit", "cost", "--json")[1])
    assert [(one["workspace"], one["writer"].split(".")[1]) for one in found] == [
        ("shop", "bob"),
        ("shop", "ada"),
        ("shop", "ci"),
    ]
    assert {one["seconds"] for one in found} == {445.0}


@pytest.mark.parametrize(
    "verb",
    [("audit", "who", "shop"), ("explain", "shop"), ("replay", "shop"), ("replay", "--diff", "shop@1", "ml-ada")],
)
def test_a_name_that_several_have_is_asked_back_in_one_line(call: Call, verb: tuple[str, ...]) -> None:
    status, out, err = call(*verb)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "3 logs in" in err
    assert "have a workspace shop: desk.bob." in err
    assert err.endswith("say whose with --writer, or as WRITER/shop\n")


@pytest.mark.parametrize("writer", ["ada", "laptop.ada", "LAPTOP.*", "*.ada.*"])
def test_a_writer_is_chosen_by_any_of_its_names(call: Call, writer: str) -> None:
    (one,) = objects(call("audit", "who", "shop", "--writer", writer, "--json")[1])
    assert (one["by"]["user"], one["writer"].rpartition(".")[0]) == ("ada", "laptop.ada")
    assert {one["user"] for one in objects(call("audit", "--writer", writer, "--json")[1])} == {"ada"}


def test_two_peoples_workspaces_can_be_compared(call: Call) -> None:
    status, out, _ = call("replay", "--diff", "ada/shop", "bob/shop@2", "--json")
    (found,) = objects(out)
    assert status == 0
    assert (found["left"], found["right"], found["same"]) == ("ada/shop", "bob/shop@2", 2)


def test_sql_knows_whose_log_it_is(call: Call) -> None:
    question = "SELECT writer, count(*) AS n FROM events WHERE workspace = 'shop' GROUP BY ALL ORDER BY ALL"
    status, out, _ = call("audit", "sql", "--json", question)
    assert status == 0
    assert [(one["writer"].split(".")[1], one["n"]) for one in objects(out)] == [("bob", 6), ("ada", 6), ("ci", 6)]


def test_the_report_says_that_every_chain_is_whole(call: Call, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    assert call("audit", "report", "-o", str(target))[0] == 0
    page = target.read_text("utf-8")
    assert "All 3 chains whole: 24 events" in page
    assert "shop (desk.bob)" in page


def bobs(folder: Path) -> Path:
    (blob,) = folder.glob("desk.bob.*/000001.jsonl")
    return blob


@pytest.mark.parametrize("verb", [("audit", "--json"), ("audit", "cost", "--json"), ("audit", "writers", "--json")])
def test_one_that_was_changed_is_named_and_the_others_answer(call: Call, folder: Path, verb: tuple[str, ...]) -> None:
    bobs(folder).write_bytes(bobs(folder).read_bytes().replace(b'"user":"bob"', b'"user":"eve"', 3))
    status, out, err = call(*verb)
    assert (status, len(err.splitlines()) - err.count("Prices") - err.count("example figures")) == (86, 1)
    assert "event 1 of desk.bob." in err
    assert "was changed after it was written" in err
    assert '"ada"' in out or "laptop.ada" in out
    assert '"eve"' not in out


def test_a_report_with_one_that_was_changed(call: Call, folder: Path, tmp_path: Path) -> None:
    lines = bobs(folder).read_bytes().splitlines(keepends=True)
    bobs(folder).write_bytes(b"".join([*lines[:4], *lines[5:]]))
    target = tmp_path / "report.html"
    status, _, err = call("audit", "report", "-o", str(target))
    assert status == LogDamagedError.exit_status
    assert "event 5 of desk.bob." in err
    page = target.read_text("utf-8")
    assert "1 of 3 chains broken" in page
    assert "event 5: does not follow the line before" in page


def test_what_cannot_be_found_may_be_behind_the_damage(call: Call, folder: Path) -> None:
    bobs(folder).write_bytes(bobs(folder).read_bytes().replace(b'"user":"bob"', b'"user":"eve"', 1))
    status, out, err = call("explain", "ml-bob")
    assert (status, out) == (86, "")
    assert "event 1 of desk.bob." in err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["audit", "--writer", "nobody"], LogError.exit_status, "none of the writers that were asked for"),
        (["audit", "who", "nobody/shop"], 2, "has no events of workspace nobody/shop"),
    ],
)
def test_a_mistake_is_one_line(call: Call, arguments: list[str], status: int, words: str) -> None:
    found, out, err = call(*arguments)
    assert (found, out, len(err.splitlines())) == (status, "", 1)
    assert words in err


def test_writers_of_one_log_make_no_sense(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--writer", "ada"]) == 2
    assert "--writer chooses among the logs of a container or folder" in capsys.readouterr().err
