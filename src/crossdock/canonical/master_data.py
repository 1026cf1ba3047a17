# SPDX-License-Identifier: Apache-2.0
"""Product and customer account."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from crossdock.canonical.money import Currency, Money, check_price, within_bounds
from crossdock.canonical.party import Address, Text
from crossdock.canonical.quantity import EACH, Quantity, Unit
from crossdock.canonical.sales_order import Key


class UnitConversion(Struct, frozen=True, kw_only=True):
    """One `unit` of the product holds `factor` of its base unit: a case (CS) of twelve eaches is 12."""

    unit: Unit
    factor: Decimal

    def __post_init__(self) -> None:
        """ValueError when one holds nothing, what is no number, or more (also of decimals) than is reckoned with."""
        if not (within_bounds(self.factor) and self.factor):
            bounds = "more than zero and less than 10^12, with at most nine decimals"
            raise ValueError(f"one {self.unit} must hold {bounds}, got {self.factor}")


class Component(Struct, frozen=True, kw_only=True):
    """What goes into one of a bundle: `quantity` of `sku`, in that SKU's base unit."""

    sku: Key
    quantity: Decimal

    def __post_init__(self) -> None:
        """ValueError when nothing of it goes in, or what is no number."""
        if not (self.quantity.is_finite() and self.quantity > 0):
            raise ValueError(f"more than zero of {self.sku} must go into a bundle, got {self.quantity}")


class Product(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something sold. `sku` is our key for it; `location` its default stock location; not `stocked` = a service.

    Stock is kept in `unit`; `units` says what other units hold. With `components` it is a bundle: it has no stock of
    its own and is put together from theirs. `substitutes`: SKUs to offer when there is none. `pack`: it is sold in
    multiples of so many base units.
    """

    sku: Key
    description: Text = ""
    gtin: Text = ""
    unit: Unit = EACH
    price: Money | None = None
    weight: Quantity | None = None
    location: Text = ""
    stocked: bool = True
    units: tuple[UnitConversion, ...] = ()
    components: tuple[Component, ...] = ()
    substitutes: tuple[Key, ...] = ()
    pack: Decimal | None = None
    status: Literal["active", "retired"] = "active"
    updated_at: datetime | None = None

    def __post_init__(self) -> None:
        """ValueError when its price is none, or it is sold in multiples of nothing, or of what is no number."""
        if self.price is not None:
            check_price(self.price.amount)
        if self.pack is not None and not (self.pack.is_finite() and self.pack > 0):
            raise ValueError(f"{self.sku} must be sold in multiples of more than zero, got {self.pack}")


class Customer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer account as our ERP knows it.

    `terms`: payment terms it has; `price_group`: whose price lists it buys by; `credit_limit`: the most that may be
    open at a time (None: no limit is known); `addresses`: where we ship to (none: anywhere).
    """

    customer_id: Key
    name: Text = ""
    email: Text = ""
    gln: Text = ""
    currency: Currency | None = None
    terms: Text = ""
    price_group: Text = ""
    credit_limit: Money | None = None
    addresses: tuple[Address, ...] = ()
    status: Literal["active", "blocked"] = "active"
    updated_at: datetime | None = None
