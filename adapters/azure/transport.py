"""The transport of every request to Azure, for tokens and for resources: time limits, trusted certificates, traces.

Tracing sits in the transport and not in a pipeline policy because azure-identity builds a pipeline of its
own; both accept a transport, so both are seen, and every repetition is.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Self
from urllib.parse import urlsplit

from azure.core.exceptions import HttpResponseError, ServiceRequestTimeoutError
from azure.core.pipeline.transport import HttpTransport, RequestsTransport

from adapters.azure.ahead import connect_ahead
from adapters.azure.body import bound_body
from adapters.azure.budget import left
from adapters.azure.fault import Fault, answered, body_of, fault_of
from adapters.azure.retry import Rule, repeat, reporter, rule_for

CONNECT_TIMEOUT: Final = 10.0
READ_TIMEOUT: Final = 60.0
METADATA_HOST: Final = "169.254.169.254"
METADATA_CONNECT_TIMEOUT: Final = 2.0
"""Off Azure nobody answers at that address; on it the answer is immediate."""

LIBRARY_LOGGERS: Final = ("azure", "msal", "urllib3", "requests")


class TracedTransport(HttpTransport[Any, Any]):
    """azure-core's own transport with our trust, our time limits and one trace line for each request."""

    def __init__(self, *, verify: bool | str, trace: Callable[[str], None] | None) -> None:
        self._requests = RequestsTransport()
        self._verify = verify
        self._trace = trace
        self._kept = threading.local()

    @property
    def last(self) -> Any | None:
        """The last response in this thread: the SDK does not hand it on when it cannot read it."""
        return getattr(self._kept, "response", None)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Make the connection pool."""
        self._requests.open()

    def connect_ahead(self, url: str) -> None:
        """Have a connection made while there is something else to wait for, as there is before a first request."""
        self.open()
        connect_ahead(self._requests.session, url, verify=self._verify)

    def close(self) -> None:
        """Close every connection."""
        self._requests.close()

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send one request once. Raises ServiceRequestTimeoutError when the budget is used up already."""
        remaining = left()
        if remaining <= 0:
            raise ServiceRequestTimeoutError("no time left")
        host = urlsplit(request.url).hostname or ""
        connect = METADATA_CONNECT_TIMEOUT if host == METADATA_HOST else CONNECT_TIMEOUT
        kwargs.update(
            connection_verify=self._verify,
            connection_timeout=min(connect, remaining),
            read_timeout=min(READ_TIMEOUT, remaining),
            hooks={"response": bound_body},
        )
        begun = time.monotonic()
        self._kept.response = None
        try:
            response = self._requests.send(request, **kwargs)
        except Exception as error:
            self._tell(request, type(error).__name__, "", begun)
            raise
        self._kept.response = response
        self._tell(request, str(response.status_code), response.headers.get("x-ms-request-id", ""), begun)
        return response

    def note(self, text: str) -> None:
        """One more line for the trace."""
        if self._trace:
            self._trace(f"azure: {text}")

    def _tell(self, request: Any, outcome: str, request_id: str, begun: float) -> None:
        # Never the query: an operation's address carries its signature there. Never headers or bodies.
        milliseconds = (time.monotonic() - begun) * 1000
        self.note(f"{request.method} {urlsplit(request.url).path} {outcome} {request_id or '-'} {milliseconds:.0f} ms")


class TokenTransport(TracedTransport):
    """As above, and asks again where ``retry`` says so.

    Token requests are repeated here and not around the credential because msal remembers a 429 or 5xx
    answer for a minute and would give us that memory instead of asking.
    """

    def __init__(
        self,
        *,
        verify: bool | str,
        trace: Callable[[str], None] | None,
        rules: tuple[Rule, ...] = (),
        say: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(verify=verify, trace=trace)
        self._rules = rules
        self._say = say

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Send until the answer is one that stands. Raises HttpResponseError for one that might have passed."""

        def once() -> Any:
            response = super(TokenTransport, self).send(request, **dict(kwargs))
            if response.status_code >= 400:
                fault = answered(response.status_code, dict(response.headers), body_of(response))
                if rule_for(fault, self._rules):
                    raise _AnswerError(response, fault)
            return response

        try:
            waits = reporter("get a token", self._say)
            return repeat(once, _fault_of, extra=self._rules, note=self.note, waits=waits)
        except _AnswerError as last:
            # As an exception, because msal forgets the response of a 5xx and reports refused credentials.
            raise HttpResponseError(response=last.response) from None


class _AnswerError(Exception):
    """An error response on its way to the retry loop."""

    def __init__(self, response: Any, fault: Fault) -> None:
        super().__init__(response.status_code)
        self.response = response
        self.fault = fault


def _fault_of(error: BaseException) -> Fault:
    return error.fault if isinstance(error, _AnswerError) else fault_of(error)


def silence_libraries() -> None:
    """Keep the SDK's own logging quiet, whatever the root logger is set to.

    azure-identity prints a warning for every failed attempt where logging is not configured, and urllib3
    logs whole addresses, signatures in the query included. Our trace says what is needed.
    """
    for name in LIBRARY_LOGGERS:
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.CRITICAL + 1)
