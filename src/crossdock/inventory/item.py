# SPDX-License-Identifier: Apache-2.0
"""What is answered of one SKU on one channel, from a view of stock."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from crossdock.inventory.available import Term
from crossdock.inventory.rules import ChannelRule
from crossdock.inventory.substitutes import offered
from crossdock.inventory.view import StockView


class LocationAvailability(Struct, frozen=True, gc=False):
    """A part of what is available, and where it lies."""

    location: str
    available: Decimal


class OfferedSubstitute(Struct, frozen=True, gc=False):
    """What could be sold instead."""

    sku: str
    available: Decimal


class ToldNumber(Struct, frozen=True, omit_defaults=True):
    """A number a channel's system was told, and when it acknowledged it. `location` "": the sum of its locations.

    `problem`: why it has not heard a newer one.
    """

    system: str
    location: str
    quantity: Decimal | None
    told_at: datetime | None
    problem: str = ""


class ExpectedGoods(Struct, frozen=True, omit_defaults=True):
    """Goods on their way: how many are still to come under `reference`, where and when."""

    location: str
    due_at: datetime
    quantity: Decimal
    reference: str = ""


class AvailabilityItem(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a channel may sell of a SKU, in its base unit; the parts of `locations` sum to `available`.

    `sequence` grows with every change of a level behind it. `substitutes`: when none is left, what could be sold
    instead. With explain: `explanation`, whose quantities sum to `available`; `told`, what the channel's system shows
    (of the past: what every system showed then); `expected`. What could not be read is named in `left_out`.
    """

    sku: str
    available: Decimal
    unit: str
    locations: tuple[LocationAvailability, ...]
    sequence: int
    substitutes: tuple[OfferedSubstitute, ...] = ()
    explanation: tuple[Term, ...] = ()
    told: tuple[ToldNumber, ...] = ()
    expected: tuple[ExpectedGoods, ...] = ()
    left_out: str = ""


class Besides(Struct, frozen=True):
    """What an explanation has besides its terms, of one SKU."""

    told: tuple[ToldNumber, ...] = ()
    expected: tuple[ExpectedGoods, ...] = ()
    left_out: str = ""


def item_of(view: StockView, channel: ChannelRule, sku: str, besides: Besides | None = None) -> AvailabilityItem:
    """The answer for a SKU that the catalog has; with `besides` it is explained."""
    product = view.catalog.products[sku]
    found = view.sellable(channel, sku)
    instead: tuple[OfferedSubstitute, ...] = ()
    if not found.total and product.substitutes:
        instead = tuple(
            OfferedSubstitute(other, view.sellable(channel, other).total)
            for other in offered(view.catalog.products, sku)
        )
    return AvailabilityItem(
        sku=sku,
        available=found.total,
        unit=product.unit,
        locations=tuple(LocationAvailability(place, quantity) for place, quantity in found.by_location.items()),
        sequence=view.sequence(channel, sku),
        substitutes=instead,
        explanation=tuple(view.explain(channel, sku)) if besides is not None else (),
        told=besides.told if besides is not None else (),
        expected=besides.expected if besides is not None else (),
        left_out=besides.left_out if besides is not None else "",
    )
