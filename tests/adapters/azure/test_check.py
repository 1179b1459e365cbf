"""What `init` is told before anything is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapters.azure import GroupOrder, Level
from statemachine.errors import (
    AuthenticationError,
    CapacityError,
    NotRegisteredError,
    QuotaError,
)
from statemachine.secret import Secret

PUT = "ContainerGroups_CreateOrUpdate"
Order = Callable[..., GroupOrder]


def test_check_finds_nothing_wrong(line, clean) -> None:
    findings = line().groups.check("dev", "West Europe".replace(" ", "").lower(), cpu=1, memory_gb=2)
    assert {finding.level for finding in findings} == {Level.OK}
    subjects = {finding.subject for finding in findings}
    assert subjects == {"credentials", "resource group", "provider", "region", "capacity", "quota"}


def test_check_changes_nothing(line, clean) -> None:
    one = line()
    mark = one.control.mark()
    one.groups.check("not-there-yet", "westeurope")
    assert {entry["method"] for entry in one.control.requests(since=mark) if "Entra" not in entry["operation"]} == {
        "GET"
    }


def test_check_names_what_is_wrong(line, clean) -> None:
    one = line()
    one.control.registration("NotRegistered")
    problems = {f.subject: f for f in one.groups.check("dev", "moonbase") if f.level is Level.PROBLEM}
    assert isinstance(problems["provider"].error, NotRegisteredError)
    assert "moonbase" in problems["region"].text
    one.control.registration("Registered")
    findings = one.groups.check("dev", "westeurope", cpu=500, memory_gb=9999)
    problems = {f.subject: f for f in findings if f.level is Level.PROBLEM}
    assert isinstance(problems["capacity"].error, CapacityError)
    assert isinstance(problems["quota"].error, QuotaError)


def test_check_tolerates_what_may_not_be_read(line, clean) -> None:
    one = line()
    one.control.permissions(denied=["*/read"])
    findings = one.groups.check("dev", "westeurope")
    assert {finding.level for finding in findings} == {Level.OK, Level.NOTE}


def test_check_with_credentials_that_do_not_work(line, clean) -> None:
    findings = line(client_secret=Secret("wrong")).groups.check("dev", "westeurope")
    assert [(finding.subject, finding.level) for finding in findings] == [("credentials", Level.PROBLEM)]
    assert isinstance(findings[0].error, AuthenticationError)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_what_is_not_offered_is_a_note(line, clean, status: int) -> None:
    one = line()
    for operation in ("Location_ListCapabilities", "Location_ListUsage", "Providers_Get"):
        one.control.set_fault(operation, status=status, body="no such route", count=None)
    found = one.groups.check("dev", "westeurope", cpu=1.0, memory_gb=1.0)
    notes = {finding.subject for finding in found if finding.level is Level.NOTE}
    assert notes == {"provider", "capacity", "quota"}
    assert not [finding for finding in found if finding.level is Level.PROBLEM]


def test_a_subscription_that_is_not_there_is_a_problem(line, clean) -> None:
    one = line()
    one.control.set_fault("*_Get", status=404, code="SubscriptionNotFound", message="no such", count=None)
    found = one.groups.check("dev", "westeurope", cpu=1.0, memory_gb=1.0)
    assert "resource group" in {finding.subject for finding in found if finding.level is Level.PROBLEM}


@pytest.mark.parametrize("body", ['{"value":null}', "{}", '{"value":[null]}', ""])
@pytest.mark.parametrize("operation", ["Location_ListCapabilities", "Location_ListUsage", "Providers_Get"])
def test_answers_with_holes_are_notes(line, clean, operation: str, body: str) -> None:
    one = line()
    one.control.set_fault(operation, status=200, body=body, count=None)
    found = one.groups.check("dev", "westeurope", cpu=1.0, memory_gb=1.0)
    assert one.control.faults()[-1]["hits"] >= 1
    assert {finding.subject for finding in found} >= {"credentials", "resource group", "provider"}
