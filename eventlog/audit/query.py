"""Filters: which operations somebody asked for, and a sentence that says so when there are none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice
from typing import Final

import msgspec

from eventlog.audit.operations import Follower, Operation
from eventlog.history import Ended
from eventlog.lines.record import Record

CHUNK: Final = 4096
"""Records looked at together: a log of any length is read in constant memory."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted; an empty part wants everything, several parts must all agree."""

    workspaces: tuple[str, ...] = ()
    """Patterns after ``fnmatch``; upper and lower case are the same. Any of them is enough, and so below."""
    actors: tuple[str, ...] = ()
    """Patterns for the user, ``user@host`` or the Azure identity."""
    verbs: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    """An operation belongs to the time it began; ``until`` itself is not included."""
    correlation: str = ""
    """How it begins."""

    def wants_workspace(self, workspace: str) -> bool:
        """Whether a workspace may be among the answers; looked at before anything is decoded."""
        return not self.workspaces or _any(self.workspaces, workspace)

    def wants_actor(self, user: str, host: str, azure: str) -> bool:
        """Whether somebody is one of those asked for."""
        return not self.actors or any(_any(self.actors, name) for name in (user, f"{user}@{host}", azure) if name)

    def wants(self, one: Operation) -> bool:
        """Whether an operation is asked for."""
        return (
            self.wants_workspace(one.workspace)
            and self.wants_actor(one.user, one.host, one.azure)
            and (not self.verbs or one.verb in self.verbs)
            and (not self.outcomes or one.outcome in self.outcomes)
            and (self.since is None or one.time >= self.since)
            and (self.until is None or one.time < self.until)
            and one.correlation.startswith(self.correlation)
        )

    def __str__(self) -> str:
        """The query in words: ``workspace demo or web-*, actor ada, since 2026-11-22 10:30:00``."""
        parts = [
            f"{name} {' or '.join(values)}"
            for name, values in (
                ("workspace", self.workspaces),
                ("actor", self.actors),
                ("verb", self.verbs),
                ("outcome", self.outcomes),
            )
            if values
        ]
        if self.since:
            parts.append(f"since {self.since:%Y-%m-%d %H:%M:%S}")
        if self.until:
            parts.append(f"before {self.until:%Y-%m-%d %H:%M:%S}")
        if self.correlation:
            parts.append(f"correlation {self.correlation}…")
        return ", ".join(parts)


def chosen(found: Iterable[Operation], query: Query) -> list[Operation]:
    """The operations a query asks for, in the order given."""
    return [one for one in found if query.wants(one)]


def newest(follower: Follower, records: Iterable[Record], query: Query, limit: int) -> tuple[list[Operation], int]:
    """The newest operations that a query asks for, oldest first, and how many older ones there are.

    The follower can go on afterwards with what is recorded later. Raises LogDamagedError.
    """
    kept: dict[tuple[str, int], Operation] = {}
    older = 0
    left = iter(records)
    while chunk := list(islice(left, CHUNK)):
        for one in follower.feed(chunk):
            kept[one.key] = one
        kept, dropped = _trimmed(kept, query, limit)
        older += dropped
    found = chosen(kept.values(), query)
    return found[-limit:], older + max(0, len(found) - limit)


def _trimmed(
    kept: dict[tuple[str, int], Operation], query: Query, limit: int
) -> tuple[dict[tuple[str, int], Operation], int]:
    """What may still be among the newest, and how many wanted ones are not; what is open may still change."""
    wanted = [key for key, one in kept.items() if one.outcome is not Ended.OPEN and query.wants(one)]
    still = {*wanted[-limit:], *(key for key, one in kept.items() if one.outcome is Ended.OPEN)}
    return {key: one for key, one in kept.items() if key in still}, max(0, len(wanted) - limit)


def _any(patterns: tuple[str, ...], text: str) -> bool:
    lower = text.lower()
    return any(fnmatchcase(lower, pattern.lower()) for pattern in patterns)
