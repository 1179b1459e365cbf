"""What the catalogue says of an error code."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Retry(StrEnum):
    """Whether the same call can end differently."""

    YES = "yes"
    """By itself, within minutes."""
    LATER = "later"
    """When Azure or the registry has room again; minutes to hours."""
    NO = "no"
    """Not before something is changed."""


class Entry(NamedTuple):
    """One code."""

    code: str
    cause: str
    remedy: str
    retry: Retry
