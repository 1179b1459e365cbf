"""The meter, and the sums: counted by hand, and held for any history."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.audit.cost import bill
from eventlog.audit.meter import UNKNOWN, Stretch, metered
from eventlog.audit.prices import Prices, Rates
from eventlog.audit.walk import walk
from statemachine import events as e
from tests.eventlog.audit.story import ADA, BOB, MONDAY, OWNER, Story, facts, group, refused

HOUR = 3600.0
PRICES = Prices("test", "EUR", {"eastus": Rates("eastus", Decimal("0.01"), Decimal("0.001"))})


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "events.jsonl")


def stretches(story: Story) -> list[Stretch]:
    return metered(walk(story.records()), story.now)


def seconds(story: Story) -> tuple[float, float]:
    """Certain and doubtful."""
    sums = {True: 0.0, False: 0.0}
    for one in stretches(story):
        sums[one.certain] += (one.until - one.since).total_seconds()
    return sums[True], sums[False]


def test_the_meter_starts_with_the_request_and_ends_when_it_is_stopped(story: Story) -> None:
    story.creates("shop", 40).wait(hours=1).stops("shop", 5).wait(hours=9).deletes("shop")
    assert seconds(story) == (40 + HOUR + 5, 0)


def test_what_runs_is_counted_until_now(story: Story) -> None:
    story.creates("shop", 40).wait(hours=1)
    (one,) = stretches(story)
    assert one.running
    assert seconds(story) == (40 + HOUR, 0)


def test_a_refused_create_costs_nothing(story: Story) -> None:
    story.fails_to_create("ml", refused("InaccessibleImage", "no", error="ImageError")).wait(hours=5)
    assert seconds(story) == (0, 0)


def test_credentials_that_failed_cost_nothing(story: Story) -> None:
    failure = e.Failure(error="CredentialsError", message="no credentials")
    story.fails_to_create("ml", failure).wait(hours=5)
    assert seconds(story) == (0, 0)


def test_a_group_that_failed_after_it_was_accepted_is_in_doubt_until_it_is_gone(story: Story) -> None:
    failure = e.Failure(error="ProvisioningError", message="crash loop", code="CrashLoopBackOff")
    story.fails_to_create("ml", failure, seconds=60).wait(hours=2).deletes("ml", 4)
    assert seconds(story) == (0, 60 + 2 * HOUR + 4)


def test_a_refused_retry_does_not_end_what_was_accepted_before(story: Story) -> None:
    story.call(ADA).fails_to_create("ml", refused("GatewayTimeout", "late", status=504), seconds=300, cpu=1.0)
    story.call(BOB).fails_to_create("ml", refused("TooManyRequests", "slow down", status=429), seconds=1, cpu=4.0)
    story.wait(hours=2).says("ml", e.Drifted()).wait(minutes=5).deletes("ml", 0)
    assert seconds(story) == (300, 300 + 1 + 2 * HOUR)
    assert {(one.actor, one.facts.cpu) for one in stretches(story)} == {(ADA, 1.0)}


def test_a_refused_start_does_not_end_what_could_not_be_stopped(story: Story) -> None:
    story.creates("shop", 0).wait(hours=1).says("shop", e.StopRequested(owner=OWNER))
    story.says("shop", e.StopFailed(failure=refused("InternalServerError", "oops", status=500)))
    story.says("shop", e.StartRequested(owner=OWNER))
    story.says("shop", e.StartFailed(failure=refused("Conflict", "busy", status=409)))
    story.wait(hours=9).says("shop", e.Drifted()).stops("shop", 0)
    assert seconds(story) == (HOUR, 9 * HOUR)


def test_time_since_the_last_sign_of_life_is_in_doubt_when_it_ended_by_itself(story: Story) -> None:
    story.creates("shop", 40).runs("shop", HOUR).wait(hours=3).says("shop", e.Exited()).wait(hours=1)
    assert seconds(story) == (40 + HOUR, 3 * HOUR)


@pytest.mark.parametrize("reason", ["abandoned", "failed"])
def test_a_command_that_met_nobody_is_no_sign_of_life(story: Story, reason: str) -> None:
    story.creates("shop", 40).says("shop", e.CommandOpened(owner=OWNER, command="c", sha256="0" * 64, size=1))
    story.wait(hours=5).says("shop", e.CommandClosed(command="c", reason=reason), e.Exited())
    assert seconds(story) == (40, 5 * HOUR)


def test_a_vanished_group_the_same(story: Story) -> None:
    story.creates("shop", 40).wait(hours=3).says("shop", e.Vanished()).wait(hours=1)
    assert seconds(story) == (40, 3 * HOUR)


def test_eviction_is_in_doubt_until_it_runs_again(story: Story) -> None:
    story.creates("shop", 0).wait(hours=1).says("shop", e.Evicted()).wait(minutes=10).says("shop", e.Drifted())
    story.wait(hours=1).stops("shop", 0)
    assert seconds(story) == (2 * HOUR, 600)


def test_a_stop_that_failed_is_in_doubt_from_then_on(story: Story) -> None:
    story.creates("shop", 0).wait(hours=1).says("shop", e.StopRequested(owner=OWNER))
    story.says("shop", e.StopFailed(failure=refused("InternalServerError", "oops", status=500)))
    story.wait(hours=2).deletes("shop", 0)
    assert seconds(story) == (HOUR, 2 * HOUR)


def test_what_was_found_running_belongs_to_nobody_known(story: Story) -> None:
    story.says("shop", e.Adopted(group=group("shop"), facts=facts(4, 8))).wait(hours=1).stops("shop", 0)
    (one,) = stretches(story)
    assert one.actor == UNKNOWN
    assert (one.facts.cpu, one.facts.memory_gb) == (4, 8)


def test_drift_turns_the_meter_on(story: Story) -> None:
    story.creates("shop", 0).stops("shop", 0).wait(hours=1).says("shop", e.Drifted()).wait(hours=1).stops("shop", 0)
    assert seconds(story) == (HOUR, 0)


def test_a_clock_that_steps_back_costs_nothing(story: Story) -> None:
    story.creates("shop", 0).wait(hours=-2).stops("shop", 0)
    assert seconds(story) == (0, 0)


def test_a_clock_that_was_set_back_while_it_ran_loses_only_what_it_did_not_show(story: Story) -> None:
    story.creates("shop", 40).runs("shop", 600).wait(hours=-1).runs("shop", HOUR / 2).stops("shop", 0)
    assert seconds(story) == (40 + 600 + HOUR / 2, 0)


def test_a_clock_that_was_set_back_while_it_runs_on(story: Story) -> None:
    story.creates("shop", 40).wait(hours=-1).runs("shop", 600).wait(minutes=5)
    assert seconds(story) == (40 + 600 + 300, 0)
    assert [one.running for one in stretches(story)] == [False, True]


def test_a_clock_that_was_set_back_before_it_was_found_ended(story: Story) -> None:
    story.creates("shop", 40).wait(hours=-1).runs("shop", 60).wait(minutes=10).says("shop", e.Exited())
    assert seconds(story) == (40 + 60, 600)


def test_a_second_size_is_priced_as_the_second_size(story: Story) -> None:
    failure = e.Failure(error="ProvisioningError", message="crash loop")
    story.fails_to_create("ml", failure, seconds=HOUR, cpu=1.0).creates("ml", HOUR, cpu=4.0)
    assert [(one.facts.cpu, one.certain) for one in stretches(story)] == [(1.0, False), (4.0, True)]


def test_sums_by_hand(story: Story) -> None:
    story.call(ADA).creates("shop", 100, cpu=2.0, memory_gb=4.0).stops("shop", 0)
    story.call(BOB).creates("ml", 1000, cpu=1.0, memory_gb=1.0).deletes("ml", 0)
    found = bill(stretches(story), PRICES, ("actor",))
    assert [(line.actor, line.seconds, line.amount) for line in found.lines] == [
        ("ada@contoso.example", 100, Decimal(100) * (2 * Decimal("0.01") + 4 * Decimal("0.001"))),
        ("bob@contoso.example", 1000, Decimal(1000) * (Decimal("0.01") + Decimal("0.001"))),
    ]
    assert found.total.amount == sum(line.amount for line in found.lines)
    assert (found.lines[0].vcpu_seconds, found.lines[0].gb_seconds) == (200, 400)


def test_a_day_ends_at_midnight_utc(story: Story) -> None:
    story.at("2026-11-16T23:00:00").creates("shop", 0).wait(hours=26).stops("shop", 0)
    found = bill(stretches(story), PRICES, ("day",))
    assert [(line.day, line.seconds) for line in found.lines] == [
        ("2026-11-16", HOUR),
        ("2026-11-17", 24 * HOUR),
        ("2026-11-18", HOUR),
    ]


def test_a_size_below_nothing_takes_nothing_off_the_others(story: Story) -> None:
    story.creates("shop", 40, cpu=1.0, memory_gb=1.0).deletes("shop")
    alone = bill(stretches(story), PRICES).total
    story.creates("evil", 40, cpu=-1000.0, memory_gb=-1000.0).deletes("evil")
    total = bill(stretches(story), PRICES).total
    assert (total.amount, total.vcpu_seconds) == (alone.amount, alone.vcpu_seconds)


def test_only_the_time_asked_for_counts(story: Story) -> None:
    story.creates("shop", 0).wait(hours=10)
    begun = story.now - timedelta(hours=10)
    found = bill(stretches(story), PRICES, since=begun + timedelta(hours=1), until=begun + timedelta(hours=3))
    assert found.total.seconds == 2 * HOUR
    assert not found.total.running


def test_a_region_without_a_price_is_named_and_not_guessed(story: Story) -> None:
    story.creates("api", HOUR, location="West Europe").deletes("api", 0)
    found = bill(stretches(story), PRICES)
    assert (found.unpriced, found.total.unpriced_seconds, found.total.amount) == (("westeurope",), HOUR, 0)


def test_windows_needs_its_own_price(story: Story) -> None:
    (one,) = stretches(story.creates("win", HOUR))
    windows = Stretch(
        **{name: getattr(one, name) for name in ("workspace", "actor", "since", "until", "certain")},
        facts=e.GroupFacts(image="i", location="eastus", cpu=1, memory_gb=1, os_type="Windows"),
    )
    assert bill([windows], PRICES).total.unpriced_seconds == HOUR
    rates = Rates("eastus", Decimal("0.01"), Decimal("0.001"), Decimal("0.02"))
    assert bill([windows], Prices("t", "EUR", {"eastus": rates})).total.amount == Decimal(3600) * Decimal("0.031")


MOMENTS = st.integers(0, 30 * 86400).map(lambda seconds: MONDAY + timedelta(seconds=seconds))


@given(st.lists(st.tuples(MOMENTS, st.integers(0, 10**6), st.sampled_from("abc"), st.booleans()), max_size=12))
def test_however_it_is_summed_the_total_is_the_same(parts: list[tuple[datetime, int, str, bool]]) -> None:
    pieces = [
        Stretch(
            workspace=name,
            actor=ADA if certain else BOB,
            since=since,
            until=since + timedelta(seconds=length),
            facts=facts(),
            certain=certain,
        )
        for since, length, name, certain in parts
    ]
    whole = bill(pieces, PRICES).total
    for by in (("day",), ("actor",), ("day", "workspace", "actor"), ("region",)):
        found = bill(pieces, PRICES, by)
        assert abs(sum(line.seconds for line in found.lines) - whole.seconds) < 1e-3
        assert abs(sum(line.amount for line in found.lines) - whole.amount) < Decimal("0.0001")
        assert sum(line.doubtful_seconds for line in found.lines) <= whole.seconds + 1e-3
