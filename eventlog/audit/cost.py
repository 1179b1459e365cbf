"""What it cost: metered seconds times vCPU and GB at a price table, summed by workspace, person or day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from eventlog.audit.meter import Stretch
from eventlog.audit.prices import Prices, Rates, canonical
from eventlog.lines.record import Actor
from statemachine.events import GroupFacts

DIMENSIONS: Final = ("workspace", "actor", "day", "region", "writer")
"""What costs can be summed by. A day is Azure's: UTC. The same workspace in two writers' logs is two workspaces."""
_DAY: Final = timedelta(days=1)


class Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A sum."""

    workspace: str = ""
    writer: str = ""
    """Name of the log, where many are read together and workspaces or writers are asked for."""
    actor: str = ""
    day: str = ""
    region: str = ""
    seconds: float = 0.0
    """Metered; ``doubtful_seconds`` of them perhaps not."""
    doubtful_seconds: float = 0.0
    vcpu_seconds: float = 0.0
    gb_seconds: float = 0.0
    amount: Decimal = Decimal(0)
    """Of what has a price; includes the doubtful part."""
    doubtful_amount: Decimal = Decimal(0)
    unpriced_seconds: float = 0.0
    """In regions that the price table does not have."""
    currency: str = ""
    running: bool = False
    """Whether something in it still runs, so that the sum grows."""

    def add(self, stretch: Stretch, seconds: float, amount: Decimal | None, *, running: bool) -> None:
        """Add a part of a stretch; no amount means that it has no price."""
        self.seconds += seconds
        self.vcpu_seconds += seconds * stretch.facts.cpu
        self.gb_seconds += seconds * stretch.facts.memory_gb
        self.running = self.running or running
        if amount is None:
            self.unpriced_seconds += seconds
            amount = Decimal(0)
        self.amount += amount
        if not stretch.certain:
            self.doubtful_seconds += seconds
            self.doubtful_amount += amount


def together(lines: Iterable[Line]) -> Line:
    """One sum of several."""
    found = Line()
    for line in lines:
        for name in ("seconds", "doubtful_seconds", "vcpu_seconds", "gb_seconds", "unpriced_seconds"):
            setattr(found, name, getattr(found, name) + getattr(line, name))
        found.amount += line.amount
        found.doubtful_amount += line.doubtful_amount
        found.running = found.running or line.running
        found.currency = line.currency
    return found


class Bill(msgspec.Struct, kw_only=True):
    """Costs, and what has to be known to read them."""

    lines: list[Line]
    total: Line
    replaced: tuple[str, ...]
    """Regions priced at another region's rates."""
    unpriced: tuple[str, ...]
    """Regions without a price."""


def bill(
    stretches: Iterable[Stretch],
    prices: Prices,
    by: tuple[str, ...] = ("workspace",),
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Bill:
    """The costs of some stretches, of a time if one is given, one line for each value of ``by``."""
    # Sums of workspaces say whose: a name alone may be two people's.
    kept = (*by, "writer") if "workspace" in by and "writer" not in by else by
    lines: dict[tuple[str, ...], Line] = {}
    total = Line(currency=prices.currency)
    replaced, unpriced = set(), set()
    for stretch in stretches:
        region = canonical(stretch.facts.location)
        rates = prices.rates(region)
        if rates is None:
            unpriced.add(region)
        elif rates.region != region:
            replaced.add(region)
        rate = None if rates is None else _rate(stretch.facts, rates)
        values = {dimension: _value(stretch, dimension) for dimension in kept if dimension != "day"}
        for first, last in _pieces(stretch, since, until, daily="day" in by):
            day = first.date().isoformat()
            key = tuple([values.get(one, day) for one in kept])
            line = lines.get(key)
            if line is None:
                line = lines[key] = Line(currency=prices.currency)
                for dimension, value in zip(kept, key, strict=True):
                    setattr(line, dimension, value)
            seconds = (last - first).total_seconds()
            amount = None if rate is None else Decimal(str(round(seconds, 6))) * rate
            running = stretch.running and last == stretch.until
            line.add(stretch, seconds, amount, running=running)
            total.add(stretch, seconds, amount, running=running)
    return Bill(
        lines=[lines[key] for key in sorted(lines)],
        total=total,
        replaced=tuple(sorted(replaced)),
        unpriced=tuple(sorted(unpriced)),
    )


def _pieces(
    stretch: Stretch, since: datetime | None, until: datetime | None, *, daily: bool
) -> Iterator[tuple[datetime, datetime]]:
    """The part of a stretch that lies in a time, cut at midnight UTC if the days are asked for."""
    at = max(stretch.since, since) if since else stretch.since
    end = min(stretch.until, until) if until else stretch.until
    while at < end:
        day = at.replace(hour=0, minute=0, second=0, microsecond=0)
        # The last day of all has no midnight behind it.
        behind = day + _DAY if daily and end - day > _DAY else end
        yield at, behind
        at = behind


def actor_name(actor: Actor) -> str:
    """Somebody in one word: as Azure knows them, or else the user and computer."""
    return actor.azure or (f"{actor.user}@{actor.host}" if actor.host else actor.user)


def _value(stretch: Stretch, dimension: str) -> str:
    match dimension:
        case "workspace":
            return stretch.workspace
        case "writer":
            return stretch.writer
        case "actor":
            return actor_name(stretch.actor)
        case _:
            return canonical(stretch.facts.location)


def _rate(facts: GroupFacts, rates: Rates) -> Decimal | None:
    """What a second of a group costs; None for Windows where its own meter has no price."""
    vcpu = Decimal(str(facts.cpu)) * rates.vcpu
    if facts.os_type.lower() == "windows":
        if rates.windows is None:
            return None
        vcpu += Decimal(str(facts.cpu)) * rates.windows
    return vcpu + Decimal(str(facts.memory_gb)) * rates.memory
