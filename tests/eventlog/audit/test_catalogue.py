"""The catalogue: every code anybody here knows is in it, whole, and explains a failure from end to end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.azure.errors import CODES
from adapters.azure.fault import MESSAGES
from eventlog.audit.catalogue import ENTRIES, Entry, Retry, entry_for
from eventlog.audit.explain import explain
from eventlog.audit.operations import operations
from eventlog.audit.walk import walk
from statemachine import errors
from tests.eventlog.audit.story import Story, refused

ROOT = Path(__file__).parents[3]
DOCUMENTED = [
    "ResourceNotFound",
    "ResourceGroupNotFound",
    "ContainerNotFound",
    "ContainerGroupTransitioning",
    "ContainerGroupDeploymentNotReady",
    "ContainerGroupStopped",
    "ContainerLogNotAvailable",
    "InaccessibleImage",
    "RegistryErrorResponse",
    "InvalidImageRegistryIdentity",
    "OsVersionNotSupported",
    "ImageOsTypeNotMatchContainerGroup",
    "ServiceUnavailable",
    "ContainerGroupQuotaReached",
    "ContainerLimitGreaterThanContainerGroupTotalRequest",
    "InvalidCommandLength",
    "DnsNameLabelNotAvailable",
    "MissingSubscriptionRegistration",
    "AuthorizationFailed",
    "LinkedAuthorizationFailed",
    "InternalServerError",
    "TooManyRequests",
    "OperationNotAllowed",
]
"""What Container Instances and ARM are known to answer."""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.code)
def test_each_code_explains_a_failure(entry: Entry, tmp_path: Path) -> None:
    story = Story(tmp_path / "events.jsonl")
    error = "CapacityError" if entry.code == "ServiceUnavailable" else "AzureError"
    story.fails_to_create("shop", refused(entry.code, "Azure's own words", error=error, number=5))
    steps = list(walk(story.records()))
    found = explain("shop", steps, operations(story.records()))
    assert found is not None
    assert (found.code, found.cause, found.remedy, found.retry) == (entry.code, entry.cause, entry.remedy, entry.retry)
    for part in (entry.code, entry.cause, entry.remedy, "HTTP 400", "eastus:req-5", "Azure's own words", "ada@laptop"):
        assert part in found.paragraph
    assert "\n" not in found.paragraph
    assert ".." not in found.paragraph.replace("…", "")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.code)
def test_each_entry_is_written_out(entry: Entry) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z]+", entry.code)
    assert entry.cause[0].isupper()
    assert not entry.cause.endswith(".")
    assert entry.remedy.endswith(".")


def test_no_code_is_there_twice() -> None:
    codes = [entry.code.lower() for entry in ENTRIES]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("code", sorted({*DOCUMENTED, *(row.code for row in CODES), *(code for _, code in MESSAGES)}))
def test_every_known_code_is_in_the_catalogue(code: str) -> None:
    assert entry_for(code) is not None


def test_options_it_names_exist() -> None:
    from adapters.devpod.options import TABLE

    known = {option.name for option in TABLE}
    named = {
        name for entry in ENTRIES for name in re.findall(r"\b(?:AZURE|ACI|ACR)_[A-Z_]+\b", entry.remedy + entry.cause)
    }
    assert named <= known


def test_a_code_comes_with_a_full_stop_when_it_comes_from_an_event() -> None:
    assert entry_for("InsufficientCapacity.") == entry_for("InsufficientCapacity")


def test_service_unavailable_is_about_room_only_when_azure_said_so_with_409() -> None:
    about_room, other = (
        entry_for("ServiceUnavailable", "CapacityError"),
        entry_for("ServiceUnavailable", "UnavailableError"),
    )
    assert about_room is not None
    assert other is not None
    assert "room" in about_room.cause
    assert other.retry is Retry.YES
    assert other.remedy == errors.UnavailableError.remedy


@pytest.mark.parametrize(
    "name",
    [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.ProviderError)],
)
def test_our_own_errors_explain_themselves(name: str) -> None:
    entry = entry_for("", name)
    assert entry is not None
    assert entry.cause


def test_what_nobody_knows_says_so(tmp_path: Path) -> None:
    story = Story(tmp_path / "events.jsonl")
    story.fails_to_create("shop", refused("BrandNewCode", "Something else", error="NewerError"))
    found = explain("shop", list(walk(story.records())), operations(story.records()))
    assert found is not None
    assert "not in the catalogue" in found.paragraph
