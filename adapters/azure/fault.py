"""One shape for everything that can go wrong with a request, whoever raised it.

The tables of ``retry`` and ``errors`` look at this and not at the SDK's exceptions: the SDK raises
ResourceExistsError for every 409 and hides the kind of a network failure several causes deep.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from statemachine.errors import one_line


class Kind(StrEnum):
    """Where a request ended."""

    ANSWERED = "answered"
    """Azure answered, with an error."""
    UNREACHED = "unreached"
    """The request was not sent: no such host, refused, no route, no time to connect."""
    LOST = "lost"
    """The connection broke, or stayed silent, after the request was sent: it may have been accepted."""
    UNTRUSTED = "untrusted"
    """The server's certificate is not trusted; asking again changes nothing."""
    OTHER = "other"
    """Not a failure of a request."""


TRANSITIONING: Final = "ContainerGroupTransitioning"

MESSAGES: Final = (
    (re.compile(r"updates on container group .* are invalid", re.IGNORECASE), "InvalidContainerGroupUpdate"),
    (re.compile(r"is still transitioning|another operation .*in progress", re.IGNORECASE), TRANSITIONING),
    (re.compile(r"container group .*\bis (already )?stopped", re.IGNORECASE), "ContainerGroupStopped"),
    (re.compile(r"DNS name label .* not available", re.IGNORECASE), "DnsNameLabelNotAvailable"),
    (re.compile(r"image .* is not accessible", re.IGNORECASE), "InaccessibleImage"),
    (re.compile(r"resource\b.{0,80} is not available in the location", re.IGNORECASE), "InsufficientCapacity"),
    (re.compile(r"quota .* exceeded in region", re.IGNORECASE), "ContainerGroupQuotaReached"),
)
"""Azure's code for these is not certain (an InternalServerError was seen for a DNS label in use); its words are."""


WRAPPERS: Final = frozenset(
    {
        "",
        "badrequest",
        "conflict",
        "deploymentfailed",
        "error",
        "failed",
        "forbidden",
        "invalidtemplatedeployment",
        "multipleerrorsoccurred",
        "notfound",
        "operationfailed",
        "resourcedeploymentfailure",
    }
)
"""Codes that only say that something went wrong; the code inside says what."""

ALIASES: Final = {
    "anotheroperationinprogress": TRANSITIONING,
    "operationinprogress": TRANSITIONING,
    "containergroupbusy": TRANSITIONING,
}
"""Other front ends of ARM's words for what Container Instances says with a code of its own."""

_MAX_DEPTH: Final = 5
_MAX_MESSAGE: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is known of a failed request."""

    kind: Kind
    status: int = 0
    code: str = ""
    message: str = ""
    request_id: str = ""
    retry_after: float | None = None
    host: str = ""

    @property
    def meaning(self) -> str:
        """The code the message stands for, where its words are surer than Azure's own code."""
        said = next((code for words, code in MESSAGES if words.search(self.message)), self.code)
        return ALIASES.get(said.lower(), said)


def fault_of(error: BaseException) -> Fault:
    """Read an exception of azure-core, azure-identity or requests, and whatever it was raised from."""
    from azure.core.exceptions import (
        HttpResponseError,
        IncompleteReadError,
        ServiceRequestError,
        ServiceResponseError,
    )

    for cause in causes(error):
        response = getattr(cause, "response", None)
        if isinstance(cause, HttpResponseError) and response is not None and response.status_code >= 400:
            return answered(response.status_code, dict(response.headers or {}), body_of(response), str(cause))
    text = one_line(str(error))
    host = host_of(error)
    for kind, types in (
        (Kind.UNTRUSTED, (ssl.SSLCertVerificationError,)),
        (Kind.LOST, (ServiceResponseError, IncompleteReadError)),
        (Kind.UNREACHED, (ServiceRequestError,)),
    ):
        if any(isinstance(cause, types) for cause in causes(error)):
            return Fault(kind=kind, message=text, host=host)
    return Fault(kind=Kind.OTHER, message=text, host=host)


def answered(status: int, headers: Mapping[str, str], body: str, text: str = "") -> Fault:
    """The fault an error response stands for. Shape of the body: ``{"error": {"code", "message", …}}``."""
    lower = {name.lower(): value for name, value in headers.items()}
    code, message = _code_and_message(body)
    return Fault(
        kind=Kind.ANSWERED,
        status=status,
        code=code or ("Conflict" if status == 409 else ""),
        message=message or one_line(text),
        request_id=lower.get("x-ms-request-id", ""),
        retry_after=retry_after(lower),
    )


def body_of(response: Any) -> str:
    """A response's text; some bodies cannot be read any more, or are not text."""
    try:
        return str(response.text())
    except Exception:  # noqa: BLE001  whatever is raised here, the fault itself is worth more than its body
        return ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds Azure asks to wait: a number, or a date (RFC 9110, 10.2.3); header names in lower case."""
    for name, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d+(\.\d+)?", value):
            return float(value) * unit
        if value and unit == 1.0:
            try:
                moment = parsedate_to_datetime(value)
            except ValueError:
                continue
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return None


_MAX_CAUSES: Final = 24


def causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything it was raised from, urllib3's ``reason`` and wrapped arguments included.

    Not ``__context__``: that may be an unrelated failure that somebody was just handling.
    """
    seen: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(seen) < _MAX_CAUSES:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or any(current is one for one in seen):
            continue
        seen.append(current)
        yield current
        queue += [
            current.__cause__,
            getattr(current, "inner_exception", None),
            getattr(current, "reason", None),
            *current.args,
        ]


def host_of(error: BaseException) -> str:
    """The host a failed connection was meant for."""
    for cause in causes(error):
        request = getattr(cause, "request", None)
        host = urlsplit(str(getattr(request, "url", "") or "")).hostname
        if not host:
            # Their own attributes only: urllib3 warns of one that is a property by now.
            kept = getattr(cause, "__dict__", {})
            pool = kept.get("pool") or kept.get("conn")
            host = str(getattr(pool, "host", "") or "")
        if host:
            return host
    return ""


def _code_and_message(body: str) -> tuple[str, str]:
    """Code and message of an ARM error, or of an OAuth one; both empty for any other text."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(parsed, dict):
        return "", ""
    error = _field(parsed, "error") or parsed
    if isinstance(error, str):
        return error, str(_field(parsed, "error_description") or "")
    return _unwrapped(error, 0)


def _unwrapped(error: object, depth: int) -> tuple[str, str]:
    """An error's code and everything it says, from the innermost error where the outer one is only a wrapper."""
    code, message = str(_field(error, "code") or ""), str(_field(error, "message") or "")
    details = _field(error, "details")
    inner = [*(details if isinstance(details, list) else []), _field(error, "innererror")]
    for one in inner if depth < _MAX_DEPTH else ():
        if len(message) > _MAX_MESSAGE:
            break  # nobody reads so much, and each sentence is looked for in all that came before
        word, said = _unwrapped(one, depth + 1)
        if code.lower() in WRAPPERS and word:
            code = word
        if said and said not in message:
            message = f"{message} {said}".strip()
    return code, message


def _field(value: object, name: str) -> object:
    """A member of a JSON object, whatever its letter case."""
    if not isinstance(value, dict):
        return None
    return next((found for known, found in value.items() if known.lower() == name), None)
