"""Workspaces that people know under another name than the log: learned as records go by, and found by either."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlog import EventLog, Record
from eventlog.audit.names import Names, called
from eventlog.audit.query import Query
from eventlog.audit.stream import Stream, of_writer
from statemachine import events as e
from tests.eventlog.audit.story import BOB, Story, facts, group

FIRST, SECOND, OTHER = "default-sh-11111", "default-sh-22222", "default-ml-33333"


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """Two lives of what people call shop, and a machine, which has no other name."""
    told = Story(tmp_path / "events.jsonl").creates(FIRST, name="shop").deletes(FIRST)
    return told.creates(SECOND, name="shop").creates("box").call(BOB).stops(SECOND)


def chosen(records: list[Record], *patterns: str) -> list[int]:
    return [record.seq for record in Names().chosen(records, Query(workspaces=patterns))]


@pytest.mark.parametrize(
    ("patterns", "seqs"),
    [
        ((), list(range(1, 11))),
        (("shop",), [1, 2, 3, 4, 5, 6, 9, 10]),
        (("SH*",), [1, 2, 3, 4, 5, 6, 9, 10]),
        ((SECOND,), [5, 6, 9, 10]),
        (("box",), [7, 8]),
        (("nobody",), []),
    ],
)
def test_records_are_chosen_by_subject_or_name(story: Story, patterns: tuple[str, ...], seqs: list[int]) -> None:
    assert chosen(story.records(), *patterns) == seqs


def test_a_label_has_both_names(story: Story) -> None:
    names = Names()
    assert [names.learn(record) for record in story.records()][:8] == ["shop"] * 6 + [""] * 2
    assert names.labels([Stream("", SECOND), Stream("", "box")]) == {
        Stream("", SECOND): f"shop ({SECOND})",
        Stream("", "box"): "box",
    }


def test_names_are_each_logs_own(story: Story) -> None:
    names = Names()
    made = story.records()[0]
    assert names.learn(of_writer(made, "laptop.ada.1")) == "shop"
    assert (names.of(Stream("laptop.ada.1", FIRST)), names.of(Stream("desk.bob.2", FIRST))) == ("shop", "")


def test_whose_group_was_found_and_not_made_is_named_as_well(tmp_path: Path) -> None:
    adopted = e.Adopted(group=group(OTHER), facts=facts(name="ml"))
    assert chosen(Story(tmp_path / "events.jsonl").says(OTHER, adopted).stops(OTHER).records(), "ml") == [1, 2, 3]


def test_the_living_ones_are_meant_by_a_name(story: Story) -> None:
    states = EventLog(story.path, actor=lambda: BOB, correlation="c").states()
    assert called("shop", states) == ([SECOND], True)
    assert called("box", states) == ([], False)
    story.deletes(SECOND)
    states = EventLog(story.path, actor=lambda: BOB, correlation="c").states()
    assert called("shop", states) == ([SECOND, FIRST], False)
