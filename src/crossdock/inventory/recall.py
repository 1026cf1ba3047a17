# SPDX-License-Identifier: Apache-2.0
"""What we believed of a SKU at a moment: its levels then, what each channel had been told, and what made it so."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from crossdock.errors import Refused
from crossdock.inventory.past import past_levels
from crossdock.journal.stock_history import MAX_MOVEMENTS, movement_entry, stock_title
from crossdock.journal.traced import Entry, StockLevelMark, ToldMark, Trace
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "recall.sql")


async def recall(conn: asyncpg.Connection, sku: str, at: datetime) -> Trace:
    """The trace of `sku` as it would have been at `at`: levels, the last number each channel had acknowledged, and the
    newest 500 movements that had been entered by then, whenever they happened. Raises Refused 404 when there was none.
    """
    async with conn.transaction(readonly=True):
        await conn.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        levels = sorted(await past_levels(conn, [sku], at), key=lambda level: level.location)
        told = [ToldMark(**row) for row in await conn.fetch(SQL.told_before, sku, at, MAX_MOVEMENTS)]
        movements = await conn.fetch(SQL.moved_before, sku, at, MAX_MOVEMENTS)
    if not levels and not movements and not told:
        raise Refused(
            f"nothing was known of SKU {sku[:200]!r} at {at:%Y-%m-%d %H:%M:%S} UTC",
            status=404,
            field="key",
            rule="not_found",
            fix="give a SKU that had moved by then, or a later time",
        )
    marks = [
        StockLevelMark(
            location=level.location,
            on_hand=level.on_hand,
            quarantined=level.quarantined,
            allocated=level.allocated,
            reserved=level.reserved,
            free=level.free,
            sequence=level.sequence,
            changed_at=level.changed_at or at,
        )
        for level in levels
    ]
    entries = [movement_entry(row) for row in movements]
    entries += [
        Entry(at=one.told_at, kind="told", title=f"{one.system} told {_at(one)}", system=one.system) for one in told
    ]
    return Trace(
        key=sku,
        title=stock_title(sku, marks),
        at=at,
        levels=marks,
        told=told,
        timeline=sorted(entries, key=lambda entry: entry.at),
        truncated=len(movements) == MAX_MOVEMENTS,
    )


def _at(one: ToldMark) -> str:
    return f"{one.quantity} at {one.location}" if one.location else str(one.quantity)
