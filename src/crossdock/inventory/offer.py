# SPDX-License-Identifier: Apache-2.0
"""The numbers a channel is told of a SKU: one per location, or one at location "" when it is told the sum."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from crossdock.inventory.level import ZERO
from crossdock.inventory.rules import ChannelRule
from crossdock.inventory.view import StockView

SUMMED = ""
"""The location of a number that stands for all of a channel's locations."""


def offer(view: StockView, channel: ChannelRule, sku: str, told: Collection[str]) -> dict[str, Decimal]:
    """What `channel` may sell of `sku` by location, at locations where there is or ever was some of it, and at those in
    `told`, which it heard of before: where it may sell nothing any more it has to hear so."""
    found = view.sellable(channel, sku)
    if channel.summed:
        shown = found.total or SUMMED in told or any(_known(view, sku, place) for place in channel.locations)
        return {SUMMED: found.total} if shown else {}
    numbers = {
        place: quantity
        for place, quantity in found.by_location.items()
        if quantity or place in told or _known(view, sku, place)
    }
    for place in told:
        numbers.setdefault(place, ZERO)
    return numbers


def _known(view: StockView, sku: str, location: str) -> bool:
    product = view.catalog.products.get(sku)
    parts = (sku, *product.components) if product is not None and product.components else (sku,)
    levels = [view.levels(part).get(location) for part in parts]
    return any(level is not None and level.sequence for level in levels)
