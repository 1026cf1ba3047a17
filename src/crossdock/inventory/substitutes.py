# SPDX-License-Identifier: Apache-2.0
"""Say what could be sold instead of what is short. A hint: nothing is locked, and the next buyer may be faster."""

from __future__ import annotations

from collections.abc import Mapping

import asyncpg
from msgspec.structs import replace

from crossdock.catalog.cache import ProductFacts
from crossdock.inventory.available import Stock, sellable
from crossdock.inventory.level import Level, Pair
from crossdock.inventory.lock import SQL
from crossdock.inventory.reservation import NotEnough, Substitute
from crossdock.inventory.rules import ChannelRule, StockRules

MOST = 10
# Lines whose substitutes are looked up; more would make a refusal dearer than a reservation.
_MOST_LINES = 50


async def with_substitutes(
    conn: asyncpg.Connection,
    error: NotEnough,
    channel: ChannelRule,
    rules: StockRules,
    products: Mapping[str, ProductFacts],
) -> NotEnough:
    """`error` with the substitutes of each short line and how much of them `channel` may sell."""
    offered: dict[str, list[str]] = {}
    for short in error.shortages[:_MOST_LINES]:
        product = products.get(short.sku)
        known = [sku for sku in (product.substitutes if product is not None else ()) if sku in products]
        offered[short.sku] = [sku for sku in known if products[sku].active and products[sku].stocked][:MOST]
    parts = {part for skus in offered.values() for sku in skus for part in products[sku].components or (sku,)}
    if not parts:
        return error
    levels: dict[Pair, Level] = {}
    for row in await conn.fetch(SQL.levels_of_skus, sorted(parts)):
        levels[row["sku"], row["location"]] = Level(**row)
    stock = Stock(lambda sku, location: levels.get((sku, location)), products)
    told = {
        sku: tuple(Substitute(other, sellable(rules, channel, other, stock).total) for other in others)
        for sku, others in offered.items()
    }
    return NotEnough(tuple(replace(short, substitutes=told.get(short.sku, ())) for short in error.shortages))
