"""Which requests to a storage account are sent again: by the service's answer, and never by what we made of one."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError, IncompleteReadError, ServiceRequestError, ServiceResponseError

from adapters.azure.retry import rule_for
from adapters.ship.faults import RULES, fault_of
from adapters.ship.store import FullError, MovedError
from statemachine.errors import CredentialsError


class Answered:
    """What azure-core wants of a response; storage answers in XML."""

    reason = "no"

    def __init__(self, status: int) -> None:
        self.status_code = status
        self.headers = {"Retry-After": "3"}

    def text(self, _encoding: str | None = None) -> str:
        return "<Error><Code>Whatever</Code></Error>"


def refused(status: int, code: str = "") -> HttpResponseError:
    error = HttpResponseError(response=Answered(status))
    error.error_code = code
    return error


def times(error: BaseException) -> int:
    """How often a request that failed so is sent again at most."""
    rule = rule_for(fault_of(error), (), RULES)
    return rule.times if rule else 0


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_these_answers_may_pass(status: int) -> None:
    assert times(refused(status)) > 100
    assert fault_of(refused(status)).retry_after == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412])
def test_any_other_answer_stands(status: int) -> None:
    assert times(refused(status)) == 0


def test_what_was_damaged_on_the_way_is_sent_a_few_times_more() -> None:
    assert times(refused(400, "Md5Mismatch")) == 4


def test_a_lost_answer_is_worth_more_tries_than_nobody_there() -> None:
    for lost in (ServiceResponseError("closed"), IncompleteReadError("cut", response=Answered(206))):
        assert times(lost) > 100
    assert times(ServiceRequestError("refused")) == 4


@pytest.mark.parametrize("ours", [MovedError("blob"), FullError("blob"), CredentialsError("no")])
def test_our_own_errors_are_not_judged_by_what_they_were_raised_from(ours: Exception) -> None:
    ours.__cause__ = refused(503)
    assert times(ours) == 0
