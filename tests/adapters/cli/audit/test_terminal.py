"""What people see: on a terminal of 80 columns nothing is torn apart, in a pipe there is nothing but text."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.cli.main import run
from eventlog import Actor
from tests.adapters.cli.terminal import Terminal, on_terminal
from tests.eventlog.audit.story import Story, week

Piped = Callable[[list[str]], str]
ROOT = Path(__file__).parents[4]
PROGRAM = [sys.executable, "-m", "adapters.cli"]
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
VERBS = (
    ["audit"],
    ["audit", "who", "shop"],
    ["audit", "cost", "--by", "workspace,actor"],
    ["replay", "ml"],
    ["replay", "--diff", "ml@8", "shop"],
    ["explain", "shop"],
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of POSIX")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return week(tmp_path_factory.mktemp("week") / "events.jsonl")


def environment(story: Story, **more: str) -> dict[str, str]:
    base = {
        "PATH": os.environ["PATH"],
        "HOME": str(story.path.parent),
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
    }
    return base | {"ACI_EVENT_LOG": str(story.path), "LC_ALL": "C.UTF-8"} | more


def shown(story: Story, verb: list[str], columns: int = 80, **more: str) -> str:
    with on_terminal([*PROGRAM, *verb], environment(story, **more), ROOT, columns) as terminal:
        return terminal.end()


def is_heading(line: str) -> bool:
    """Column heads are for tables alone; a diff's are its two points."""
    return line.isupper() or line.startswith(("TIME (UTC)", "STARTED", "WHO", "   "))


def words_of(text: str) -> list[str]:
    return re.findall(r"[\w.:/@()'-]+", text)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_eighty_columns_are_enough(story: Story, piped: Piped, verb: list[str]) -> None:
    text = ESCAPE.sub("", shown(story, verb))
    assert text
    assert all(len(line) <= 80 for line in text.splitlines())
    # What is said is said whole: no word of the wide form is missing, none is cut in two.
    wide = [line for line in piped(verb).splitlines() if not is_heading(line)]
    assert set(words_of("\n".join(wide))) - {"total"} <= set(words_of(text))


SERVICE = Actor("ci", "runner-7", "app:11111111-0000-4000-8000-e41a7c0de003")
"""A service principal, whose name is longer than any person's."""


@pytest.mark.parametrize(
    ("verb", "whole"),
    [
        (["history"], ["ci@runner-7", "create"]),
        (["audit", "cost", "--by", "day,workspace,actor"], [SERVICE.azure, "2026-11-16", "total", " USD"]),
        (["audit", "cost", "--by", "workspace"], ["WORKSPACE", "HOURS", "\nshop "]),
        (["audit", "sql", "FROM events LIMIT 1"], ["type            CreateRequested", "0" * 64]),
        (["audit", "sql", "SELECT type, seq FROM events LIMIT 1"], ["type              seq"]),
    ],
    ids=lambda value: " ".join(value[:2]),
)
def test_long_names_are_not_torn(tmp_path: Path, verb: list[str], whole: list[str]) -> None:
    text = ESCAPE.sub("", shown(Story(tmp_path / "events.jsonl").call(SERVICE).says("x").creates("shop"), verb))
    assert all(len(line) <= 80 for line in text.splitlines())
    assert [words for words in whole if words not in text] == []


@pytest.fixture
def piped(story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Piped:
    """What a verb prints where there is no terminal."""
    for name, value in environment(story, COLUMNS="40").items():
        monkeypatch.setenv(name, value)

    def printed(verb: list[str]) -> str:
        assert run(verb) == 0
        return capsys.readouterr().out

    return printed


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_pipe_gets_text_alone(piped: Piped, verb: list[str]) -> None:
    text = piped(verb)
    assert "\x1b" not in text
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_colour_is_for_those_who_want_it(story: Story) -> None:
    assert "\x1b[" in shown(story, ["audit"])
    assert "\x1b[" not in shown(story, ["audit"], NO_COLOR="1")
    assert "\x1b[" in shown(story, ["audit"], NO_COLOR="")
    assert "\x1b[" not in shown(story, ["audit"], TERM="dumb")


def asked(terminal: Terminal, count: int) -> str:
    return terminal.until("Enter: next event", count)


def test_replay_step_by_step(story: Story) -> None:
    with on_terminal([*PROGRAM, "replay", "ml", "--step"], environment(story), ROOT) as terminal:
        first = asked(terminal, 1)
        assert "CreateRequested" in first
        assert "CreateFailed" not in first
        terminal.type("\n")
        assert "CreateFailed" in asked(terminal, 2)
        terminal.type("q\n")
        text = terminal.end()
    assert terminal.process.returncode == 0
    assert "ml IN THE END" not in text
    assert "ml THEN" in ESCAPE.sub("", text)
    assert "Created" not in text.replace("CreateRequested", "").replace("created", "")


def test_replay_step_ends_with_the_end_of_input_and_with_an_interrupt(story: Story) -> None:
    def no_more(terminal: Terminal) -> str:
        terminal.type("\x04")
        return terminal.end()

    for leave, status in ((no_more, 0), (Terminal.interrupt, 130)):
        with on_terminal([*PROGRAM, "replay", "ml", "--step"], environment(story), ROOT) as terminal:
            asked(terminal, 1)
            text = leave(terminal)
        assert terminal.process.returncode == status
        assert "Traceback" not in text
