"""The options that choose a price table, for every verb that tells costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from adapters.cli.call_error import CallError

if TYPE_CHECKING:
    from eventlog.audit.cost import Bill
    from eventlog.audit.prices import Prices

F = TypeVar("F", bound=Callable[..., Any])


def price_options(function: F) -> F:
    """``--prices`` and ``--region``."""
    function = click.option(
        "--region", default="", metavar="REGION", help="Rates for regions that the price table does not have."
    )(function)
    return click.option(
        "--prices",
        "price_files",
        multiple=True,
        type=click.Path(path_type=Path),
        help="A saved answer of the Azure Retail Prices API; repeat it for more pages.",
    )(function)


def chosen_prices(price_files: tuple[Path, ...], region: str) -> Prices:
    """The table the options name, else the one that ships. Raises CallError."""
    from datetime import UTC, datetime

    from eventlog.audit.prices import PriceError, parse, shipped

    try:
        if not price_files:
            return shipped(region)
        texts = [path.read_bytes() for path in price_files]
        names = ", ".join(path.name for path in price_files)
        return parse(names, texts, stand_in=region, now=datetime.now(UTC))
    except PriceError as error:
        raise CallError(f"--prices: {error}") from error
    except OSError as error:
        raise CallError(f"--prices: cannot read {error.filename}: {error.strerror}") from error


def footnotes(bill: Bill, prices: Prices) -> list[str]:
    """What has to be known to read the figures."""
    day = prices.date
    regions = ", ".join(sorted(prices.regions))
    notes = [f"Prices: {prices.name}, {prices.currency}, {regions}" + (f", as of {day}" if day else "") + "."]
    if prices.example:
        notes.append("They are example figures: pass --prices with your own before you believe a sum.")
    if bill.replaced:
        notes.append(f"Priced as {prices.stand_in}, for want of their own: {', '.join(bill.replaced)}.")
    if bill.unpriced:
        notes.append(f"Not priced, since the table lacks them (see --region): {', '.join(bill.unpriced)}.")
    if bill.total.doubtful_seconds:
        notes.append("In doubt: time for which the log cannot tell whether Azure billed it; included in the sums.")
    if bill.total.running:
        notes.append("* still running: counted until now.")
    return notes
