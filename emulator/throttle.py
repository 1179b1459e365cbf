"""The budgets Azure counts requests against, and the headers that tell what is left."""

from __future__ import annotations

import time
from collections import deque

from emulator.arm.errors import arm_error
from emulator.settings import Control

_MOST = {"reads": 1100, "writes": 800, "deletes": 800}
_GLOBAL = {"reads": 16500, "writes": 12000, "deletes": 12000}
_PREFIX = "x-ms-ratelimit-remaining-subscription"


class Throttle:
    """Creates and deletes of groups have a budget of their own; ARM's are only reported."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._spent: deque[float] = deque()
        self._counts = dict.fromkeys(_MOST, 0)

    def arm_headers(self, kind: str) -> dict[str, str]:
        """Count one request against ARM's budget; returns the headers for its answer."""
        self._counts[kind] += 1
        used = self._counts[kind]
        return {
            f"{_PREFIX}-{kind}": str(max(0, _MOST[kind] - used)),
            f"{_PREFIX}-global-{kind}": str(max(0, _GLOBAL[kind] - used)),
        }

    def spend(self, kind: str) -> dict[str, str]:
        """Count a create or delete of a group; raises 429 when the budget is spent and enforced."""
        moment = time.monotonic()
        while self._spent and moment - self._spent[0] > 3600:
            self._spent.popleft()
        recent = sum(1 for when in self._spent if moment - when <= 300)
        left_5m = self._control.throttle_per_5min - recent - 1
        left_1h = self._control.throttle_per_hour - len(self._spent) - 1
        if self._control.throttle_status and min(left_5m, left_1h) < 0:
            wait = str(
                max(1, int(300 - (moment - self._spent[-self._control.throttle_per_5min])) if left_1h >= 0 else 60)
            )
            raise arm_error("TooManyRequests", kind=kind, headers={"Retry-After": wait})
        self._spent.append(moment)
        return {
            f"{_PREFIX}-resource-requests-pt5m": str(max(0, left_5m)),
            f"{_PREFIX}-resource-requests-pt1h": str(max(0, left_1h)),
        }
