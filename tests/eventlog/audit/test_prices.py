"""Price tables: the API's format with its units and tiers, and one line for what is none."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from eventlog.audit.prices import PriceError, parse, shipped


def item(meter: str = "Standard vCPU Duration", **changes: Any) -> dict[str, Any]:
    made = {
        "currencyCode": "EUR",
        "tierMinimumUnits": 0.0,
        "retailPrice": 0.036,
        "unitPrice": 0.036,
        "armRegionName": "westeurope",
        "location": "EU West",
        "effectiveStartDate": "2025-01-01T00:00:00Z",
        "meterName": meter,
        "productName": "Container Instances",
        "skuName": "Standard",
        "serviceName": "Container Instances",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "armSkuName": "",
    }
    return made | changes


MEMORY = item("Standard Memory Duration", retailPrice=0.0036, unitOfMeasure="1 GB Hour")


def page(*items: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(
        {"BillingCurrency": "EUR", "Items": items, "NextPageLink": None, "Count": len(items)} | more
    ).encode()


def test_an_answer_of_the_api() -> None:
    prices = parse("p", [page(item(), MEMORY)])
    rates = prices.rates("West Europe")
    assert rates is not None
    assert (rates.vcpu, rates.memory) == (Decimal("0.00001"), Decimal("0.000001"))
    assert (prices.currency, prices.date) == ("EUR", date(2025, 1, 1))
    assert prices.rates("eastus") is None


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [("1 Hour", 3600), ("100 Seconds", 100), ("1 Second", 1), ("100 GB Seconds", 100), ("1 GiB Hour", 3600)],
)
def test_units_of_measure(unit: str, seconds: int) -> None:
    prices = parse("p", [page(item(retailPrice=7, unitOfMeasure=unit), MEMORY)])
    assert prices.regions["westeurope"].vcpu == Decimal(7) / seconds


def test_the_newest_price_of_the_first_tier_of_the_right_meter() -> None:
    other = [
        item(retailPrice=1, effectiveStartDate="2020-01-01T00:00:00Z"),
        item(retailPrice=2, tierMinimumUnits=100.0),
        item(retailPrice=3, skuName="Standard Spot"),
        item(retailPrice=4, serviceName="Logic Apps"),
        item(retailPrice=5, type="Reservation"),
        item("V100 vCPU Duration", retailPrice=6),
    ]
    for order in ([*other, item(), MEMORY], [MEMORY, item(), *other]):
        assert parse("p", [page(*order)]).regions["westeurope"].vcpu == Decimal("0.00001")


@pytest.mark.parametrize("later", ["2099-01-01T00:00:00Z", "2099-01-01T00:00:00"])
def test_a_price_that_is_not_in_force_yet_is_not_taken(later: str) -> None:
    announced = item(retailPrice=999, effectiveStartDate=later)
    now = datetime(2026, 11, 29, tzinfo=UTC)
    for order in ([item(), announced, MEMORY], [announced, item(), MEMORY]):
        assert parse("p", [page(*order)], now=now).regions["westeurope"].vcpu == Decimal("0.00001")
    with pytest.raises(PriceError, match="no Standard vCPU price of Container Instances that is in force"):
        parse("p", [page(announced, MEMORY)], now=now)


def test_pages_are_put_together() -> None:
    assert parse("p", [page(item()), page(MEMORY)]).regions.keys() == {"westeurope"}
    both = b"[" + page(item()) + b"," + page(MEMORY) + b"]"
    assert parse("p", [both]).regions.keys() == {"westeurope"}


NUMBERS = ("NaN", "sNaN", "Infinity", "-Infinity", "1e999999", "1e9999999999999")
"""What a Decimal can be, and no price."""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "not an answer"),
        (b"\xff\xfe", "not an answer"),
        (b"[]", "no Standard vCPU price"),
        (b"{}", "not an answer"),
        (page(), "no Standard vCPU price"),
        (page(item()), "none for memory"),
        (page(item(unitOfMeasure="1 Fortnight"), MEMORY), "no unit of time"),
        (page(item(unitOfMeasure="0 Hours"), MEMORY), "no unit of time"),
        (page(item(retailPrice=-1), MEMORY), "negative"),
        (page(item(currencyCode="USD"), MEMORY), "mixes currencies"),
        (page(item(retailPrice="cheap"), MEMORY), "not an answer"),
        (page(item(unitOfMeasure="1" * 5000 + " Hours"), MEMORY), "no unit of time"),
        *((page(item(retailPrice=price), MEMORY), "is no amount of money") for price in NUMBERS),
        *((page(item(), item(tierMinimumUnits=tier), MEMORY), "is no amount of money") for tier in NUMBERS[:4]),
        (b"[" * 100_000, "not an answer"),
    ],
)
def test_what_is_no_price_table_is_one_line(text: bytes, words: str) -> None:
    with pytest.raises(PriceError) as error:
        parse("prices.json", [text])
    assert words in str(error.value)
    assert "prices.json" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 200


def test_a_stand_in_has_to_be_in_the_table() -> None:
    assert parse("p", [page(item(), MEMORY)], stand_in="West Europe").rates("eastus") is not None
    with pytest.raises(PriceError, match="no prices for eastus; it has westeurope"):
        parse("p", [page(item(), MEMORY)], stand_in="eastus")


def test_the_table_that_ships_says_that_it_is_an_example_and_of_when() -> None:
    prices = shipped()
    assert prices.example
    assert prices.date is not None
    rates = prices.rates("no-such-region")
    assert rates is not None
    assert rates.region == prices.stand_in
    assert all(0 < one.memory < one.vcpu for one in prices.regions.values())
