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
    "NoRegisteredProviderFound",
    "InvalidOsType",
    "ResourceRequestsNotSpecified",
    "InvalidContainerGroupUpdate",
    "InsufficientCapacity",
    # Names of events, and a container's state, under which a deployment fails later.
    "FailedMount",
    "Failed",
    "BackOff",
    "Killing",
    "CrashLoopBackOff",
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
    assert re.fullmatch(r"[A-Z][A-Za-z]+|AADSTS\d+", entry.code)
    assert entry.cause[0].isupper()
    assert not entry.cause.endswith(".")
    assert entry.remedy.endswith(".")


CATCHALLS = {"ProviderError", "AzureError"}
"""Whose class says nothing: such an error is looked up by its code and its words, or is unknown."""

SAID = {
    "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'ContainerGroups' exceeded in "
    "region 'westeurope'. Limit: '0', Usage: '0' Requested: '1'.": ("ServiceUnavailable", "QuotaError"),
    "The requested resource with '4' CPU and '16' GB memory is not available in the location 'eastus' at this moment. "
    "Please retry with a different resource request or in another location.": ("Conflict", "AzureError"),
    "An error response is received from the docker registry 'index.docker.io'. Please retry later. toomanyrequests: "
    "You have reached your pull rate limit.": ("BadRequest", "AzureError"),
    'Failed to pull image "t/aci-hellowrld": rpc error: code 2 desc Error: image t/aci-hellowrld:latest not found': (
        "",
        "ProvisioningError",
    ),
    "Subnet missing required delegation 'Microsoft.ContainerInstance' for container group 'box'.": (
        "BadRequest",
        "AzureError",
    ),
    "The DNS name label 'shop' in container group 'g' not available. Try using a different label.": (
        "InternalServerErrorX",
        "AzureError",
    ),
    "The updates on container group 'g' are invalid. If you are going to update the os type, delete it first.": (
        "Conflict",
        "AzureError",
    ),
    "The scope '/subscriptions/1/resourceGroups/g' cannot perform delete operation because following scope(s) are "
    "locked: '/subscriptions/1/resourceGroups/g'.": ("Conflict", "AzureError"),
    "AADSTS7000222: The provided client secret keys for app '1f6c' are expired.": (
        "invalid_client",
        "AuthenticationError",
    ),
}
"""What people were told under codes that say little or something else, and what it means."""
MEANT = (
    "ContainerGroupQuotaReached",
    "InsufficientCapacity",
    "RegistryErrorResponse",
    "InaccessibleImage",
    "SubnetMissingRequiredDelegation",
    "DnsNameLabelNotAvailable",
    "InvalidContainerGroupUpdate",
    "ScopeLocked",
    "AADSTS7000222",
)


@pytest.mark.parametrize(("message", "meant"), list(zip(SAID, MEANT, strict=True)))
def test_azures_words_are_understood_under_any_code(message: str, meant: str) -> None:
    code, error = SAID[message]
    found, known = entry_for(code, error, message), entry_for(meant)
    assert found is not None
    assert known is not None
    assert (found.cause, found.remedy) == (known.cause, known.remedy)


def test_what_has_a_code_of_its_own_is_explained_by_it_whatever_the_words() -> None:
    said = "the image 'x' is not accessible, and the scope is locked"
    assert entry_for("AuthorizationFailed", "AccessDeniedError", said) == entry_for("AuthorizationFailed")


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
    [
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ProviderError) and name not in CATCHALLS
    ],
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
