"""Waiting for what is to come. The bounds are for what never comes: on a busy machine nothing is late."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 120.0


def until(condition: Callable[[], object], seconds: float = PATIENCE, every: float = 0.02) -> None:
    """Return once the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(every)
