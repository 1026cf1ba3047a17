# SPDX-License-Identifier: Apache-2.0
"""Product and customer account."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from crossdock.canonical.money import Currency, Money
from crossdock.canonical.party import Address, Text
from crossdock.canonical.quantity import EACH, Quantity, Unit
from crossdock.canonical.sales_order import Key


class Product(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something sold. `sku` is our key for it; `location` its default stock location; not `stocked` = a service."""

    sku: Key
    description: Text = ""
    gtin: Text = ""
    unit: Unit = EACH
    price: Money | None = None
    weight: Quantity | None = None
    location: Text = ""
    stocked: bool = True
    status: Literal["active", "retired"] = "active"
    updated_at: datetime | None = None


class Customer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer account as our ERP knows it."""

    customer_id: Key
    name: Text = ""
    email: Text = ""
    gln: Text = ""
    currency: Currency | None = None
    terms: Text = ""
    addresses: tuple[Address, ...] = ()
    status: Literal["active", "blocked"] = "active"
    updated_at: datetime | None = None
