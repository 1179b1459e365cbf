"""Which requests to a storage account or a collector are sent again, as rules for ``adapters.azure.retry``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from adapters.azure.fault import Kind
from adapters.azure.retry import Rule, Wait, reporter

PATIENCE: Final = 120.0
"""Seconds one request is repeated."""
FIRST: Final = 0.5
CEILING: Final = 30.0
_NAMES: Final = {408: "request timeout", 429: "throttled"}
"""What a person is told of an answer that is not a server's own error."""


def rules_for(statuses: Iterable[int]) -> tuple[Rule, ...]:
    """The rules for a service whose answers with these statuses may pass; any other answer stands."""
    return (
        *(
            Rule(name=_NAMES.get(status, "server error"), status=status, first=FIRST, ceiling=CEILING)
            for status in sorted(statuses)
        ),
        Rule(name="connection lost", kind=Kind.LOST, first=FIRST, ceiling=CEILING),
        # Nobody is there: a few seconds ride out a change of network, and a person who is offline is told soon.
        Rule(name="not reached", kind=Kind.UNREACHED, first=FIRST, ceiling=CEILING, times=4),
    )


class Reporter:
    """Says what is waited for, once of each thing in a run, which may send thousands of requests."""

    def __init__(self, say: Callable[[str], None] | None) -> None:
        self._say = say
        self._said: set[str] = set()

    def of(self, doing: str) -> Callable[[Wait], None]:
        """What ``adapters.azure.retry.repeat`` is to tell of one request."""

        def once(text: str) -> None:
            if self._say and doing not in self._said:
                self._said.add(doing)
                self._say(text)

        return reporter(doing, once)
