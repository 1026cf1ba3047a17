# SPDX-License-Identifier: Apache-2.0
"""Where in the outbox a moment is."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg

from crossdock.subscriptions.subscription import SQL

# An event says when its transaction began, and its place when that first wrote: they lie no further apart than this.
_LONGEST_TRANSACTION = timedelta(minutes=15)
_LAST = (1 << 63) - 1


async def place_since(conn: asyncpg.Connection, since: datetime) -> tuple[int, int]:
    """The place (transaction, row) before the first event that became true at `since` or later; behind all if none did.

    Found by halving the way: the outbox is ordered by place, and times follow places but for long transactions.
    """
    last = await conn.fetchval(SQL.last_xid)
    if last is None:
        return 0, 0
    low, high = 0, last + 1
    border = since - _LONGEST_TRANSACTION
    while low < high:
        middle = (low + high) // 2
        row = await conn.fetchrow(SQL.place_at, middle)
        if row is None or row["at"] >= border:
            high = middle
        else:
            low = row["xid"] + 1
    found = await conn.fetchrow(SQL.first_since, low, since)
    return (found["xid"], found["id"] - 1) if found is not None else (last, _LAST)
