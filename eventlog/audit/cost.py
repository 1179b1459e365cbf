"""What it cost: metered seconds times vCPU and GB at a price table, summed by workspace, person or day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from eventlog.audit.meter import Stretch
from eventlog.audit.prices import Prices, Rates, canonical

DIMENSIONS: Final = ("workspace", "actor", "day", "region")
"""What costs can be summed by. A day is Azure's: UTC."""


class Line(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A sum."""

    workspace: str = ""
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

    def add(self, piece: Stretch, rates: Rates | None) -> None:
        """Add a stretch."""
        seconds = (piece.until - piece.since).total_seconds()
        self.seconds += seconds
        self.vcpu_seconds += seconds * piece.facts.cpu
        self.gb_seconds += seconds * piece.facts.memory_gb
        self.running = self.running or piece.running
        amount = _amount(piece, seconds, rates)
        if amount is None:
            self.unpriced_seconds += seconds
            amount = Decimal(0)
        self.amount += amount
        if not piece.certain:
            self.doubtful_seconds += seconds
            self.doubtful_amount += amount


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
        for piece in _pieces(stretch, since, until, daily="day" in by):
            key = tuple(_value(piece, dimension) for dimension in by)
            line = lines.get(key)
            if line is None:
                line = lines[key] = Line(currency=prices.currency)
                for dimension, value in zip(by, key, strict=True):
                    setattr(line, dimension, value)
            line.add(piece, rates)
            total.add(piece, rates)
    return Bill(
        lines=[lines[key] for key in sorted(lines)],
        total=total,
        replaced=tuple(sorted(replaced)),
        unpriced=tuple(sorted(unpriced)),
    )


def _pieces(stretch: Stretch, since: datetime | None, until: datetime | None, *, daily: bool) -> Iterator[Stretch]:
    """The part of a stretch that lies in a time, cut at midnight UTC if the days are asked for."""
    at = max(stretch.since, since) if since else stretch.since
    end = min(stretch.until, until) if until else stretch.until
    while at < end:
        midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        behind = min(end, midnight) if daily else end
        yield msgspec.structs.replace(
            stretch, since=at, until=behind, running=stretch.running and behind == stretch.until
        )
        at = behind


def _value(piece: Stretch, dimension: str) -> str:
    match dimension:
        case "workspace":
            return piece.workspace
        case "actor":
            actor = piece.actor
            return actor.azure or (f"{actor.user}@{actor.host}" if actor.host else actor.user)
        case "day":
            return f"{piece.since:%Y-%m-%d}"
        case _:
            return canonical(piece.facts.location)


def _amount(piece: Stretch, seconds: float, rates: Rates | None) -> Decimal | None:
    if rates is None:
        return None
    vcpu = Decimal(str(piece.facts.cpu)) * rates.vcpu
    if piece.facts.os_type.lower() == "windows":
        if rates.windows is None:
            return None
        vcpu += Decimal(str(piece.facts.cpu)) * rates.windows
    return Decimal(str(round(seconds, 6))) * (vcpu + Decimal(str(piece.facts.memory_gb)) * rates.memory)
