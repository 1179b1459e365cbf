"""Price tables in the format of the Azure Retail Prices API: pages of items, each a meter in a region."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

SERVICE: Final = "Container Instances"
SKU: Final = "Standard"
METERS: Final = {
    "Standard vCPU Duration": "vcpu",
    "Standard Memory Duration": "memory",
    "Standard Windows Software Duration": "windows",
}
SHIPPED: Final = "prices-example.json"
MOST: Final = 10**9
"""No currency has so small a unit that an hour of a core costs more."""

_UNIT: Final = re.compile(r"(\d{1,9}) (?:(?:GB|GiB) )?(second|minute|hour)s?", re.IGNORECASE)
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}


class PriceError(ValueError):
    """A file that is no price table."""


class Item(msgspec.Struct, rename="camel"):
    """One meter in one region, as the API describes it; the fields not needed here are skipped."""

    currency_code: str
    retail_price: Decimal
    arm_region_name: str
    meter_name: str
    unit_of_measure: str
    service_name: str = ""
    sku_name: str = ""
    type: str = "Consumption"
    tier_minimum_units: Decimal = Decimal(0)
    effective_start_date: datetime | None = None


class Page(msgspec.Struct, rename="pascal"):
    """One answer of the API. The last two fields are ours, and only in the table that ships."""

    items: list[Item]
    snapshot_date: date | None = None
    stand_in: str = ""
    """Region whose rates are taken for regions that are not in the table."""


class Rates(msgspec.Struct, frozen=True):
    """What a second costs in a region."""

    region: str
    vcpu: Decimal
    memory: Decimal
    windows: Decimal | None = None
    since: datetime | None = None
    """In force since."""


class Prices(msgspec.Struct, frozen=True):
    """A price table."""

    name: str
    currency: str
    regions: dict[str, Rates]
    snapshot: date | None = None
    """The day it was made; None for a table that does not say."""
    stand_in: str = ""
    example: bool = False
    """Whether its figures are examples and not anybody's bill."""

    def rates(self, region: str) -> Rates | None:
        """What a region costs; None when neither it nor a stand-in is in the table."""
        return self.regions.get(canonical(region)) or self.regions.get(self.stand_in)

    @property
    def date(self) -> date | None:
        """The day it was made, or else the newest day on which one of its prices came into force."""
        if self.snapshot is not None:
            return self.snapshot
        return max((rates.since.date() for rates in self.regions.values() if rates.since), default=None)


def canonical(region: str) -> str:
    """A region as the API writes it: ``West Europe`` and ``westeurope`` are one."""
    return region.replace(" ", "").lower()


def parse(
    name: str, texts: Iterable[bytes], *, stand_in: str = "", example: bool = False, now: datetime | None = None
) -> Prices:
    """The table in one or more saved answers of the API, or arrays of them.

    What comes into force after ``now`` is left out; without it, the latest counts. Raises PriceError.
    """
    pages = [page for text in texts for page in _pages(name, text)]
    chosen: dict[tuple[str, str], Item] = {}
    for item in (item for page in pages for item in page.items):
        part = METERS.get(item.meter_name)
        if part is None or (item.service_name, item.sku_name, item.type) != (SERVICE, SKU, "Consumption"):
            continue
        if now is not None and _since(item) > now:
            continue
        _check(name, item)
        key = (canonical(item.arm_region_name), part)
        if key not in chosen or _newer(item, chosen[key]):
            chosen[key] = item
    regions = {region: _rates(name, region, chosen) for region, part in chosen if part == "vcpu"}
    if not regions:
        raise PriceError(f"{name} has no {SKU} vCPU price of {SERVICE} that is in force")
    currencies = {item.currency_code for item in chosen.values()}
    if len(currencies) > 1:
        raise PriceError(f"{name} mixes currencies: {', '.join(sorted(currencies))}")
    wanted = canonical(stand_in) or next((page.stand_in for page in pages if page.stand_in), "")
    if wanted and wanted not in regions:
        raise PriceError(f"{name} has no prices for {wanted}; it has {', '.join(sorted(regions))}")
    return Prices(
        name=name,
        currency=currencies.pop(),
        regions=regions,
        snapshot=next((page.snapshot_date for page in pages if page.snapshot_date), None),
        stand_in=wanted,
        example=example,
    )


@cache
def shipped(stand_in: str = "") -> Prices:
    """The table that comes with this program: example figures. Raises PriceError for a stand-in it does not have."""
    text = files("eventlog.audit").joinpath(SHIPPED).read_bytes()
    return parse("the example prices that ship", [text], stand_in=stand_in, example=True)


def _pages(name: str, text: bytes) -> list[Page]:
    try:
        raw: Any = msgspec.json.decode(text)
        return msgspec.convert(raw if isinstance(raw, list) else [raw], list[Page], strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PriceError(f"{name} is not an answer of the Azure Retail Prices API: {error}") from error


def _check(name: str, item: Item) -> None:
    """Make sure that an item has numbers that can be compared and added. Raises PriceError."""
    # Infinities, and numbers that are none, can be written as text.
    finite = item.retail_price.is_finite() and item.tier_minimum_units.is_finite()
    wrong = "is no amount of money" if not finite or item.retail_price > MOST else "is negative"
    if not finite or not 0 <= item.retail_price <= MOST:
        raise PriceError(f"{name}: the price of {item.meter_name} in {item.arm_region_name} {wrong}")


def _newer(item: Item, other: Item) -> bool:
    """Whether an item replaces another of the same meter: the first tier, and of those the latest price."""
    if item.tier_minimum_units != other.tier_minimum_units:
        return item.tier_minimum_units < other.tier_minimum_units
    return _since(item) > _since(other)


def _since(item: Item) -> datetime:
    """Since when it is in force: in UTC, which the API means also where it does not say so."""
    found = item.effective_start_date
    return _EVER if found is None else found if found.tzinfo else found.replace(tzinfo=UTC)


def _rates(name: str, region: str, chosen: dict[tuple[str, str], Item]) -> Rates:
    memory = chosen.get((region, "memory"))
    if memory is None:
        raise PriceError(f"{name} has a vCPU price for {region}, but none for memory")
    vcpu = chosen[region, "vcpu"]
    windows = chosen.get((region, "windows"))
    return Rates(
        region=region,
        vcpu=_per_second(name, vcpu),
        memory=_per_second(name, memory),
        windows=_per_second(name, windows) if windows else None,
        since=vcpu.effective_start_date,
    )


def _per_second(name: str, item: Item) -> Decimal:
    unit = _UNIT.fullmatch(item.unit_of_measure.strip())
    if unit is None or not int(unit[1]):
        raise PriceError(f"{name} prices {item.meter_name} per {item.unit_of_measure[:40]!r}, which is no unit of time")
    return item.retail_price / (int(unit[1]) * _SECONDS[unit[2].lower()])
