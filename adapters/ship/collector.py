"""An OpenTelemetry collector over HTTP, as https://opentelemetry.io/docs/specs/otlp/ asks of a client.

opentelemetry-proto and a plain HTTP client rather than the SDK's exporter: that one keeps a queue in memory,
drops what it cannot send, and does not repeat after a 429 (open-telemetry/opentelemetry-python#5460), where an
audit trail must know what was taken.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from adapters.azure.fault import Fault, Kind, answered
from adapters.azure.retry import repeat
from adapters.ship.otlp_proto import rejected
from adapters.ship.place import LOOPBACK
from adapters.ship.retry import PATIENCE, Reporter, rules_for
from statemachine.errors import (
    AccessDeniedError,
    AuthenticationError,
    AzureError,
    OptionError,
    ThrottledError,
    UnavailableError,
    one_line,
)
from statemachine.secret import Secret

HEADERS: Final = ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
PATH: Final = "/v1/logs"
RETRYABLE: Final = frozenset({429, 502, 503, 504})
"""The specification's list; every other 4xx and 5xx must not be repeated."""
RULES: Final = rules_for(RETRYABLE)
TIMEOUTS: Final = (10.0, 10.0)
"""Seconds until a connection stands, and until an answer comes: the specification's own 10."""


def endpoint(url: str) -> str:
    """Where logs are sent; an address without a path gets the standard one.

    Raises OptionError for what is no address, has a password in it, or would send the log in the clear.
    """
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname or "", parts.port  # which raises for what is no number
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise OptionError(
            "--otlp", f"{url!r} is not an address", remedy="Give one like https://collector.example:4318."
        )
    if parts.username or parts.query:
        raise OptionError(
            "--otlp",
            "the address carries a password, which other users can see in the list of processes",
            remedy=f"Put it into {HEADERS[1]}.",
        )
    if parts.scheme == "http" and not LOOPBACK.match(host):
        raise OptionError(
            "--otlp", f"{url!r} would send the log in the clear", remedy="Use https, or a collector on this computer."
        )
    return parts._replace(path=parts.path if parts.path.strip("/") else PATH).geturl()


def headers(environ: Mapping[str, str]) -> dict[str, Secret]:
    """The headers OpenTelemetry's variables ask for (``name=value,…``, percent-encoded): usually a token.

    Raises OptionError.
    """
    found: dict[str, Secret] = {}
    name = next((name for name in HEADERS if environ.get(name)), HEADERS[0])
    for pair in filter(None, (part.strip() for part in environ.get(name, "").split(","))):
        key, equals, value = pair.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", key.strip()):
            raise OptionError(name, "is not a list of name=value", remedy="Separate pairs by commas.")
        text = unquote(value).strip()
        # The library would refuse it too, and quote it.
        if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", text):
            raise OptionError(
                name,
                f"the value of {key.strip()} has a character that no header can have",
                remedy="It is one line of Latin letters, digits and signs.",
            )
        found[key.strip()] = Secret(text)
    return found


class Collector:
    """Takes log records over HTTP with protobuf bodies."""

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, Secret],
        verify: bool | str = True,
        patience: float = PATIENCE,
        trace: Callable[[str], None] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        import requests

        self.url = url
        self._headers = headers
        self._patience = patience
        self._trace = trace
        self._reporter = Reporter(say)
        self._session = requests.Session()
        # Not the session's own ``verify``: a variable of the environment would silently take precedence.
        self._verify = verify

    def send(self, body: bytes) -> tuple[int, str]:
        """Deliver one request; how many of its records were not taken, and why. Raises ProviderError."""
        packed = gzip.compress(body, 6, mtime=0)
        try:
            waits = self._reporter.of(f"send to the collector {self.url}")
            response = repeat(lambda: self._once(packed), _fault_of, rules=RULES, patience=self._patience, waits=waits)
        except _AnswerError as error:
            raise self._refused(error.response) from None
        except Exception as error:
            raise self._unreached(error) from error
        try:
            return rejected(response.content)
        except ValueError:
            return 0, ""
        except Exception as error:
            if type(error).__name__ != "DecodeError":
                raise
            raise OptionError(
                "--otlp",
                f"{self.url} accepted the logs, but does not answer as a collector does",
                remedy="Check the address.",
            ) from error

    def close(self) -> None:
        """Close connections."""
        self._session.close()

    def _once(self, packed: bytes) -> Any:
        response = self._session.post(
            self.url,
            data=packed,
            headers={
                "Content-Type": "application/x-protobuf",
                "Content-Encoding": "gzip",
                **{name: value.reveal() for name, value in self._headers.items()},
            },
            timeout=TIMEOUTS,
            verify=self._verify,
            allow_redirects=False,
        )
        if self._trace:
            self._trace(f"otlp: POST {urlsplit(self.url).path} {response.status_code}")
        if response.status_code != 200:
            raise _AnswerError(response)
        return response

    def _refused(self, response: Any) -> Exception:
        status = int(response.status_code)
        what = f"the collector {self.url} answered {status}"
        table: dict[int, tuple[type[AzureError], str]] = {
            401: (AuthenticationError, f"Put the token into {HEADERS[1]}."),
            403: (AccessDeniedError, f"Check the token in {HEADERS[1]}."),
            429: (ThrottledError, "Send less often, or let the collector take more."),
        }
        if status in table:
            kind, remedy = table[status]
            return kind(what, remedy=remedy)
        if status in RETRYABLE or status >= 500:
            return UnavailableError(what, remedy="Look at the collector's own log, then try again.")
        return OptionError("--otlp", f"{what}: it takes no OTLP logs there", remedy="Check the address and its path.")

    def _unreached(self, error: Exception) -> Exception:
        import requests

        if isinstance(error, requests.exceptions.SSLError):
            return UnavailableError(
                f"the certificate of {self.url} is not trusted",
                remedy="Set REQUESTS_CA_BUNDLE to a file of the certificates to trust.",
            )
        if isinstance(error, requests.exceptions.RequestException):
            return UnavailableError(
                f"the collector {self.url} cannot be reached: {one_line(_reason(error))[:200]}",
                remedy="Check the address and that the collector runs, then try again.",
            )
        return error


class _AnswerError(Exception):
    """An answer that is not 200."""

    def __init__(self, response: Any) -> None:
        super().__init__(response.status_code)
        self.response = response


def _fault_of(error: BaseException) -> Fault:
    import requests

    if isinstance(error, _AnswerError):
        return answered(error.response.status_code, error.response.headers, "")
    kinds: tuple[tuple[type[Exception], Kind], ...] = (
        (requests.exceptions.SSLError, Kind.UNTRUSTED),
        (requests.exceptions.ReadTimeout, Kind.LOST),
        (requests.exceptions.ConnectionError, Kind.UNREACHED),
    )
    return Fault(kind=next((kind for cause, kind in kinds if isinstance(error, cause)), Kind.OTHER))


def _reason(error: BaseException) -> str:
    """The innermost reason: requests wraps urllib3, which wraps the socket's error."""
    inner = getattr(error, "reason", None) or next((arg for arg in error.args if isinstance(arg, BaseException)), None)
    return _reason(inner) if isinstance(inner, BaseException) else str(error).rpartition(": ")[2]
