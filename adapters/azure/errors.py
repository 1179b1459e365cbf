"""From what Azure said to what the user is told: a table by error code, then one by HTTP status."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from adapters.azure.fault import Fault, Kind
from adapters.azure.verdict import GIVE_UP
from statemachine.errors import (
    AccessDeniedError,
    AuthenticationError,
    AzureError,
    CapacityError,
    GroupMissingError,
    ImageError,
    NameRefusedError,
    NotRegisteredError,
    ProviderError,
    ProvisioningError,
    QuotaError,
    RefusedError,
    ThrottledError,
    TransitioningError,
    UnavailableError,
    bounded,
)
from statemachine.secret import Secret, scrub

MESSAGE_LIMIT: Final = 500

START: Final = "Start the workspace first (`devpod up`)."
TENANT: Final = "Check AZURE_TENANT_ID: the subscription is in another tenant."
SUBSCRIPTION: Final = "Check AZURE_SUBSCRIPTION_ID, and that you are signed in to its tenant."
DELETE: Final = "Azure cannot change this in place: delete the workspace and create it again."


class Row(NamedTuple):
    """An error code, the status it must come with (0: any), our class, and a remedy where ours differs."""

    code: str
    status: int
    error: type[AzureError]
    remedy: str | None = None


CODES: Final = (
    Row("InaccessibleImage", 0, ImageError),
    Row("RegistryErrorResponse", 0, ImageError, "The registry may be limiting pulls: try later, or log in to it."),
    Row("InvalidImageRegistryIdentity", 0, ImageError, "Give the identity the AcrPull role on the registry."),
    Row("OsVersionNotSupported", 0, ImageError),
    Row("ImageOsTypeNotMatchContainerGroup", 0, ImageError),
    Row("ServiceUnavailable", 409, CapacityError),
    Row("InsufficientCapacity", 0, CapacityError),
    Row("ContainerGroupQuotaReached", 0, QuotaError),
    Row("QuotaExceeded", 0, QuotaError),
    Row("DnsNameLabelNotAvailable", 0, NameRefusedError, "Choose another ACI_DNS_LABEL: it is taken in this region."),
    Row("InvalidContainerGroupName", 0, NameRefusedError),
    Row("InvalidResourceName", 0, NameRefusedError),
    Row("InvalidResourceGroup", 0, NameRefusedError),
    Row("MissingSubscriptionRegistration", 0, NotRegisteredError),
    Row("AuthorizationFailed", 0, AccessDeniedError),
    Row("LinkedAuthorizationFailed", 0, AccessDeniedError),
    Row("InvalidAuthenticationToken", 0, AuthenticationError),
    Row("InvalidAuthenticationTokenTenant", 0, AuthenticationError, TENANT),
    Row("ExpiredAuthenticationToken", 0, AuthenticationError, "Check this computer's clock, and sign in again."),
    Row("ContainerGroupTransitioning", 0, TransitioningError),
    Row("ContainerGroupDeploymentNotReady", 0, TransitioningError),
    Row("ResourceNotFound", 404, GroupMissingError, "Create the workspace first (`devpod up`)."),
    Row("ContainerNotFound", 404, GroupMissingError, "Delete the workspace and create it again."),
    Row("ResourceGroupNotFound", 404, GroupMissingError, "Check AZURE_RESOURCE_GROUP."),
    Row("SubscriptionNotFound", 0, AzureError, SUBSCRIPTION),
    Row("InvalidSubscriptionId", 0, AzureError, "Check AZURE_SUBSCRIPTION_ID: it must be a GUID."),
    Row("LocationNotAvailableForResourceType", 0, AzureError, "Choose another AZURE_REGION."),
    Row("LocationNotAvailableForResourceGroup", 0, AzureError, "Choose another AZURE_REGION."),
    Row("NoRegisteredProviderFound", 0, AzureError, "Choose another AZURE_REGION; the message lists those that work."),
    Row("InvalidContainerGroupUpdate", 0, AzureError, DELETE),
    Row("ResourceGroupBeingDeleted", 0, AzureError, "Wait until the resource group is gone, or choose another one."),
    Row("RequestDisallowedByPolicy", 0, AzureError, "An Azure Policy forbids it: ask who manages the subscription."),
)

STATUSES: Final[dict[int, type[AzureError]]] = {
    401: AuthenticationError,
    403: AccessDeniedError,
    404: GroupMissingError,
    408: UnavailableError,
    429: ThrottledError,
}
"""For codes the table does not know. Every 5xx is UnavailableError, every other 4xx plain AzureError."""

ACTION: Final = re.compile(r"perform action '([^']+)'")
SCOPE: Final = re.compile(r"over scope '([^']+)'")
TLS_REMEDY: Final = (
    "If a proxy or a private cloud signs its own certificates, "
    "set REQUESTS_CA_BUNDLE (or SSL_CERT_FILE) to its CA bundle."
)
UNTIMELY: Final = re.compile(r"certificate (has expired|is not yet valid)")
"""OpenSSL's words for a certificate that is sound, but not at this time."""
CLOCK_REMEDY: Final = "See that this computer's date and time are right; if they are, a new certificate is due there."


