# SPDX-License-Identifier: Apache-2.0
"""Price list: what products cost, for whom and when."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from crossdock.canonical.money import Currency, check_price, within_bounds
from crossdock.canonical.party import Text
from crossdock.canonical.quantity import EACH, Unit
from crossdock.canonical.sales_order import Key


class QuantityBreak(Struct, frozen=True, kw_only=True):
    """From `from_quantity` of the entry's unit on, one costs `price`."""

    from_quantity: Decimal
    price: Decimal

    def __post_init__(self) -> None:
        """ValueError when it begins at nothing, or the price is none."""
        if not (within_bounds(self.from_quantity) and self.from_quantity):
            bounds = "above zero and below 10^12, with at most nine decimals"
            raise ValueError(f"a quantity break begins {bounds}, got {self.from_quantity}")
        check_price(self.price)


class PriceEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one `unit` of a product costs; less (or more) from the quantities in `breaks` on."""

    sku: Key
    unit: Unit = EACH
    price: Decimal
    breaks: tuple[QuantityBreak, ...] = ()

    def __post_init__(self) -> None:
        """ValueError when a price is none, or two breaks begin at the same quantity."""
        check_price(self.price)
        if len({one.from_quantity for one in self.breaks}) != len(self.breaks):
            raise ValueError(f"two quantity breaks of {self.sku} begin at the same quantity")


class PriceList(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Prices for a customer (a contract), a customer group or everyone, on one channel or all; a full statement at
    `version`.

    A lower version than the one we have is stale. It is in effect from `effective_from` until before `effective_until`
    (UTC; none: always). A retired list prices nothing.
    """

    price_list_id: Key
    name: Text = ""
    currency: Currency
    customer: Text = ""
    group: Text = ""
    channel: Text = ""
    taxes_included: bool = False
    effective_from: datetime | None = None
    effective_until: datetime | None = None
    status: Literal["active", "retired"] = "active"
    version: int = 0
    updated_at: datetime | None = None
    entries: tuple[PriceEntry, ...]

    def __post_init__(self) -> None:
        """ValueError when it is for a customer and a group, ends before it begins, or prices a unit twice."""
        if self.customer and self.group:
            raise ValueError(f"price list {self.price_list_id} is for a customer or for a group, not for both")
        for at in (self.effective_from, self.effective_until):
            if at is not None and at.tzinfo is None:
                raise ValueError(f"price list {self.price_list_id} has a time without a time zone")
        begins, ends = self.effective_from, self.effective_until
        if begins is not None and ends is not None and ends <= begins:
            raise ValueError(f"price list {self.price_list_id} ends before it begins")
        if len({(one.sku, one.unit) for one in self.entries}) != len(self.entries):
            seen: set[tuple[str, str]] = set()
            for one in self.entries:
                if (one.sku, one.unit) in seen:
                    raise ValueError(f"price list {self.price_list_id} has two prices of {one.sku} by {one.unit}")
                seen.add((one.sku, one.unit))
