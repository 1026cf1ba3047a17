# SPDX-License-Identifier: Apache-2.0
"""Keep what of an order was not there, in the order in which it waits, and notice when goods may have come for it.

Goods that come are looked for by a document of the order's key, so that it takes its turn among all others of its
order; what was waiting longer comes first, also before orders that are new.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.canonical.fulfillment import BackOrder
from crossdock.canonical.objects import encode
from crossdock.inventory.needs import Need
from crossdock.journal.keep import keep
from crossdock.runtime.postgres import load_queries
from crossdock.sdk.receiving import Incoming, digest_of

SQL = load_queries(__package__, "back_orders.sql")
TOPIC = "back_orders"
PAGE = 200
_COLUMNS = ("order_key", "line", "sku", "quantity", "line_quantity", "places", "since")


class Waiting(Struct, frozen=True, kw_only=True):
    """What one line of an order waits for: `quantity` of `sku`, for `line_quantity` of the line."""

    order_key: str
    line: str
    sku: str
    quantity: Decimal
    line_quantity: Decimal
    places: Sequence[str]
    since: datetime


def interface_of(channel: str) -> str:
    """The internal interface by which orders of `channel` are looked at again when goods may have come."""
    return f"{channel}.back-orders"


def waiting_for(order_key: str, needs: Iterable[Need], places: Sequence[str], since: datetime) -> list[Waiting]:
    """What an order waits for, as it is kept."""
    return [
        Waiting(
            order_key=order_key,
            line=need.line,
            sku=sku,
            quantity=need.quantity * each,
            line_quantity=need.quantity,
            places=[need.place] if need.place else places,
            since=since,
        )
        for need in needs
        for sku, each in need.parts.items()
    ]


async def queue(conn: asyncpg.Connection, skus: Collection[str]) -> list[Waiting]:
    """All that waits for these SKUs, the oldest first. Their levels are locked, so nobody adds to it."""
    return [Waiting(**row) for row in await conn.fetch(SQL.back_orders_of_skus, sorted(skus))]


async def waiting_of(conn: asyncpg.Connection, order_keys: Collection[str]) -> dict[str, list[Waiting]]:
    """What these orders wait for; those that wait for nothing are left out. Nothing is locked by asking."""
    found: dict[str, list[Waiting]] = {}
    for row in await conn.fetch(SQL.back_orders_of, sorted(order_keys)):
        found.setdefault(row["order_key"], []).append(Waiting(**row))
    return found


async def write_waiting(conn: asyncpg.Connection, order_keys: Collection[str], rows: Sequence[Waiting]) -> None:
    """These orders wait for `rows` now and for nothing else."""
    if order_keys:
        await conn.execute(SQL.forget_back_orders, sorted(order_keys))
    if rows:
        await conn.copy_records_to_table(
            "back_order", records=[tuple(getattr(row, name) for name in _COLUMNS) for row in rows], columns=_COLUMNS
        )


async def look_for_goods(pool: asyncpg.Pool, takes: Callable[[str], bool]) -> int:
    """Keep a document for every order that goods may have come for; how many. `takes`: channels that have back-orders.

    Safe to repeat: what was kept for the same levels already is a duplicate.
    """
    async with pool.acquire() as conn:
        rows = [row for row in await conn.fetch(SQL.due_back_orders, PAGE) if takes(row["channel"])]
    if not rows:
        return 0
    await keep(pool, [_incoming(row) for row in rows])
    async with pool.acquire() as conn:
        await conn.execute(SQL.looked_for, [row["order_key"] for row in rows], [row["seen"] for row in rows])
    return len(rows)


def _incoming(row: asyncpg.Record) -> Incoming:
    body = encode(BackOrder(order_key=row["order_key"], levels=row["seen"]))
    return Incoming(
        interface=interface_of(row["channel"]),
        topic=TOPIC,
        dedup_key=f"{row['order_key']}@{row['seen']}",
        key=f"order/{row['order_key']}",
        body=body,
        digest=digest_of(body),
    )
