# SPDX-License-Identifier: Apache-2.0
"""The conflating queue of stock levels: what each channel must be told, and what it was told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.inventory.lock import SQL
from crossdock.journal.record import storable


class Wanted(Struct, frozen=True, kw_only=True):
    """A level that a channel must be told. `sequence` is the level's; `dirty_since`: when it began to wait."""

    sku: str
    location: str
    quantity: Decimal
    sequence: int
    dirty_since: datetime


async def claim_dirty(conn: asyncpg.Connection, system: str, limit: int, quiet: float, longest: float) -> list[Wanted]:
    """At most `limit` levels to tell `system` now: zeros, those at rest for `quiet` s or waiting for `longest` s."""
    rows = await conn.fetch(SQL.claim_dirty, system, limit, quiet, longest)
    return [
        Wanted(
            sku=row["sku"],
            location=row["location"],
            quantity=row["wanted"],
            sequence=row["wanted_sequence"],
            dirty_since=row["dirty_since"],
        )
        for row in rows
    ]


async def record_told(conn: asyncpg.Connection, system: str, told: Sequence[Wanted]) -> None:
    """Write what `system` acknowledged; a level that has moved on meanwhile is told again."""
    if told:
        ordered = sorted(told, key=lambda level: (level.sku, level.location))
        await conn.execute(
            SQL.record_told,
            system,
            [level.sku for level in ordered],
            [level.location for level in ordered],
            [level.quantity for level in ordered],
            [level.sequence for level in ordered],
        )


async def record_untold(conn: asyncpg.Connection, system: str, failed: Sequence[tuple[Wanted, str, float]]) -> None:
    """Write what went wrong with levels: (level, reason, seconds until it is tried again)."""
    if failed:
        await conn.execute(
            SQL.record_untold,
            system,
            [level.sku for level, _, _ in failed],
            [level.location for level, _, _ in failed],
            [storable(reason, 500) for _, reason, _ in failed],
            [wait for _, _, wait in failed],
        )


async def publish_all(conn: asyncpg.Connection, tell: Sequence[tuple[str, str]]) -> None:
    """Make every known level of (channel system, location) pairs to be told, where the system was never told of it."""
    if tell:
        await conn.execute(SQL.publish_all, [system for system, _ in tell], [location for _, location in tell])
