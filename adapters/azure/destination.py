"""Where a token may travel: to Resource Manager, whatever address an answer of it names."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline import policies
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from statemachine.errors import AzureError


class OneServerPolicy(policies.SansIOHTTPPolicy[Any, Any]):
    """Refuses every request to another server; stands before the policy that adds the token.

    Pages of a list and running operations have addresses that came with an answer.
    """

    def __init__(self, base: str) -> None:
        self._base = base

    def on_request(self, request: Any) -> None:
        """Raise AzureError for a request that would lead elsewhere."""
        if not same_server(request.http_request.url, self._base):
            raise AzureError(
                "Azure's answer leads to another server, which does not get this computer's token",
                remedy="Is a proxy or a captive portal in between? Tell whoever runs your network.",
            )


def same_server(one: str, other: str) -> bool:
    """Whether requests would connect to the same host and port for both, with the same protocol.

    Read by urllib3, which is who connects: other readers find another host in an address with a backslash in it.
    """
    try:
        first, second = parse_url(one), parse_url(other)
    except LocationParseError:
        return False
    return (first.scheme, first.host, first.port or 443) == (second.scheme, second.host, second.port or 443)
