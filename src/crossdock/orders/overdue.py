# SPDX-License-Identifier: Apache-2.0
"""Tell of orders that are longer in a state than the estate allows (timers of an order's life)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import asyncpg
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.journal.record import Event, record_events
from crossdock.orders.follow import SQL
from crossdock.runtime.postgres import away

PAGE = 500


class OrderOverdue(Struct, frozen=True, kw_only=True):
    """An order has been in `state` since `since`, which is longer than `within_seconds`."""

    order_key: str
    number: str
    channel: str
    entity: str
    version: int
    state: str
    sequence: int
    since: datetime
    within_seconds: float


async def tell_overdue(pool: asyncpg.Pool, within: Mapping[str, timedelta]) -> int:
    """Mark and tell at most 500 orders for each state of `within` (how long an order may be in it); how many in all.

    Each is told once per stay: an order that moves on and comes back may be told again. Raises EngineAway.
    """
    told = 0
    with away():
        for state, limit in sorted(within.items()):
            async with pool.acquire() as conn, conn.transaction():
                rows = await conn.fetch(SQL.become_overdue, state, limit.total_seconds(), PAGE)
                await record_events(conn, [_event(row, state, limit) for row in rows])
                told += len(rows)
    return told


def _event(row: asyncpg.Record, state: str, limit: timedelta) -> Event:
    said = OrderOverdue(
        order_key=row["order_key"],
        number=row["number"],
        channel=row["channel"],
        entity=row["entity"],
        version=row["version"],
        state=state,
        sequence=row["sequence"],
        since=row["since"],
        within_seconds=limit.total_seconds(),
    )
    key = f"order/{said.order_key}"
    return Event(type="sales_order.overdue", key=key, document_id=row["document_id"], data=encode(said))
