"""The page: whole, the same every time, and deaf to what the log may hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.report.charts import MOST_COLOURS, MOST_WORKSPACES, OTHERS, cost_colours, drawings
from adapters.report.page import breakable, seal_of, seal_of_many
from adapters.report.svg import SHAPES, ticks
from eventlog import Actor, Verdict
from eventlog.audit.query import Query
from statemachine import events as e
from tests.adapters.report.conftest import NOW, page_of, summary_of
from tests.eventlog.audit.story import Story, facts, group, refused

VOID = {"meta", "link", "br"}


class Checker(HTMLParser):
    """Whether every element is closed where it should be; what it points to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "srcset", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def checked(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def test_one_file_without_scripts_or_links(page: str) -> None:
    found = checked(page)
    assert found.links == ["data:,"]
    assert not found.tags & {"script", "img", "iframe", "object", "embed", "form"}
    assert "url(" not in page
    assert "@import" not in page
    assert re.findall(r"https?://[^\s\"'<)]+", page) == ["http://www.w3.org/2000/svg"] * page.count("<svg")
    assert len(page.encode()) < 200_000


def test_it_says_what_happened(page: str) -> None:
    for words in (
        "Chain whole: 32 events",
        "InaccessibleImage: The image &#39;contoso.azurecr.io/ml:latest&#39;",
        "Check the name and tag, and for a private registry ACR_SERVER",
        "ada@laptop (ada@contoso.example)",
        "request id <code>eastus:req-77</code>",
        "A note.",
        "in doubt",
    ):
        assert words in page


def test_the_same_log_makes_the_same_page(story: Story) -> None:
    assert page_of(story) == page_of(story)


def test_its_figures_agree(story: Story) -> None:
    """A command that ended with a status of its own is nobody's failure."""
    summary = summary_of(story)
    assert {one.name: one.failures for one in summary.people} == {
        "ada@contoso.example": 1,
        "app:1f6c": 0,
        "bob@contoso.example": 1,
    }
    assert sum(life.failures for life in summary.lives) == len(summary.failures) == 2


HOSTILE = "<script>alert(1)</script>\"'&\x1b[2J\x00]]>{{ 7*7 }}"


def test_what_the_log_holds_is_only_ever_text(tmp_path: Path) -> None:
    story = Story(tmp_path / "events.jsonl")
    failure = refused(HOSTILE, HOSTILE, error=HOSTILE)
    asked = e.CreateRequested(owner=e.Owner(host="h", pid=1), group=group("x"), facts=facts(image=HOSTILE))
    story.call(Actor(HOSTILE, HOSTILE, HOSTILE))
    story.says(HOSTILE, asked).wait(seconds=5).says(HOSTILE, e.CreateFailed(failure=failure))
    story.creates("</svg><script>", 60)
    page = page_of(story)
    assert "script" not in checked(page).tags
    assert "\x1b" not in page
    assert "\x00" not in page
    assert "{{ 7*7 }}" in page


def test_a_text_as_long_as_a_line_of_the_log_is_cut(tmp_path: Path) -> None:
    story, long = Story(tmp_path / "events.jsonl"), "x" * 200_000
    for number, code in enumerate((long, "Code", "Code")):
        story.fails_to_create(f"{number}{long}", refused(code, f"said {long}", error="AzureError"))
    story.call(Actor(long, long, long)).creates(long, 60)
    page = page_of(story)
    checked(page)
    assert len(page) < 200_000
    assert "said xxx" in page
    assert "xxx…" in page


def test_nothing_but_running_workspaces(tmp_path: Path) -> None:
    page = page_of(Story(tmp_path / "events.jsonl").at("2026-11-20T09:00:00").creates("shop"))
    checked(page)
    assert "Nothing failed." in page
    assert "shop: provisioning, running, 20 Nov 09:00 to" in page


def test_many_workspaces_stay_readable(tmp_path: Path) -> None:
    story = Story(tmp_path / "events.jsonl")
    for number in range(MOST_WORKSPACES + 5):
        story.creates(f"workspace-with-a-rather-long-name-{number:02}", 60).wait(minutes=number).deletes(
            f"workspace-with-a-rather-long-name-{number:02}"
        )
    summary = summary_of(story)
    colours = cost_colours(summary)
    assert (len(colours), colours[-1][0]) == (MOST_COLOURS, OTHERS)
    page = page_of(story)
    checked(page)
    assert f"The {MOST_WORKSPACES} in which something happened last" in page
    assert "How many were up" in page
    # Every cent is in the chart, the small ones among the others.
    drawn = sum(float(amount) for amount in re.findall(r", 2026-11-\d\d: ([\d.]+) USD", drawings(summary)["costs"][0]))
    assert abs(drawn - float(summary.by_day.total.amount)) < 0.01 * MOST_COLOURS * 7


def test_only_the_time_and_the_workspaces_asked_for(story: Story) -> None:
    since, until = datetime(2026, 11, 18, tzinfo=UTC), datetime(2026, 11, 19, tzinfo=UTC)
    query = Query(workspaces=("shop",), since=since, until=until)
    summary = summary_of(story, query)
    assert [life.workspace for life in summary.lives] == ["shop"]
    assert [one.code for one in summary.failures] == ["ServiceUnavailable"]
    assert all(since <= bar.since < bar.until <= until for bar in summary.bars["shop"])
    assert {line.day for line in summary.by_day.lines} == {"2026-11-18"}


def test_bars_follow_each_other_without_overlap(story: Story) -> None:
    summary = summary_of(story)
    assert set(summary.bars) == {"shop", "ml", "nightly", "api"}
    for own in summary.bars.values():
        assert all(a.until <= b.since for a, b in pairwise(own))
        assert all(bar.since < bar.until <= NOW for bar in own)


def test_a_workspace_that_stands_failed_says_why(tmp_path: Path) -> None:
    story = Story(tmp_path / "events.jsonl")
    story.fails_to_create("ml", refused("ContainerGroupQuotaReached", "used up", error="QuotaError"))
    (life,) = summary_of(story).lives
    assert "quota of cores" in life.explanation
    assert "quota of cores" in page_of(story)


@pytest.mark.parametrize("most", [shape.ticks for shape in SHAPES])
@pytest.mark.parametrize(
    "span", [timedelta(hours=1), timedelta(hours=30), timedelta(days=7), timedelta(days=45), timedelta(days=800)]
)
def test_ticks_fit_and_lie_inside(span: timedelta, most: int) -> None:
    since = datetime(2026, 11, 16, 9, 2, tzinfo=UTC)
    found = ticks(since, since + span, most)
    assert 1 <= len(found) <= most + 1
    assert all(0 <= tick.value <= span / timedelta(hours=1) for tick in found)


@pytest.mark.parametrize(
    ("verdict", "seal", "words"),
    [
        (Verdict(ok=True, events=3), "good", "Chain whole: 3 events"),
        (Verdict(ok=False, events=2, line=3, reason="line 3 was changed"), "bad", "Chain broken at line 3"),
        (Verdict(ok=False, events=2, line=3, reason="unfinished", torn=7), "good", "Chain whole: 2 events"),
    ],
)
def test_the_seal(verdict: Verdict, seal: str, words: str) -> None:
    found = seal_of(verdict)
    assert (found.verdict, found.headline) == (seal, words)


def test_the_seal_says_what_is_signed_when_keys_were_given() -> None:
    verdict = Verdict(ok=True, events=30, signed=20, unsealed=10)
    assert "signed up to event 20, 10 unsigned at the end" in seal_of(verdict, signed=True).details
    assert not any("signed" in detail for detail in seal_of(verdict).details)


def test_the_seal_of_many_logs_names_each_that_is_broken() -> None:
    assert seal_of_many([("laptop.ada.1", 30, ""), ("desk.bob.2", 12, "")]).headline == "All 2 chains whole: 42 events"
    found = seal_of_many([("laptop.ada.1", 30, ""), ("desk.bob.2", 12, "was changed")])
    assert (found.verdict, found.headline) == ("bad", "1 of 2 chains broken")
    assert found.details == ("desk.bob.2, event 13: was changed",)


def test_small_sums_keep_their_figures(tmp_path: Path) -> None:
    story = Story(tmp_path / "events.jsonl").at("2026-11-20T17:00:00").creates("shop", cpu=1.0)
    story.wait(minutes=30).deletes("shop")
    (wide, _) = drawings(summary_of(story))["costs"]
    scale = re.findall(r">(0\.\d+)</text>", wide)
    assert len(set(scale)) == len(scale) > 3
    assert "shop, 2026-11-20: 0.03 USD" in wide


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("ContainerGroupQuotaReached", "Container<wbr>Group<wbr>Quota<wbr>Reached"),
        ("AADSTS7000215", "AADSTS7000215"),
        ("<b>x", "&lt;b&gt;x"),
        ("", ""),
    ],
)
def test_long_codes_break_between_words(code: str, shown: str) -> None:
    assert breakable(code) == shown


def test_days_are_labelled_at_even_steps(story: Story) -> None:
    wide, narrow = (re.findall(r">(\d\d Nov)</text>", svg) for svg in drawings(summary_of(story))["costs"])
    assert wide == ["16 Nov", "17 Nov", "18 Nov", "19 Nov", "20 Nov"]
    assert narrow == ["16 Nov", "18 Nov", "20 Nov"]


def test_the_charts_have_a_shape_for_each_screen(story: Story) -> None:
    found = drawings(summary_of(story))
    assert found.pop("fleet") == []
    for shapes in found.values():
        assert [re.findall(r'class="pygal-chart (\w+)"', svg) for svg in shapes] == [["wide"], ["narrow"]]
        assert all("<style" not in svg and "<!--" not in svg and "<desc" not in svg for svg in shapes)


def test_a_log_of_one_instant_is_a_page_too(tmp_path: Path) -> None:
    story = Story(tmp_path / "events.jsonl", NOW - timedelta(hours=1)).creates("shop", 0).deletes("shop", 0)
    checked(page_of(story))
