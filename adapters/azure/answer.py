"""What Azure answered: a response's status, headers and JSON, which the SDK makes hard to reach."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from azure.core.exceptions import DecodeError
from azure.core.pipeline import policies

from adapters.azure.fault import retry_after
from statemachine.events import Receipt

OPERATION: Final = ("azure-asyncoperation", "location")
"""Headers that name a running operation. Every recording has the first; the specification says the second."""


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    request_id: str
    body: Any = field(repr=False)
    operation: str = field(default="", repr=False)
    """Opaque, signed: for polling only, never for a log."""
    retry_after: float | None = None
    """Seconds that Azure asks to wait."""

    def receipt(self, *, ip: str = "", fqdn: str = "") -> Receipt:
        """The same for an outcome event."""
        return Receipt(http_status=self.status, request_id=self.request_id, ip=ip, fqdn=fqdn)


class AnyErrorDecodePolicy(policies.ContentDecodePolicy):
    """Reads answers as azure-core does, but takes an error in any kind of text, as gateways send them.

    azure-core's own policy raises for a Content-Type it does not know, without the response, so that the status,
    which says whether to ask again, would be lost.
    """

    def on_response(self, request: Any, response: Any) -> None:
        """What cannot be read stays undecoded where the status tells enough."""
        try:
            super().on_response(request, response)
        except DecodeError:
            if response.http_response.status_code < 400:
                raise


def keep(response: Any, _body: object, _headers: object) -> Answer:
    """The SDK's ``cls`` callback: take the response itself instead of the model made from it."""
    return answer_of(response.http_response)


def json_of(answer: object) -> dict[str, Any]:
    """The JSON object of what ``keep`` kept; empty for any other body."""
    return answer.body if isinstance(answer, Answer) and isinstance(answer.body, dict) else {}


def answer_of(response: Any) -> Answer:
    """Read a response of azure-core, of either of its two generations."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        body = json.loads(response.text()) if response.text() else None
    except (ValueError, RecursionError):
        body = None
    return Answer(
        status=response.status_code,
        request_id=headers.get("x-ms-request-id", ""),
        body=body,
        operation=next((headers[name] for name in OPERATION if headers.get(name)), ""),
        retry_after=retry_after(headers),
    )
