# SPDX-License-Identifier: Apache-2.0
"""Sales order: what a customer asked for on a channel."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from crossdock.canonical.money import Currency, Money
from crossdock.canonical.party import Address, Party, Text
from crossdock.canonical.quantity import Quantity

Key = Annotated[str, Meta(min_length=1, max_length=200)]
OrderStatus = Literal["open", "cancelled"]
ChargeKind = Literal["shipping", "fee", "discount", "tax", "adjustment"]


class OrderLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. `total` = quantity × unit_price − discount, before tax unless the order's prices include it.
    `tax_code`: the tax context it is sold in, as the estate's tax rules call it."""

    line: Key
    sku: Key
    description: Text = ""
    quantity: Quantity
    unit_price: Money
    discount: Money | None = None
    tax: Money | None = None
    total: Money
    location: Text = ""
    tax_code: Text = ""


class Charge(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Money on an order that is no goods: shipping, fees, order-level discounts (negative), tax on them."""

    kind: ChargeKind
    code: Text = ""
    description: Text = ""
    amount: Money


class SalesOrder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A customer's order in canonical form; a full statement of the order at `version`.

    `order_key` = "<channel>/<id in the channel>" names the order across all systems and versions.
    `version` grows with every change at the source (milliseconds of its change time), a lower one is stale.
    `reservation`: the id of a reservation of ours that the buyer's portal made before the order. `terms`: payment terms
    it names; "" = the account's.
    Totals: sum of line totals + charges + tax = total. Times are UTC.
    """

    order_key: Key
    number: Key
    channel: Key
    version: int = 0
    status: OrderStatus = "open"
    placed_at: datetime
    updated_at: datetime | None = None
    entity: Text = ""
    currency: Currency
    customer: Party
    ship_to: Address | None = None
    bill_to: Address | None = None
    po_number: Text = ""
    terms: Text = ""
    reservation: Text = ""
    service: Text = ""
    lines: tuple[OrderLine, ...]
    charges: tuple[Charge, ...] = ()
    tax: Money | None = None
    taxes_included: bool = False
    total: Money
    note: Annotated[str, Meta(max_length=5000)] = ""


class Cancellation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A credit against an earlier invoice or order, in whole or in part; amounts are what is given back (positive)."""

    cancellation_key: Key
    number: Key
    channel: Key
    of_order: Text = ""
    cancelled_at: datetime
    currency: Currency
    customer: Party
    lines: tuple[OrderLine, ...]
    charges: tuple[Charge, ...] = ()
    total: Money
    reason: Text = ""
