# SPDX-License-Identifier: Apache-2.0
"""A channel that is told its prices by a worker, master data to change them by, and when it knows all there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg

from crossdock.canonical.master_data import Product
from crossdock.canonical.money import Money
from crossdock.canonical.price_list import PriceEntry, PriceList
from crossdock.catalog.accept import accept_products
from crossdock.catalog.accept_prices import accept_price_lists
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog
from crossdock.catalog.shown import PriceRule
from crossdock.delivery.drive import Driver
from crossdock.inventory.feed import StockFeed
from crossdock.inventory.rules import StockRules
from crossdock.sdk.manifest import Sends
from tests.delivery.scripted import driven, system

PRICES = Sends(operation="prices", object="channel_price", batch=100, idempotency="absolute", known=False)
RULE = PriceRule(channel="us", system="shop", currency="USD", step=Decimal("0.01"))
UNSEEN = """
SELECT NOT EXISTS (
    SELECT FROM price_publication p, catalog_version c, price_version v
    WHERE p.followed_version = c.value AND p.followed_stamp = v.value
) OR EXISTS (
    SELECT FROM channel_price WHERE wanted IS NOT NULL AND told IS DISTINCT FROM wanted AND refusals = 0
)
"""


@asynccontextmanager
async def pricing(
    pool: asyncpg.Pool, sender: Any, *operations: Sends, rule: PriceRule = RULE, worker: str = "w1", **changes: Any
) -> AsyncIterator[Driver]:
    """A worker that tells the channel of `rule` its prices as long as the block."""
    feed = StockFeed(pool, StockRules(version="r/1", channels={}), Catalog(PriceBook()))
    shop = system(sender, *(operations or (PRICES,)), name="shop", prices=rule, **changes)
    # What an earlier worker said it followed is no sign that this one has looked.
    await pool.execute("UPDATE price_publication SET followed_version = -1")
    async with driven(pool, shop, worker, feed=feed) as driver:
        yield driver


async def at_rest(pool: asyncpg.Pool) -> bool:
    """The channel was told all there is to tell, except what it refused."""
    return not await pool.fetchval(UNSEEN)


def product(sku: str, price: str = "", currency: str = "USD", **said: Any) -> Product:
    return Product(sku=sku, price=Money(Decimal(price), currency) if price else None, **said)


def listed(
    list_id: str, version: int = 1, /, *, currency: str = "USD", prices: dict[str, str], **said: Any
) -> PriceList:
    entries = tuple(PriceEntry(sku=sku, price=Decimal(price)) for sku, price in prices.items())
    return PriceList(price_list_id=list_id, version=version, currency=currency, entries=entries, **said)


async def take(pool: asyncpg.Pool, *stated: Product | PriceList) -> None:
    """Products and price lists are taken in."""
    async with pool.acquire() as conn, conn.transaction():
        await accept_products(conn, [(None, one) for one in stated if isinstance(one, Product)])
        await accept_price_lists(conn, [(None, one) for one in stated if isinstance(one, PriceList)])


async def rows(pool: asyncpg.Pool, *columns: str) -> list[tuple[Any, ...]]:
    """Columns of what channels are to show and were told, by SKU; prices as text."""
    found = await pool.fetch(f"SELECT sku, {', '.join(columns)} FROM channel_price ORDER BY channel, sku")
    return [tuple(f"{one:f}" if isinstance(one, Decimal) else one for one in row) for row in found]
