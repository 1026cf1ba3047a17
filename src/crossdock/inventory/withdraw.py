# SPDX-License-Identifier: Apache-2.0
"""Give back what was held for fulfillment orders that their warehouse has agreed to ship nothing more of.

Not sooner: a warehouse that had shipped already says so when it is asked to cancel, and what left was promised.
"""

from __future__ import annotations

import asyncpg

from crossdock.inventory.again import transaction
from crossdock.inventory.free import NO_DOCUMENT, Hold, free
from crossdock.inventory.lock import SQL, lock_levels, write_levels

BATCH = 500


async def free_withdrawn(pool: asyncpg.Pool) -> int:
    """Free the goods of withdrawn fulfillment orders, a batch to a transaction; how many orders there were.

    Raises EngineAway, RetryLater.
    """
    total = 0
    while True:
        number = await transaction(pool, _free_batch)
        total += number
        if number < BATCH:
            return total


async def _free_batch(conn: asyncpg.Connection) -> int:
    references = [row["reference"] for row in await conn.fetch(SQL.withdrawn, BATCH)]
    if not references:
        return 0
    pairs = [(row["sku"], row["location"]) for row in await conn.fetch(SQL.held_for, references)]
    levels = await lock_levels(conn, pairs)
    holds = [Hold(**row) for row in await conn.fetch(SQL.allocations_to_free, references)]
    for hold in holds:
        levels.change(hold.sku, hold.location, allocated=-hold.open)
    await free(conn, [(hold, hold.open, NO_DOCUMENT) for hold in holds])
    await write_levels(conn, levels)
    await conn.execute(SQL.forget_withdrawn, references)
    return len(references)
