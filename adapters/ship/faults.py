"""What Azure Storage says when it refuses: which of it may pass, and what a person is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple

from adapters.azure import fault
from adapters.azure.fault import Fault, Kind
from adapters.azure.retry import Rule
from adapters.ship.retry import CEILING, FIRST, rules_for
from adapters.ship.store import FullError, MovedError
from statemachine.errors import (
    AccessDeniedError,
    AuthenticationError,
    AzureError,
    NameRefusedError,
    ProviderError,
    ThrottledError,
    UnavailableError,
    one_line,
)

RULES: Final = (
    # What was sent is not what arrived, by its checksum.
    Rule(name="damaged on the way", code="Md5Mismatch", first=FIRST, ceiling=CEILING, times=4),
    *rules_for({408, 429, 500, 502, 503, 504}),
)
"""Which refusals of Azure Storage may pass."""


class Meaning(NamedTuple):
    """An error class and the remedy that goes with a code or status."""

    kind: type[AzureError]
    remedy: str


_ROLE: Final = (
    "Ask for the role Storage Blob Data Contributor on the container to ship, or Storage Blob Data Reader to read."
)
_LOGIN: Final = "Check AZURE_STORAGE_SAS_TOKEN or the account's key; a signature may have expired, or a clock be wrong."
_CREATE: Final = "Create it with `az storage container create`, or check the address."

BY_CODE: Final[dict[str, Meaning]] = {
    "AuthorizationPermissionMismatch": Meaning(AccessDeniedError, _ROLE),
    "AuthorizationFailure": Meaning(
        AccessDeniedError, "The account's firewall or the signature's limits forbid it: ask who runs the account."
    ),
    "AuthorizationSourceIPMismatch": Meaning(AccessDeniedError, "The signature is for other addresses than yours."),
    "AuthorizationProtocolMismatch": Meaning(AccessDeniedError, "The signature is for https only."),
    "AuthorizationServiceMismatch": Meaning(AccessDeniedError, "The signature is not for blobs."),
    "AuthorizationResourceTypeMismatch": Meaning(AccessDeniedError, "The signature is not for containers and blobs."),
    "KeyBasedAuthenticationNotPermitted": Meaning(
        AccessDeniedError, "The account takes no keys: unset AZURE_STORAGE_KEY and sign in instead."
    ),
    "PublicAccessNotPermitted": Meaning(AuthenticationError, _LOGIN),
    "NoAuthenticationInformation": Meaning(AuthenticationError, _LOGIN),
    "AuthenticationFailed": Meaning(AuthenticationError, _LOGIN),
    "InvalidAuthenticationInfo": Meaning(AuthenticationError, _LOGIN),
    "ContainerNotFound": Meaning(AzureError, _CREATE),
    "ResourceNotFound": Meaning(AzureError, _CREATE),
    "ContainerBeingDeleted": Meaning(AzureError, "Wait until it is deleted, and create it again."),
    "InvalidBlobType": Meaning(
        NameRefusedError, "Something else wrote a blob of that name, and not as an append blob: remove it."
    ),
    "LeaseIdMissing": Meaning(
        AccessDeniedError, "Somebody holds a lease on the blob: break it with `az storage blob lease break`."
    ),
    "BlobImmutableDueToPolicy": Meaning(
        AccessDeniedError, "Let the container's immutability policy allow protected append writes."
    ),
}
BY_STATUS: Final[dict[int, Meaning]] = {
    401: Meaning(AuthenticationError, _LOGIN),
    403: Meaning(AccessDeniedError, _ROLE),
    404: Meaning(AzureError, _CREATE),
    429: Meaning(ThrottledError, "Ship less often, or spread the writers over more storage accounts."),
    500: Meaning(UnavailableError, UnavailableError.remedy),
    502: Meaning(UnavailableError, UnavailableError.remedy),
    503: Meaning(ThrottledError, "Ship less often, or spread the writers over more storage accounts."),
    504: Meaning(UnavailableError, UnavailableError.remedy),
}


def fault_of(error: BaseException) -> Fault:
    """What is known of a failed request, for the rules that say whether it is sent again."""
    if isinstance(error, (ProviderError, MovedError, FullError)):
        # What they were raised from was judged already.
        return Fault(kind=Kind.OTHER)
    found = fault.fault_of(error)
    # Storage answers in XML, where the code is also a header, which the SDK reads.
    return replace(found, code=code_of(error) or found.code)


def code_of(error: BaseException) -> str:
    """Azure's code for what went wrong, or nothing."""
    code = getattr(error, "error_code", "")
    return str(getattr(code, "value", code) or "")


def explain(error: Exception, doing: str, url: str) -> ProviderError:
    """The error for people."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

    if isinstance(error, ProviderError):
        return error
    if isinstance(error, HttpResponseError) and error.response is not None:
        return _answered(error, f"Azure Storage refused to {doing} {url}")
    if isinstance(error, ClientAuthenticationError):
        return AuthenticationError(f"cannot sign a request to {url}: {one_line(str(error))[:200]}", remedy=_LOGIN)
    if fault.fault_of(error).kind is Kind.UNTRUSTED:
        return UnavailableError(
            f"the certificate of {url} is not trusted",
            remedy="Set REQUESTS_CA_BUNDLE to a file of the certificates to trust.",
        )
    reason = str(error).rpartition(": ")[2] if "Errno" in str(error) or "resolve" in str(error) else str(error)
    return UnavailableError(
        f"cannot {doing} {url}: {one_line(reason)[:200]}",
        remedy="Check the account's name, the network and https://azure.status.microsoft, then try again.",
    )


def _answered(error: Any, what: str) -> AzureError:
    code = code_of(error)
    meaning = BY_CODE.get(code) or BY_STATUS.get(error.status_code) or Meaning(AzureError, "")
    return meaning.kind(
        what,
        code=code,
        http_status=error.status_code or 0,
        request_id=error.response.headers.get("x-ms-request-id", ""),
        remedy=meaning.remedy,
    )
