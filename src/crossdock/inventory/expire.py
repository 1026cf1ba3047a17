# SPDX-License-Identifier: Apache-2.0
"""Expire reservations whose time is over: nothing stays held for a buyer who did not come."""

from __future__ import annotations

from collections.abc import Collection

import asyncpg

from crossdock.inventory.again import transaction
from crossdock.inventory.release import give_back
from crossdock.inventory.reservation import SQL, told_states
from crossdock.journal.record import Event, record_events

BATCH = 500
MOST_LINES = 5_000


async def expire(pool: asyncpg.Pool, skus: Collection[str] | None = None) -> int:
    """End every reservation (of `skus`, when some are given) whose time is over, a batch to a transaction; how many.

    Several may do this at once: each reservation is ended by one of them. Raises EngineAway, RetryLater.
    """
    wanted = None if skus is None else sorted(skus)
    total = 0
    more = True
    while more:
        ended, more = await transaction(pool, lambda conn: _expire_batch(conn, wanted))
        total += ended
    return total


async def _expire_batch(conn: asyncpg.Connection, skus: list[str] | None) -> tuple[int, bool]:
    due = await conn.fetch(SQL.due_reservations, BATCH, skus)
    if not due:
        return 0, False
    ids: list[str] = []
    lines = 0
    for row in due:
        lines += row["lines"]
        if ids and lines > MOST_LINES:
            break
        ids.append(row["id"])
    rows = await give_back(conn, ids, SQL.expire_reservations)
    if rows:
        event = Event(type="reservation.expired", key="", document_id=0, data=told_states(rows), many=True)
        await record_events(conn, [event])
    return len(rows), len(due) == BATCH or len(ids) < len(due)
