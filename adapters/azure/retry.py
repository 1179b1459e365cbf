"""Which failures may pass, how long to wait for that, and the loop that does (tenacity).

Only what can change by itself is asked again. A refusal that will stand (any other 4xx) is reported at
once; so is a certificate that is not trusted. The table is the whole policy; the first row that fits counts.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from adapters.azure.budget import left
from adapters.azure.fault import Fault, Kind

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

FOREVER: Final = 10_000

WORTH_SAYING: Final = 5.0
"""Seconds of waiting after which a person is told what for."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Wait ``first`` seconds, then twice that each time up to ``ceiling``, at most ``times`` times."""

    name: str
    first: float
    ceiling: float
    times: int = FOREVER
    kind: Kind = Kind.ANSWERED
    status: int = 0
    """0 matches every status."""
    code: str = ""
    """Empty matches every code."""

    def fits(self, fault: Fault) -> bool:
        """Whether the rule speaks of this fault."""
        return (
            self.kind is fault.kind
            and self.status in (0, fault.status)
            and self.code.lower() in ("", fault.meaning.lower())
        )


RULES: Final = (
    # Also seen as an InternalServerError, which would be asked again.
    Rule(name="stands", code="DnsNameLabelNotAvailable", first=0, ceiling=0, times=0),
    # Vendor's advice for a group that is still transitioning: 10 s between calls; it is often over sooner.
    Rule(name="transitioning", code="ContainerGroupTransitioning", first=2, ceiling=10),
    # A front end that does not say with what; most of the service's conflicts pass.
    Rule(name="conflict", status=409, code="Conflict", first=2, ceiling=10, times=4),
    Rule(name="not deployed yet", code="ContainerGroupDeploymentNotReady", first=1, ceiling=2),
    Rule(name="no log yet", code="ContainerLogNotAvailable", first=1, ceiling=2, times=5),
    Rule(name="registry", code="RegistryErrorResponse", first=5, ceiling=20, times=3),
    # Reported as transient now and then, so a mistyped image costs its owner a few seconds more.
    Rule(name="image", code="InaccessibleImage", first=2, ceiling=4, times=2),
    # A token may expire between our look at the clock and Azure's, or be revoked; once more with a new one.
    Rule(name="token", status=401, first=0.1, ceiling=0.1, times=1),
    Rule(name="throttled", status=429, first=1, ceiling=30),
    Rule(name="request timeout", status=408, first=0.5, ceiling=10),
    Rule(name="server error", status=500, first=0.5, ceiling=10),
    Rule(name="server error", status=502, first=0.5, ceiling=10),
    Rule(name="server error", status=503, first=0.5, ceiling=10),
    Rule(name="server error", status=504, first=0.5, ceiling=10),
    Rule(name="connection lost", kind=Kind.LOST, first=0.2, ceiling=5),
    # Offline: a person waits, so a few seconds are enough to ride out a change of network.
    Rule(name="not reached", kind=Kind.UNREACHED, first=0.5, ceiling=4, times=4),
)


class Wait(NamedTuple):
    """A pause before a request is sent again."""

    rule: Rule
    pause: float
    remaining: float
    """Seconds for which this may go on."""
    tries: int
    """How often the rule sends it yet, this time included."""


CONFLICT: Final = Rule(name="conflict", status=409, code="Conflict", first=2, ceiling=10)
"""Where something else under way is all that the conflict can be with: of start, stop and delete."""

NEW_GROUP: Final = Rule(
    name="resource group not visible yet", status=404, code="ResourceGroupNotFound", first=1, ceiling=3, times=6
)
"""Only after we have created the resource group ourselves: other regions may see it a little later."""

IMDS: Final = (
    # The instance metadata service answers these while it is starting (its own documentation).
    Rule(name="metadata service", status=404, first=0.5, ceiling=2, times=3),
    Rule(name="metadata service", status=410, first=0.5, ceiling=2, times=3),
)


def rule_for(fault: Fault, extra: tuple[Rule, ...] = (), rules: tuple[Rule, ...] = RULES) -> Rule | None:
    """The rule that says how to go on after this fault; None: do not."""
    return next((rule for rule in (*extra, *rules) if rule.fits(fault)), None)


def pause(rule: Rule, attempt: int, fault: Fault, *, jitter: float) -> float:
    """Seconds before attempt ``attempt + 1``: what Azure asks for, else exponential with ``jitter`` in 0..1."""
    grown = min(rule.ceiling, rule.first * 2.0 ** min(attempt - 1, 30))
    if fault.retry_after is not None:
        # A little more than asked, so that many clients told the same second do not come back as one.
        return fault.retry_after + jitter * min(1.0, rule.first)
    return grown * (0.5 + jitter / 2)


def repeat(
    action: Callable[[], T],
    fault_of: Callable[[BaseException], Fault],
    *,
    extra: tuple[Rule, ...] = (),
    rules: tuple[Rule, ...] = RULES,
    patience: float = math.inf,
    note: Callable[[str], None] | None = None,
    waits: Callable[[Wait], None] | None = None,
) -> T:
    """Run ``action`` until it succeeds or a fault stands.

    A pause that would outlast the budget of ``budget.within``, or the ``patience`` in seconds for this call, is not
    taken: the fault stands then as well. ``waits`` is told of each pause before it. The last exception is raised as it
    came.
    """
    from tenacity import Retrying

    until = time.monotonic() + patience
    counts: Counter[str] = Counter()
    nap = 0.0

    def again(state: RetryCallState) -> bool:
        nonlocal nap
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, Exception):
            return False
        fault = fault_of(error)
        rule = rule_for(fault, extra, rules)
        if rule is None or counts[rule.name] >= rule.times:
            return False
        counts[rule.name] += 1
        nap = pause(rule, counts[rule.name], fault, jitter=random.random())  # noqa: S311  spreads load, guards nothing
        remaining = min(left(), until - time.monotonic())
        if nap >= remaining:
            return False
        if note:
            note(f"{rule.name}: again in {nap:.1f} s")
        if waits:
            waits(Wait(rule, nap, remaining, rule.times - counts[rule.name] + 1))
        return True

    return Retrying(retry=again, wait=lambda _: nap, sleep=time.sleep, reraise=True)(action)


def reporter(doing: str, say: Callable[[str], None] | None) -> Callable[[Wait], None]:
    """Says once what is waited for, when that takes so long that a person would wonder; for ``repeat``."""
    begun, said = time.monotonic(), False

    def waits(wait: Wait) -> None:
        nonlocal said
        if say and not said and time.monotonic() - begun + wait.pause >= WORTH_SAYING:
            said = True
            most = f"for up to {wait.remaining:.0f} s" if wait.rule.times == FOREVER else _often(wait.tries)
            say(f"cannot {doing} yet ({wait.rule.name}); trying again {most}")

    return waits


def _often(times: int) -> str:
    return "once more" if times == 1 else f"up to {times} times"
