# SPDX-License-Identifier: Apache-2.0
"""Measure how fast SKUs sell on each channel, from what orders were allocated.

    rate = Σ quantity × e^(−age / τ) / τ        units a second, τ = 30 minutes

Every unit sold counts for 1/τ at first and fades; at a steady pace of r units a second the sum is r. Orders are read
from the outbox in commit order and from where the last process left off, so that none is counted twice, and time
spent down is made up for: an order counts by its age, whenever it is read.
"""

from __future__ import annotations

import asyncpg

from crossdock.inventory.forecast import SQL

FADES_IN = 1800.0
PAGE = 2000


async def measure_pace(pool: asyncpg.Pool) -> bool:
    """Take in orders accepted since the last call, at most a page; whether there may be more. One process at a time."""
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(SQL.make_pace)
        place = await conn.fetchrow(SQL.lock_pace)
        if place is None:
            return False
        rows = await conn.fetch(SQL.sold, place["xid"], place["id"], PAGE)
        orders = [row for row in rows if row["key"] is not None]
        if orders:
            keys = [row["key"].removeprefix("order/") for row in orders]
            await conn.execute(SQL.count_sold, keys, [row["at"] for row in orders], FADES_IN)
        await conn.execute(SQL.decay, FADES_IN)
        await conn.execute(SQL.forget_slow)
        await conn.execute(SQL.move_pace, rows[-1]["xid"], rows[-1]["id"])
        return len(orders) == PAGE
