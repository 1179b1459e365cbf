"""Every request, in order: what tests count and a person reads when a client misbehaves."""

from __future__ import annotations

import time
from collections import deque

import msgspec


class Entry(msgspec.Struct):
    """One request. Never holds a header, a body or a query: those carry secrets."""

    number: int
    operation: str
    method: str
    path: str
    api_version: str
    started: float
    connection: int
    status: int = 0
    code: str = ""
    request_id: str = ""
    milliseconds: float = 0.0
    fault: str = ""
    sent: int = 0
    received: int = 0


class Journal:
    """The last requests, bounded."""

    def __init__(self, most: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=most)
        self._count = 0

    def begin(self, operation: str, method: str, path: str, version: str, connection: int) -> Entry:
        """Open an entry; the caller fills in how it ended."""
        self._count += 1
        entry = Entry(self._count, operation, method, path, version, time.time(), connection)
        self._entries.append(entry)
        return entry

    def entries(self, since: int = 0) -> list[Entry]:
        """Entries with a number above ``since``."""
        return [entry for entry in self._entries if entry.number > since]

    @property
    def last(self) -> int:
        """The number of the newest entry."""
        return self._count
