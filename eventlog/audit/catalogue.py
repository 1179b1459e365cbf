"""What is behind an error, what to do, and whether to try again: looked up by Azure's code, its words, or our class."""

from __future__ import annotations

import re
from typing import Final

from eventlog.audit.codes_platform import PLATFORM
from eventlog.audit.codes_service import SERVICE
from eventlog.audit.entry import Entry, Retry
from statemachine import errors

_LOOK: Final = "Run `devpod status`, which looks what became of it, and then the verb again."

OWN: Final = (
    Entry(
        "Interrupted",
        "The process that asked for it ended before Azure answered: it was killed, or the computer went down",
        _LOOK,
        Retry.YES,
    ),
    Entry(
        "DeadlineError",
        "Azure accepted it and did not finish in time; a group that stays in Waiting for half an hour mostly has a main"
        " process that ends at once, a port that Azure reserves, a file share that cannot be mounted, a subnet without"
        " free addresses, or a region without room",
        "Call the same verb again, which goes on waiting; if it stays so, look at the container's events in the Azure"
        " portal, and delete the workspace, for the group may be billed.",
        Retry.YES,
    ),
    Entry(
        "ProvisioningError",
        "Azure accepted the container group and then could not run it",
        "Read `devpod-provider-aci logs -w NAME` and the message; delete the workspace if it is not needed, for Azure"
        " may go on trying, and billing.",
        Retry.NO,
    ),
    Entry(
        "GroupMissingError",
        "The container group is not there: it was deleted outside, or is in another subscription or resource group",
        "Check AZURE_SUBSCRIPTION_ID and AZURE_RESOURCE_GROUP, or create the workspace again with `devpod up`.",
        Retry.NO,
    ),
    Entry(
        "NameRefusedError",
        "Azure does not take a name, or somebody else has it",
        "Choose another name; the message says which.",
        Retry.NO,
    ),
    Entry(
        "ExecRefusedError",
        "Azure opened no exec session, or closed it before a process ran: mostly because the container's main process"
        " has ended, or as many sessions are open as it allows",
        "Run `devpod status`; if the container runs, close other sessions and try again.",
        Retry.YES,
    ),
)
"""What is ours to explain: a code that only this program writes, and classes whose name says too little."""

ENTRIES: Final = (*SERVICE, *PLATFORM, *OWN)
"""Everything that is explained."""

_BY_CODE: Final = {entry.code.lower(): entry for entry in ENTRIES}
_ONLY_FOR: Final = {"ServiceUnavailable": "CapacityError"}
"""With HTTP 409 it is about room; with 503 it is what it says, and our error for that."""

_WORDS: Final = (
    (re.compile(r"AADSTS\d+"), ""),
    (re.compile(r"quota .* exceeded in region", re.IGNORECASE), "ContainerGroupQuotaReached"),
    (re.compile(r"resource\b.{0,80} is not available in the location", re.IGNORECASE), "InsufficientCapacity"),
    (re.compile(r"toomanyrequests|pull rate limit", re.IGNORECASE), "RegistryErrorResponse"),
    (re.compile(r"image .* is not accessible|failed to pull image", re.IGNORECASE), "InaccessibleImage"),
    (re.compile(r"missing required delegation", re.IGNORECASE), "SubnetMissingRequiredDelegation"),
    (re.compile(r"DNS name label .* not available", re.IGNORECASE), "DnsNameLabelNotAvailable"),
    (re.compile(r"is still transitioning", re.IGNORECASE), "ContainerGroupTransitioning"),
    (re.compile(r"updates on container group .* are invalid", re.IGNORECASE), "InvalidContainerGroupUpdate"),
    (re.compile(r"is locked|scope .* locked", re.IGNORECASE), "ScopeLocked"),
)
"""Words by which Azure says something under more than one code; no code stands for the words themselves."""

_CLASSES: Final = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.ProviderError)
}
_SAYS_NOTHING: Final = frozenset({"AzureError", "ProviderError"})
"""Classes of what has no class of its own."""


def entry_for(code: str, error: str = "", message: str = "") -> Entry | None:
    """The entry for Azure's code, or what its words mean, or else for our own error's class; None if none knows."""
    found = _BY_CODE.get(code.rstrip(".").lower())
    if found is not None and error in ("", _ONLY_FOR.get(found.code, error)):
        return found
    for words, known in _WORDS:
        if (match := words.search(message)) and (found := _BY_CODE.get((known or match[0]).lower())):
            return found
    kind = _CLASSES.get(error)
    if kind is None or error in _SAYS_NOTHING:
        return None
    if (own := _BY_CODE.get(error.lower())) is not None:
        return own._replace(code=code or error)
    cause = errors.one_line(kind.__doc__ or "").rstrip(".")
    return Entry(code or error, cause, kind.remedy, Retry.YES if kind.retryable else Retry.NO)