def error_for(fault: Fault, doing: str, host: str, secrets: tuple[Secret, ...] = ()) -> ProviderError:
    """What to tell the user about ``fault``; ``doing`` completes "Azure did not …", ``host`` is who was asked."""
    if fault.kind is not Kind.ANSWERED:
        return _network_error(fault, doing, fault.host or host)
    said = bounded(scrub(fault.message, *secrets), MESSAGE_LIMIT)
    code = fault.meaning
    row = _row(code, fault.status)
    if code.lower() == "containergroupstopped":
        return RefusedError(f"Azure did not {doing}: the container group is stopped ({code})", remedy=START)
    kind = row.error if row else STATUSES.get(fault.status, UnavailableError if fault.status >= 500 else AzureError)
    remedy = row.remedy if row else None
    text = f"Azure did not {doing}"
    if kind is AccessDeniedError and (action := ACTION.search(said)):
        scope = SCOPE.search(said)
        text += f": the identity may not perform {action[1]}"
        remedy = f"Ask for a role with {action[1]}" + (f" on {scope[1]}." if scope else ".")
    if kind is ThrottledError and fault.retry_after:
        remedy = f"Azure asks to wait {fault.retry_after:.0f} s; then try again."
    error = kind(
        text,
        code=fault.code or code,
        http_status=fault.status,
        request_id=fault.request_id,
        azure_message=said,
        remedy=remedy,
    )
    error.retry_after = fault.retry_after
    return error


def failed_later(fault: Fault, doing: str) -> AzureError:
    """For an operation that was accepted and failed, where it has an ``error`` object: that has no status."""
    row = _row(fault.meaning, 0)
    kind, remedy = (row.error, row.remedy) if row else (ProvisioningError, GIVE_UP)
    said = bounded(fault.message, MESSAGE_LIMIT)
    text = f"Azure could not {doing}" + ("" if said else ": it gave no reason")
    return kind(text, code=fault.code or fault.meaning, azure_message=said, remedy=remedy)


def _network_error(fault: Fault, doing: str, name: str) -> ProviderError:
    """For a request that got no answer, or none of use; ``name`` is the host's."""
    if fault.kind is Kind.UNTRUSTED and (untimely := UNTIMELY.search(fault.message)):
        text = f"cannot {doing}: by this computer's clock, the certificate of {name} {untimely[1]}"
        return UnavailableError(text, remedy=CLOCK_REMEDY)
    if fault.kind is Kind.UNTRUSTED:
        return UnavailableError(f"cannot {doing}: the certificate of {name} is not trusted here", remedy=TLS_REMEDY)
    if fault.kind is Kind.UNREACHED:
        text = f"cannot {doing}: {name} cannot be reached: {_network_reason(fault.message)}"
        return UnavailableError(text, remedy=f"Check the network, a proxy (HTTPS_PROXY), and that {name} is right.")
    if fault.kind is Kind.LOST:
        return UnavailableError(f"cannot {doing}: {name} did not answer: {_network_reason(fault.message)}")
    return AzureError(f"cannot {doing}: {bounded(fault.message, MESSAGE_LIMIT)}")


_REASONS: Final = (
    (
        re.compile(r"tunnel connection failed: 407", re.IGNORECASE),
        "the proxy wants a name and a password in HTTPS_PROXY",
    ),
    (re.compile(r"tunnel connection failed: \d", re.IGNORECASE), "the proxy refused"),
    (re.compile(r"(unable to|cannot) connect to proxy", re.IGNORECASE), "the proxy cannot be reached"),
    (
        re.compile(r"name resolution|resolve|getaddrinfo|nodename nor servname", re.IGNORECASE),
        "its name cannot be resolved",
    ),
    (re.compile(r"refused", re.IGNORECASE), "connection refused"),
    (re.compile(r"timed? ?out|no time left", re.IGNORECASE), "timed out"),
    (re.compile(r"reset by peer", re.IGNORECASE), "connection reset"),
    (re.compile(r"closed connection|aborted|broken pipe|IncompleteRead", re.IGNORECASE), "connection closed"),
    (re.compile(r"proxy", re.IGNORECASE), "the proxy refused"),
)


def _network_reason(text: str) -> str:
    """urllib3's nested messages in two or three words."""
    return next((words for pattern, words in _REASONS if pattern.search(text)), bounded(text, 160))


def _row(code: str, status: int) -> Row | None:
    """The row for a code; without a status, whatever status it wants."""
    wanted = code.rstrip(".").lower()
    rows = (row for row in CODES if row.code.lower() == wanted)
    return next((row for row in rows if not status or row.status in (0, status)), None)
