# SPDX-License-Identifier: Apache-2.0
"""Look at levels without locking them: for answers that nothing is promised by."""

from __future__ import annotations

from collections.abc import Collection

import asyncpg

from crossdock.inventory.level import Level, Levels, Pair
from crossdock.inventory.lock import SQL


async def look(conn: asyncpg.Connection, pairs: Collection[Pair]) -> Levels:
    """The levels of `pairs` as they are now; what is changed of them in memory is written nowhere."""
    wanted = set(pairs)
    rows = await conn.fetch(SQL.levels_of_skus, sorted({sku for sku, _ in wanted}))
    return Levels([Level(*row) for row in rows if (row["sku"], row["location"]) in wanted], wanted)
