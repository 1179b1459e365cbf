"""The error codes of Container Instances and its neighbours: what is behind each, what to do, whether to try again.

Collected from Azure's documentation and from what users reported; where Azure says little the entry says what it
has meant so far. Codes that are not here are explained by the class of error they were turned into.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from statemachine import errors


class Retry(StrEnum):
    """Whether the same call can end differently."""

    YES = "yes"
    """By itself, within minutes."""
    LATER = "later"
    """When Azure or the registry has room again; minutes to hours."""
    NO = "no"
    """Not before something is changed."""


class Entry(NamedTuple):
    """One code."""

    code: str
    cause: str
    remedy: str
    retry: Retry


_LOOK: Final = "Run `devpod status`, which looks what became of it, and then the verb again."

ENTRIES: Final = (
    # the image
    Entry(
        "InaccessibleImage",
        "The registry did not hand out the image: it does not exist under that name and tag, it is private and the"
        " credentials are missing or wrong, or the registry did not answer for a moment",
        "Check the name and tag, and for a private registry ACR_SERVER and its credentials; if both are right, try once"
        " more.",
        Retry.NO,
    ),
    Entry(
        "RegistryErrorResponse",
        "The registry answered with an error, most often Docker Hub's limit on anonymous pulls",
        "Wait some minutes, log in to the registry, or copy the image to a registry of your own.",
        Retry.LATER,
    ),
    Entry(
        "InvalidImageRegistryIdentity",
        "The managed identity may not pull from the registry",
        "Give the user-assigned identity the AcrPull role on the registry.",
        Retry.NO,
    ),
    Entry(
        "OsVersionNotSupported",
        "The image is made for a version of its operating system that Container Instances does not run",
        "Use an image for linux/amd64.",
        Retry.NO,
    ),
    Entry(
        "ImageOsTypeNotMatchContainerGroup",
        "The image is for another operating system or processor than the container group",
        "Use an image for linux/amd64; an arm64 image must be built again for amd64.",
        Retry.NO,
    ),
    # room
    Entry(
        "ServiceUnavailable",
        "The region has no room for a group of this size at the moment",
        "Try later, choose another AZURE_REGION, or ask for fewer ACI_CPU_CORES and ACI_MEMORY_GB.",
        Retry.LATER,
    ),
    Entry(
        "InsufficientCapacity",
        "The region has no room for a group of this size at the moment; Azure accepted it and then found no place",
        "Try later, choose another AZURE_REGION, or ask for fewer ACI_CPU_CORES and ACI_MEMORY_GB.",
        Retry.LATER,
    ),
    Entry(
        "ContainerGroupQuotaReached",
        "The subscription's quota of cores or container groups in this region is used up",
        "Delete container groups that are not needed, choose another AZURE_REGION, or ask Azure support for more.",
        Retry.NO,
    ),
    Entry(
        "QuotaExceeded",
        "A quota of the subscription is used up",
        "Delete what is not needed, or ask Azure support for more.",
        Retry.NO,
    ),
    Entry(
        "ContainerLimitGreaterThanContainerGroupTotalRequest",
        "A container's limit is larger than everything the group asks for",
        "Ask for more ACI_CPU_CORES or ACI_MEMORY_GB.",
        Retry.NO,
    ),
    Entry(
        "ResourceRequestsNotSpecified",
        "The group was asked for without a number of vCPU and GB",
        "Set ACI_CPU_CORES and ACI_MEMORY_GB.",
        Retry.NO,
    ),
    # state of the group
    Entry(
        "ContainerGroupTransitioning",
        "Another operation on the container group is still under way; Azure takes one at a time",
        "Wait ten seconds or more between calls; if it stays so for half an hour, delete the workspace.",
        Retry.YES,
    ),
    Entry(
        "ContainerGroupDeploymentNotReady",
        "The container group is not deployed yet",
        "Try again in a few seconds.",
        Retry.YES,
    ),
    Entry(
        "ContainerGroupStopped",
        "The container group is stopped, so there is no container to work in",
        "Start the workspace with `devpod up`; files outside volumes were lost when it stopped.",
        Retry.NO,
    ),
    Entry(
        "ContainerLogNotAvailable",
        "The container has not written a log yet",
        "Try again when the container has run for a while.",
        Retry.YES,
    ),
    Entry(
        "InvalidContainerGroupUpdate",
        "Azure cannot change a container group's size, image system, ports or restart policy in place",
        "Delete the workspace and create it again.",
        Retry.NO,
    ),
    Entry(
        "FailedMount",
        "A volume could not be mounted: wrong storage account key, no such share, or the storage account's firewall",
        "Check ACI_STORAGE_ACCOUNT_NAME, ACI_STORAGE_ACCOUNT_KEY and ACI_FILE_SHARE_NAME.",
        Retry.NO,
    ),
    Entry(
        "CrashLoopBackOff",
        "The container's main process ends as soon as it starts, again and again",
        "Read `devpod-provider-aci logs`; the image's entrypoint may need arguments or a variable.",
        Retry.NO,
    ),
    # names
    Entry(
        "ResourceNotFound",
        "The container group does not exist: it was deleted outside, or is in another subscription or resource group",
        "Check AZURE_SUBSCRIPTION_ID and AZURE_RESOURCE_GROUP, or create the workspace again with `devpod up`.",
        Retry.NO,
    ),
    Entry(
        "ContainerNotFound",
        "The container group exists, but has no container of that name: it was made by something else",
        "Delete the workspace and create it again.",
        Retry.NO,
    ),
    Entry(
        "ResourceGroupNotFound",
        "The resource group does not exist, or this identity cannot see it",
        "Check AZURE_RESOURCE_GROUP and AZURE_SUBSCRIPTION_ID.",
        Retry.NO,
    ),
    Entry(
        "ResourceGroupBeingDeleted",
        "The resource group is being deleted",
        "Wait until it is gone, or choose another AZURE_RESOURCE_GROUP.",
        Retry.LATER,
    ),
    Entry(
        "DnsNameLabelNotAvailable",
        "Somebody in this region already has the DNS name",
        "Choose another ACI_DNS_LABEL, or none.",
        Retry.NO,
    ),
    Entry(
        "InvalidContainerGroupName",
        "Azure does not take the container group's name",
        "Use lower case letters, digits and single hyphens, 63 characters at most.",
        Retry.NO,
    ),
    Entry(
        "InvalidResourceName",
        "Azure does not take the name of a resource",
        "Use lower case letters, digits and single hyphens, 63 characters at most.",
        Retry.NO,
    ),
    Entry(
        "InvalidResourceGroup",
        "Azure does not take the resource group's name",
        "Check AZURE_RESOURCE_GROUP: 1 to 90 letters, digits, dots, hyphens, underscores or parentheses.",
        Retry.NO,
    ),
    # exec
    Entry(
        "InvalidCommandLength",
        "The command for the exec session is longer than Azure takes",
        "Report it: this program sends commands through its tunnel, which has no such limit.",
        Retry.NO,
    ),
    # who may
    Entry(
        "AuthorizationFailed",
        "Azure knows the identity, but no role allows it to do this",
        "Ask for a role with the action that the message names; docs/permissions.md has a minimal one. A new role takes"
        " some minutes to work.",
        Retry.NO,
    ),
    Entry(
        "LinkedAuthorizationFailed",
        "The identity may make container groups, but may not use the subnet or identity they refer to",
        "Ask for `subnets/join/action` on the subnet, or `userAssignedIdentities/assign/action` on the identity.",
        Retry.NO,
    ),
    Entry(
        "InvalidAuthenticationToken",
        "Azure does not take the sign-in token",
        "Sign in again (`az login`), or check the service principal's settings.",
        Retry.NO,
    ),
    Entry(
        "InvalidAuthenticationTokenTenant",
        "The token is for another tenant than the subscription's",
        "Check AZURE_TENANT_ID, or `az login --tenant`.",
        Retry.NO,
    ),
    Entry(
        "ExpiredAuthenticationToken",
        "The sign-in token was too old when it arrived",
        "Check this computer's clock, and sign in again.",
        Retry.NO,
    ),
    Entry(
        "RequestDisallowedByPolicy",
        "An Azure Policy of the organisation forbids it",
        "Ask who manages the subscription; the message names the policy.",
        Retry.NO,
    ),
    # the subscription and the region
    Entry(
        "MissingSubscriptionRegistration",
        "The subscription has never used Container Instances and has to register it once",
        "Run `az provider register --namespace Microsoft.ContainerInstance` and wait a minute.",
        Retry.NO,
    ),
    Entry(
        "SubscriptionNotFound",
        "There is no such subscription, or it belongs to another tenant than the sign-in",
        "Check AZURE_SUBSCRIPTION_ID, and that you are signed in to its tenant.",
        Retry.NO,
    ),
    Entry(
        "InvalidSubscriptionId",
        "AZURE_SUBSCRIPTION_ID is not a subscription's identifier",
        "Set it to the GUID that `az account show` prints as id.",
        Retry.NO,
    ),
    Entry(
        "LocationNotAvailableForResourceType",
        "Container Instances is not offered in this region",
        "Choose another AZURE_REGION; the message lists those that work.",
        Retry.NO,
    ),
    Entry(
        "LocationNotAvailableForResourceGroup",
        "Resource groups cannot be in this region",
        "Choose another AZURE_REGION.",
        Retry.NO,
    ),
    Entry(
        "NoRegisteredProviderFound",
        "Azure does not offer this version of the service in this region",
        "Choose another AZURE_REGION; the message lists those that work.",
        Retry.NO,
    ),
    # passing trouble
    Entry(
        "InternalServerError",
        "Something failed inside Azure",
        "Try again; if it goes on, give Azure support the request id.",
        Retry.YES,
    ),
    Entry(
        "TooManyRequests",
        "Too many container groups were made or deleted in this hour, or too many requests sent",
        "Wait as long as Azure asks, then try again.",
        Retry.LATER,
    ),
    Entry(
        "OperationNotAllowed",
        "The subscription's budget of creates and deletes is used up for now",
        "Wait as long as Azure asks, then try again.",
        Retry.LATER,
    ),
    # ours
    Entry(
        "Interrupted",
        "The process that asked for it ended before Azure answered: it was killed, or the computer went down",
        _LOOK,
        Retry.YES,
    ),
)
"""Codes with one meaning wherever they appear."""

_BY_CODE: Final = {entry.code.lower(): entry for entry in ENTRIES}
_ONLY_FOR: Final = {"ServiceUnavailable": "CapacityError"}
"""With HTTP 409 it is about room; with 503 it is what it says, and our error for that."""

_CLASSES: Final = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.ProviderError)
}


def entry_for(code: str, error: str = "") -> Entry | None:
    """The entry for Azure's code, or else one made from our own error's class; None when both are unknown."""
    found = _BY_CODE.get(code.rstrip(".").lower())
    if found is not None and error in ("", _ONLY_FOR.get(found.code, error)):
        return found
    kind = _CLASSES.get(error)
    if kind is None:
        return None
    cause = errors.one_line(kind.__doc__ or "").rstrip(".")
    return Entry(code or error, cause, kind.remedy, Retry.YES if kind.retryable else Retry.NO)
