"""The way out through an HTTP proxy: CONNECT, by the rules that requests has for everything else we ask of Azure."""

from __future__ import annotations

import os
import socket
import sys
import time
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from statemachine.errors import TunnelUnreachableError
from statemachine.secret import Secret

ANSWER_MOST: Final = 65536
PORT: Final = 80
"""Of a proxy whose address names none, as with requests."""
VARIABLES: Final = ("https_proxy", "all_proxy")


@dataclass(frozen=True)
class Proxy:
    """Where the proxy is, and what it wants to know of us."""

    host: str
    port: int
    authorization: Secret | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def proxy_for(host: str, port: int) -> Proxy | None:
    """The proxy between here and there, None where there is none. Raises TunnelUnreachableError for one of no use."""
    if not _may_have_one():
        return None
    from requests.utils import get_environ_proxies, select_proxy

    url = f"https://{host}:{port}"
    address = select_proxy(url, get_environ_proxies(url))
    return parse(address) if address else None


def _may_have_one() -> bool:
    """Whether it is worth loading requests: elsewhere than on Linux the system's own settings count as well."""
    return sys.platform != "linux" or any(os.environ.get(n) or os.environ.get(n.upper()) for n in VARIABLES)


def parse(address: str) -> Proxy:
    """A proxy's address as people write it, ``[http://][name:password@]host[:port]``; no error ever quotes it."""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        port = parts.port or PORT
        # A character of a password that ought to be escaped makes a path of its rest.
        host = "" if parts.path.strip("/") or parts.query or parts.fragment else parts.hostname or ""
    except ValueError:
        raise _no_address() from None
    if not host:
        raise _no_address()
    if parts.scheme != "http":
        raise TunnelUnreachableError(
            f"the exec endpoint cannot be reached through a proxy of the kind {parts.scheme}://",
            remedy="Set HTTPS_PROXY to an http:// proxy, or exempt the endpoint: NO_PROXY=.atlas.cloudapp.azure.com",
        )
    if parts.username is None:
        return Proxy(host, port)
    named = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Proxy(host, port, Secret(b64encode(named.encode()).decode()))


def _no_address() -> TunnelUnreachableError:
    remedy = "Write it as http://name:password@host:port, with %40 for an @ in it."
    return TunnelUnreachableError("HTTPS_PROXY is not the address of a proxy", remedy=remedy)


def connect_through(proxy: Proxy, host: str, port: int, timeout: float) -> socket.socket:
    """A connection to ``host`` made by the proxy. Raises OSError, and TunnelUnreachableError for its refusal."""
    deadline = time.monotonic() + timeout
    sock = socket.create_connection((proxy.host, proxy.port), timeout)
    try:
        status, reason = _ask(sock, proxy, _authority(host, port), deadline)
    except BaseException:
        sock.close()
        raise
    if 200 <= status < 300:
        return sock
    sock.close()
    said = f"{status} {reason}".strip()
    if status == 407:
        known = (
            "refused the name and password in"
            if proxy.authorization
            else "asks for a name and a password, but none are in"
        )
        raise TunnelUnreachableError(
            f"the proxy {proxy} {known} HTTPS_PROXY ({said})",
            remedy="Write it as http://name:password@host:port, with %40 for an @ in the password.",
        )
    raise TunnelUnreachableError(
        f"the proxy {proxy} does not connect to the container's exec endpoint {host}:{port} ({said})",
        remedy=f"Ask your network team to allow CONNECT to port {port} of *.atlas.cloudapp.azure.com.",
    )


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _ask(sock: socket.socket, proxy: Proxy, authority: str, deadline: float) -> tuple[int, str]:
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: Basic {proxy.authorization.reveal()}")
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = bytearray()
    # Byte by byte: what comes behind the answer belongs to TLS.
    while not answer.endswith((b"\r\n\r\n", b"\n\n")):
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        byte = sock.recv(1)
        if not byte or len(answer) > ANSWER_MOST:
            raise OSError(0, "the proxy closed the connection" if not byte else "the proxy did not answer as one")
        answer += byte
    words = bytes(answer).splitlines()[0].decode("latin-1").split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise OSError(0, "what answers there is no proxy")
    return int(words[1]), "".join(filter(str.isprintable, words[2] if len(words) > 2 else ""))[:80]
