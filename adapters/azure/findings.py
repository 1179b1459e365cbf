"""What ``check`` reports: one line for each thing looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from statemachine.errors import ProviderError


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, or could not be looked at; nothing is wrong yet."""
    PROBLEM = "problem"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at."""

    subject: str
    """``credentials``, ``provider``, ``resource group``, ``region``, ``capacity`` or ``quota``."""
    level: Level
    text: str
    error: ProviderError | None = None
    """For a problem: what the verb would fail with."""
