"""Which requests to a storage account or a collector are sent again, as rules for ``adapters.azure.retry``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from adapters.azure.fault import Kind
from adapters.azure.retry import Rule

PATIENCE: Final = 120.0
"""Seconds one request is repeated."""
FIRST: Final = 0.5
CEILING: Final = 30.0


def rules_for(statuses: Iterable[int]) -> tuple[Rule, ...]:
    """The rules for a service whose answers with these statuses may pass; any other answer stands."""
    return (
        *(Rule(name="server", status=status, first=FIRST, ceiling=CEILING) for status in sorted(statuses)),
        Rule(name="connection lost", kind=Kind.LOST, first=FIRST, ceiling=CEILING),
        # Nobody is there: a few seconds ride out a change of network, and a person who is offline is told soon.
        Rule(name="not reached", kind=Kind.UNREACHED, first=FIRST, ceiling=CEILING, times=4),
    )
