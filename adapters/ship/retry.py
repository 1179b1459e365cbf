"""Asking again: for what may pass, as long as the caller is patient, when the other side says so."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

PATIENCE: Final = 120.0
"""Seconds one request is repeated."""
FIRST: Final = 0.5
CEILING: Final = 30.0


class Again(NamedTuple):
    """What a failed request means for the next one."""

    worth: bool
    after: float | None = None
    """Seconds the other side asked for."""
    times: int = 10_000
    """How often at most, whatever patience is left."""


FINAL: Final = Again(worth=False)
UNREACHED: Final = Again(worth=True, times=4)
"""Nobody is there: a few seconds ride out a change of network, and a person who is offline is told soon."""


def repeat(
    action: Callable[[], T],
    judge: Callable[[BaseException], Again],
    *,
    patience: float = PATIENCE,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Run ``action`` until it succeeds, its failure will not pass, or patience ends. The last failure is raised."""
    from tenacity import Retrying, stop_before_delay, wait_random_exponential

    grown = wait_random_exponential(multiplier=FIRST, max=CEILING)

    def again(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        verdict = judge(error) if error else FINAL
        return verdict.worth and state.attempt_number <= verdict.times

    def pause(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = judge(error).after if error else None
        # A part of the usual wait on top, lest all who were told the same second come back as one.
        return grown(state) if asked is None else asked + min(1.0, 0.1 * grown(state))

    return Retrying(
        retry=again,
        wait=pause,
        stop=stop_before_delay(patience),
        sleep=sleep,
        reraise=True,
    )(action)


def retry_after(value: str) -> float | None:
    """Seconds in a Retry-After header: a number, or a date (RFC 9110, 10.2.3)."""
    text = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
