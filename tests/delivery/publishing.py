# SPDX-License-Identifier: Apache-2.0
"""A channel that is told its stock by a worker, and when it knows all there is to know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from crossdock.catalog.cache import Catalog
from crossdock.delivery.drive import Driver
from crossdock.inventory.feed import StockFeed
from crossdock.inventory.rules import ChannelRule, StockRules
from crossdock.sdk.manifest import Sends
from tests.delivery.scripted import driven, system

LEVELS = Sends(operation="stock_levels", object="stock_level", batch=250, idempotency="absolute")
SHOP = ChannelRule(name="us", system="shop", locations=("EAST",))
UNSEEN = """
SELECT NOT EXISTS (SELECT FROM publication) OR EXISTS (SELECT FROM publication_call) OR EXISTS (
    SELECT FROM publication p WHERE p.waiting > 0 OR EXISTS (
        SELECT FROM event e
        WHERE e.type = 'inventory.level.changed' AND (e.xid, e.id) > (p.followed_xid, p.followed_id)
    )
)
"""


@asynccontextmanager
async def publishing(
    pool: asyncpg.Pool, sender: Any, *operations: Sends, channel: ChannelRule = SHOP, worker: str = "w1", **changes: Any
) -> AsyncIterator[Driver]:
    """A worker that tells `channel` its stock as long as the block."""
    feed = StockFeed(pool, StockRules(version="r/1", channels={channel.name: channel}), Catalog())
    shop = system(sender, *(operations or (LEVELS,)), name="shop", channel=channel, **changes)
    async with driven(pool, shop, worker, feed=feed) as driver:
        yield driver


async def at_rest(pool: asyncpg.Pool) -> bool:
    """The channel knows all there is to know."""
    return not await pool.fetchval(UNSEEN)
