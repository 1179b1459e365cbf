"""Connects to Resource Manager while the token is fetched, which saves two round trips before the first answer."""

from __future__ import annotations

import ssl
import threading
import time
from typing import Any, Final

CONNECT_TIMEOUT: Final = 10.0


def connect_ahead(session: Any, url: str, *, verify: bool | str) -> threading.Thread:
    """Put one open connection into the pool of a ``requests.Session``; returns the thread that does so.

    Nothing is sent before the certificate is verified, and nothing depends on it: a request that finds no connection
    in the pool makes one, and reports what is wrong.
    """
    thread = threading.Thread(target=lambda: _connect(session, url, verify=verify), name="azure-ahead", daemon=True)
    thread.start()
    return thread


def _connect(session: Any, url: str, *, verify: bool | str) -> None:
    from requests import RequestException
    from requests.models import Request
    from urllib3.exceptions import HTTPError

    try:
        settings = session.merge_environment_settings(url, {}, None, verify, None)
        pool = session.get_adapter(url).get_connection_with_tls_context(
            Request("GET", url).prepare(), settings["verify"], proxies=settings["proxies"]
        )
        connection = pool._get_conn(timeout=CONNECT_TIMEOUT)
        connection.timeout = CONNECT_TIMEOUT
        try:
            began = time.monotonic()
            connection.connect()
            quiet = _await_tickets(connection.sock, time.monotonic() - began)
        except BaseException:
            connection.close()
            raise
        if quiet:
            pool._put_conn(connection)
        else:
            connection.close()
    except (AttributeError, OSError, HTTPError, RequestException):
        return  # AttributeError: a version of these libraries with other internals


def _await_tickets(sock: Any, seconds: float) -> bool:
    """Read the session tickets that a TLS 1.3 server sends a round trip after the handshake: urllib3 takes a pooled
    connection with unread bytes for a closed one. False when it has been closed.
    """
    from urllib3.util.wait import wait_for_read

    wait_for_read(sock, seconds)
    before = sock.gettimeout()
    sock.settimeout(0)
    try:
        sock.recv(1)
    except ssl.SSLWantReadError:
        return True
    finally:
        sock.settimeout(before)
    return False
