"""A connection made before it is known to be needed: to where the last exec session was, while Azure is asked for one.

Azure names the endpoint with each session, and it is the same one for as long as a container group stays where it is.
So TCP and TLS cost no time of their own: two round trips of the seven that opening a session takes with them.
"""

from __future__ import annotations

import threading
from typing import Final
from urllib.parse import urlsplit

from adapters.tunnel.channel.wire import Wire
from statemachine.errors import ProviderError

CONNECT_SECONDS: Final = 15.0
DEFAULT_PORT: Final = 443


class Ahead:
    """Connects in a thread. What comes of it is either taken or closed; nothing is sent over it before that."""

    def __init__(self, place: str, ca_file: str | None, timeout: float) -> None:
        self._place = place
        self._wire: Wire | None = None
        self._problem: ProviderError | None = None
        self._unwanted = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._connect, args=(ca_file, timeout), name="tunnel-ahead", daemon=True)
        self._thread.start()

    def take(self, place: str) -> Wire | None:
        """The connection, if it leads there; waits for one that is under way. Raises what kept it from being made."""
        if place != self._place:
            self.drop()
            return None
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        return self._wire

    def drop(self) -> None:
        """Close it, now or when it is there."""
        with self._lock:
            self._unwanted = True
            wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    def _connect(self, ca_file: str | None, timeout: float) -> None:
        try:
            host, _, port = self._place.rpartition(":")
            wire = Wire.connect(host, int(port), timeout, ca_file)
        except (ProviderError, ValueError) as problem:
            self._problem = problem if isinstance(problem, ProviderError) else None
            return
        with self._lock:
            if not self._unwanted:
                self._wire = wire
                return
        wire.close()


def place_of(uri: str) -> str:
    """``host:port`` of a session's address; empty where there is no TLS."""
    parts = urlsplit(uri)
    return f"{parts.hostname}:{parts.port or DEFAULT_PORT}" if parts.scheme == "wss" and parts.hostname else ""
