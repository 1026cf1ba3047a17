# SPDX-License-Identifier: Apache-2.0
"""Price lists and products to quote by."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crossdock.canonical.money import Money
from crossdock.canonical.price_list import PriceEntry, PriceList, QuantityBreak
from crossdock.canonical.quantity import Quantity
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import ProductFacts
from crossdock.catalog.price import Asked, quote
from crossdock.catalog.priced import PricedLine, WantedLine

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PRODUCTS = {
    "A": ProductFacts("EA", "", True, True, {"CS": Decimal(12), "PK": Decimal(6)}),
    "OIL": ProductFacts("LTR", "", True, True, {"CAN": Decimal("2.5")}),
    "OWN": ProductFacts("EA", "", True, True, {"CS": Decimal(12)}, price=Money(Decimal("7.00"), "USD")),
}


def entry(price: str, sku: str = "A", unit: str = "EA", **breaks: str) -> PriceEntry:
    """A price; `b10="9.00"` is what one costs from 10 on."""
    made = tuple(
        QuantityBreak(from_quantity=Decimal(name[1:].replace("_", ".")), price=Decimal(value))
        for name, value in breaks.items()
    )
    return PriceEntry(sku=sku, unit=unit, price=Decimal(price), breaks=made)


def stated(list_id: str, *entries: PriceEntry, **said: Any) -> PriceList:
    """A list in USD for everyone, unless said otherwise."""
    return PriceList(price_list_id=list_id, entries=entries, **{"currency": "USD", **said})


def asked(**said: Any) -> Asked:
    """A question at noon in USD."""
    return Asked(**{"currency": "USD", "at": NOON, **said})


def priced(
    lists: list[PriceList] | PriceBook, quantity: str = "1", unit: str = "EA", sku: str = "A", **said: Any
) -> PricedLine:
    """What so many of a SKU cost."""
    book = lists if isinstance(lists, PriceBook) else PriceBook(lists)
    explain = said.pop("explain", False)
    (line,) = quote(
        book, PRODUCTS, asked(**said), [WantedLine(sku, Quantity(Decimal(quantity), unit))], explain=explain
    )
    return line


def costs(line: PricedLine) -> tuple[str, str, str]:
    """Unit price, total and list of a priced line, as text."""
    return str(line.unit_price), str(line.total), line.list
