# SPDX-License-Identifier: Apache-2.0
"""Purchase order: what one of our entities buys, here of another one whose goods it has sold."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from crossdock.canonical.money import Currency, Money
from crossdock.canonical.party import Address, Party, Text
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import Key, OrderStatus


class PurchaseLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods of one line, in the unit they are kept in; `total` is rounded once, `unit_price` is what it comes to."""

    line: Key
    sku: Key
    quantity: Quantity
    unit_price: Money
    total: Money


class PurchaseOrder(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `buyer` (an entity of ours) buys of `supplier`; a full statement of it at `version`.

    `order_key`: the customer's order it is bought for; `fulfillment_reference`: what ships it, from `location` to the
    customer. Sum of line totals = total, without tax.
    """

    purchase_key: Key
    order_key: Key
    fulfillment_reference: Key
    buyer: Key
    supplier: Party
    version: int = 0
    status: OrderStatus = "open"
    ordered_at: datetime
    currency: Currency
    location: Text = ""
    ship_to: Address | None = None
    lines: tuple[PurchaseLine, ...]
    total: Money
