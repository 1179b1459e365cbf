"""Which faults are repeated, how long the pauses are, and where it ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.azure.budget import left, within
from adapters.azure.fault import Fault, Kind, answered, retry_after
from adapters.azure.retry import NEW_GROUP, RULES, Rule, pause, repeat, reporter, rule_for


def answer(status: int, code: str = "", message: str = "") -> Fault:
    return Fault(kind=Kind.ANSWERED, status=status, code=code, message=message)


@pytest.mark.parametrize(
    "fault",
    [
        answer(429, "TooManyRequests"),
        answer(429, "OperationNotAllowed"),
        *(answer(status) for status in (408, 500, 502, 503, 504)),
        answer(503, "ServiceUnavailable"),
        answer(409, "ContainerGroupTransitioning"),
        answer(409, "ContainerGroupDeploymentNotReady"),
        answer(409, "RegistryErrorResponse"),
        answer(400, "InaccessibleImage"),
        answer(401, "ExpiredAuthenticationToken"),
        answer(409, "", "The container group 'x' is still transitioning, please retry later."),
        Fault(kind=Kind.LOST),
        Fault(kind=Kind.UNREACHED),
    ],
    ids=str,
)
def test_what_may_pass(fault: Fault) -> None:
    rule = rule_for(fault)
    assert rule is not None
    assert rule.times > 0


@pytest.mark.parametrize(
    "fault",
    [
        *(answer(status) for status in (400, 402, 403, 404, 405, 409, 410, 412, 422)),
        answer(409, "ServiceUnavailable"),
        answer(409, "ContainerGroupStopped"),
        answer(409, "MissingSubscriptionRegistration"),
        answer(400, "ContainerGroupQuotaReached"),
        answer(400, "InvalidCommandLength"),
        answer(404, "ResourceGroupNotFound"),
        answer(500, "InternalServerError", "The DNS name label 'l' in container group 'g' not available."),
        Fault(kind=Kind.UNTRUSTED),
        Fault(kind=Kind.OTHER),
    ],
    ids=str,
)
def test_what_stands(fault: Fault) -> None:
    rule = rule_for(fault)
    assert rule is None or rule.times == 0


def test_a_new_resource_group_may_take_a_moment() -> None:
    assert rule_for(answer(404, "ResourceGroupNotFound"), (NEW_GROUP,)) is NEW_GROUP


@given(st.sampled_from(RULES), st.integers(1, 10**6), st.floats(0, 1))
def test_pauses_are_bounded(rule: Rule, attempt: int, jitter: float) -> None:
    assert 0 <= pause(rule, attempt, Fault(kind=rule.kind), jitter=jitter) <= rule.ceiling


@given(st.sampled_from(RULES), st.integers(1, 50), st.floats(0, 1), st.floats(0, 1000))
def test_azure_is_never_asked_sooner_than_it_said(rule: Rule, attempt: int, jitter: float, asked: float) -> None:
    fault = Fault(kind=rule.kind, retry_after=asked)
    assert asked <= pause(rule, attempt, fault, jitter=jitter) <= asked + 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"x-ms-retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)}, 0),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_as_a_date() -> None:
    soon = retry_after({"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)})
    assert soon is not None
    assert 80 < soon <= 90


class Flaky:
    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.faults:
            raise FlakyError(self.faults.pop(0))
        return "done"


class FlakyError(Exception):
    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault


def read(error: BaseException) -> Fault:
    return error.fault if isinstance(error, FlakyError) else Fault(kind=Kind.OTHER)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr("adapters.azure.retry.time.sleep", taken.append)
    return taken


def test_repeats_until_it_works(naps: list[float]) -> None:
    notes: list[str] = []
    action = Flaky([answer(503), answer(429), Fault(kind=Kind.LOST)])
    assert repeat(action, read, note=notes.append) == "done"
    assert action.calls == 4
    assert len(naps) == len(notes) == 3


def slow(status: int, code: str = "") -> Fault:
    """An answer that asks for more patience than a person has without a word."""
    return Fault(kind=Kind.ANSWERED, status=status, code=code, retry_after=6)


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        ([answer(503)], []),
        ([slow(503), slow(503), slow(503)], ["cannot do it yet (server error); trying again for up to 100 s"]),
        ([slow(409, "Conflict")], ["cannot do it yet (conflict); trying again up to 4 times"]),
        (
            [answer(400, "InaccessibleImage"), slow(400, "InaccessibleImage")],
            ["cannot do it yet (image); trying again once more"],
        ),
    ],
)
@pytest.mark.usefixtures("naps")
def test_a_long_wait_is_told_once_and_how_long_it_may_go_on(faults: list[Fault], told: list[str]) -> None:
    said: list[str] = []
    assert repeat(Flaky(faults), read, patience=100, waits=reporter("do it", said.append)) == "done"
    assert said == told


def test_each_rule_counts_for_itself(naps: list[float]) -> None:
    image = answer(400, "InaccessibleImage")
    action = Flaky([image, answer(503), image, answer(503), image])
    with pytest.raises(FlakyError):
        repeat(action, read)
    assert action.calls == 5


def test_a_pause_longer_than_what_is_left_is_not_taken(naps: list[float]) -> None:
    action = Flaky([Fault(kind=Kind.ANSWERED, status=429, retry_after=60)])
    with within(5), pytest.raises(FlakyError):
        repeat(action, read)
    assert naps == []


def test_patience_of_one_call_ends_it_like_the_budget_does(naps: list[float]) -> None:
    action = Flaky([Fault(kind=Kind.ANSWERED, status=429, retry_after=60)] * 2)
    with pytest.raises(FlakyError):
        repeat(action, read, patience=5)
    assert (naps, action.calls) == ([], 1)
    assert repeat(action, read, patience=100) == "done"


def test_what_no_rule_of_the_caller_names_stands(naps: list[float]) -> None:
    only = (Rule(name="busy", status=503, first=1, ceiling=1),)
    action = Flaky([answer(503), answer(429)])
    with pytest.raises(FlakyError):
        repeat(action, read, rules=only)
    assert len(naps) == 1


def test_an_interrupt_is_not_repeated() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repeat(interrupted, read)


def test_budgets_nest() -> None:
    assert left() == float("inf")
    with within(10):
        with within(100):
            assert left() <= 10
        with within(0.01):
            time.sleep(0.02)
            assert left() == 0
        assert 5 < left() <= 10
    assert left() == float("inf")


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null", '"text"', '{"error": 3}', '{"error": null}', "{"])
def test_bodies_that_are_no_arm_error(body: str) -> None:
    fault = answered(502, {}, body, "Bad Gateway")
    assert fault.code == ""
    assert fault.message == "Bad Gateway"


def test_a_conflict_that_does_not_say_with_what_may_pass_but_not_for_ever() -> None:
    for body in ("", "<html>", '{"error": {"code": "Conflict", "message": "busy"}}'):
        rule = rule_for(answered(409, {}, body))
        assert rule is not None
        assert 0 < rule.times < 10
