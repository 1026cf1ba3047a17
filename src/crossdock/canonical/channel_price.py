# SPDX-License-Identifier: Apache-2.0
"""Channel price: what a channel shows of a SKU."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from crossdock.canonical.money import Currency, check_price
from crossdock.canonical.quantity import EACH, Unit
from crossdock.canonical.sales_order import Key


class ChannelPrice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one `unit` (the product's base unit) of a SKU costs on a channel, as the channel is to show it.

    `sequence` grows with every price told of this channel and SKU, so that the newest is known.
    """

    channel: Key
    sku: Key
    unit: Unit = EACH
    price: Decimal
    currency: Currency
    sequence: int
    as_of: datetime

    def __post_init__(self) -> None:
        """ValueError when the price is none."""
        check_price(self.price)
