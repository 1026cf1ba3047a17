# SPDX-License-Identifier: Apache-2.0
"""Say what could be sold instead of what is short. A hint: nothing is locked, and the next buyer may be faster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import asyncpg
from msgspec.structs import replace

from crossdock.catalog.cache import ProductFacts
from crossdock.inventory.available import Stock, sellable
from crossdock.inventory.due import Due, read_expected
from crossdock.inventory.level import Level, Pair
from crossdock.inventory.lock import SQL
from crossdock.inventory.reservation import NotEnough, Shortage, Substitute
from crossdock.inventory.rules import ChannelRule, StockRules
from crossdock.runtime.clock import now

MOST = 10
# Lines whose substitutes are looked up; more would make a refusal dearer than a reservation.
_MOST_LINES = 50


def offered(products: Mapping[str, ProductFacts], sku: str) -> list[str]:
    """The substitutes of `sku` that are sold, at most ten."""
    product = products.get(sku)
    known = [other for other in (product.substitutes if product is not None else ()) if other in products]
    return [other for other in known if products[other].active and products[other].stocked][:MOST]


async def with_substitutes(
    conn: asyncpg.Connection,
    errors: Sequence[tuple[NotEnough, ChannelRule]],
    rules: StockRules,
    products: Mapping[str, ProductFacts],
    buffer: Callable[[ChannelRule, str], tuple[int, str]],
) -> list[NotEnough]:
    """The errors with the substitutes of each short line and how much of them its channel may sell; one look at the
    levels for all of them."""
    short = {line.sku for error, _ in errors for line in error.shortages[:_MOST_LINES]}
    others = {sku: offered(products, sku) for sku in short}
    parts = {part for skus in others.values() for sku in skus for part in products[sku].components or (sku,)}
    if not parts:
        return [error for error, _ in errors]
    levels: dict[Pair, Level] = {}
    for row in await conn.fetch(SQL.levels_of_skus, sorted(parts)):
        levels[row["sku"], row["location"]] = Level(**row)
    due = await read_expected(conn, parts) if any(channel.horizon is not None for _, channel in errors) else Due({})
    stock = Stock(lambda sku, location: levels.get((sku, location)), products, due.within(now()), buffer)

    def told(line: Shortage, channel: ChannelRule) -> Shortage:
        numbers = [Substitute(sku, sellable(rules, channel, sku, stock).total) for sku in others.get(line.sku, ())]
        return replace(line, substitutes=tuple(numbers))

    return [NotEnough(tuple(told(line, channel) for line in error.shortages)) for error, channel in errors]
