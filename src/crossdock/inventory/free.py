# SPDX-License-Identifier: Apache-2.0
"""Free allocations: what has left the house, and what a changed or cancelled order no longer needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.inventory.level import Levels
from crossdock.inventory.lock import SQL

NO_DOCUMENT = 0
"""What is freed without a document that says so."""


class Hold(Struct, frozen=True):
    """What is still held for one line of a fulfillment order."""

    reference: str
    line: str
    sku: str
    location: str
    order_key: str
    open: Decimal


Freed = tuple[Hold, Decimal, int]
"""A hold, how much of it is freed, and the document that freed it."""


async def open_holds(conn: asyncpg.Connection, order_keys: Sequence[str]) -> dict[str, list[Hold]]:
    """What is still held for these orders, by order key."""
    found: dict[str, list[Hold]] = {}
    for row in await conn.fetch(SQL.open_allocations, sorted(order_keys)):
        hold = Hold(**row)
        found.setdefault(hold.order_key, []).append(hold)
    return found


async def free(conn: asyncpg.Connection, freed: Sequence[Freed]) -> None:
    """Write that so much of each hold is no longer held; the levels are changed by the caller."""
    if freed:
        await conn.execute(
            SQL.free_allocations,
            [hold.reference for hold, _, _ in freed],
            [hold.line for hold, _, _ in freed],
            [hold.sku for hold, _, _ in freed],
            [quantity for _, quantity, _ in freed],
            [document_id for _, _, document_id in freed],
        )


async def free_shipped(conn: asyncpg.Connection, left: Iterable[asyncpg.Record], levels: Levels) -> None:
    """Free what was held for goods that have left: rows of (reference, sku, location, quantity)."""
    gone: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for row in left:
        gone[row["reference"], row["sku"], row["location"]] += row["quantity"]
    freed: list[Freed] = []
    for row in await conn.fetch(SQL.allocations_to_free, sorted({reference for reference, _, _ in gone})):
        hold = Hold(**row)
        key = (hold.reference, hold.sku, hold.location)
        quantity = min(hold.open, gone.get(key, Decimal(0)))
        if quantity > 0:
            gone[key] -= quantity
            levels.change(hold.sku, hold.location, allocated=-quantity)
            freed.append((hold, quantity, NO_DOCUMENT))
    await free(conn, freed)
