# SPDX-License-Identifier: Apache-2.0
"""Levels beside what they are made of: the ledger, living reservations, the newest count. Found, and mended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.inventory.level import Pair
from crossdock.inventory.lock import lock_levels, write_levels
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "audit.sql")


class Drift(Struct, frozen=True, kw_only=True):
    """A level that is not what it is made of.

    `uncounted`: what the ledger lacks, up to the newest count (`counted_at`), to add up to what was counted.
    """

    sku: str
    location: str
    on_hand: Decimal
    quarantined: Decimal
    allocated: Decimal
    reserved: Decimal
    ledger_on_hand: Decimal
    ledger_quarantined: Decimal
    ledger_allocated: Decimal
    held_reserved: Decimal
    uncounted: Decimal
    counted_at: datetime | None

    @property
    def pair(self) -> Pair:
        """Which level."""
        return self.sku, self.location


async def find_drifts(
    conn: asyncpg.Connection, *, after: str = "", to: str | None = None, skus: Collection[str] | None = None
) -> list[Drift]:
    """Levels of SKUs behind `after` up to `to` (None: all the rest), of `skus` only if given, that drifted."""
    rows = await conn.fetch(SQL.drifts, after, to, None if skus is None else sorted(skus))
    return [Drift(**row) for row in rows]


async def page_end(conn: asyncpg.Connection, after: str, size: int) -> str | None:
    """The last SKU of the next `size` levels behind `after`; None when there are none."""
    found: str | None = await conn.fetchval(SQL.next_skus, after, size)
    return found


async def mend_drifts(conn: asyncpg.Connection, pairs: Collection[Pair]) -> list[Drift]:
    """Make these levels what they are made of, in a transaction; what had drifted of them.

    The ledger is believed before the level, and a count before the ledger: what the ledger lacks to add up to what was
    counted is entered as an adjustment.
    """
    if not pairs:
        return []
    levels = await lock_levels(conn, (), pairs)
    drifts = [one for one in await find_drifts(conn, skus={sku for sku, _ in pairs}) if one.pair in pairs]
    if not drifts:
        return []
    await _restate(conn, [one for one in drifts if one.uncounted])
    rows = await conn.fetch(
        SQL.set_levels,
        [one.sku for one in drifts],
        [one.location for one in drifts],
        [one.ledger_on_hand + one.uncounted for one in drifts],
        [one.ledger_quarantined for one in drifts],
        [one.ledger_allocated for one in drifts],
        [one.held_reserved for one in drifts],
    )
    levels.absorb(rows)
    await write_levels(conn, levels)
    return drifts


async def _restate(conn: asyncpg.Connection, drifts: Sequence[Drift]) -> None:
    if drifts:
        await conn.execute(
            SQL.restate,
            [one.sku for one in drifts],
            [one.location for one in drifts],
            [one.uncounted for one in drifts],
            [one.counted_at for one in drifts],
        )
