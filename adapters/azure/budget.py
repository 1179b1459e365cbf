"""How long is left: deadlines that nest, so that nothing inside an operation can outlive it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float] = ContextVar("_deadline", default=math.inf)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give what happens inside at most ``seconds``, or what is left of an outer limit if that is less."""
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


def left() -> float:
    """Seconds left, never negative; infinity outside of every limit."""
    return max(0.0, _deadline.get() - time.monotonic())
