# SPDX-License-Identifier: Apache-2.0
"""The history of one SKU: its movements in the ledger, its levels, and what stores were told."""

from __future__ import annotations

import asyncpg

from crossdock.errors import Refused
from crossdock.journal.books import READ
from crossdock.journal.traced import ChannelMark, Entry, StockLevelMark, Trace

MAX_MOVEMENTS = 500


async def trace_stock(conn: asyncpg.Connection, sku: str) -> Trace:
    """Levels, publication and the newest 500 movements of `sku`. Raises Refused 404 when nothing is known of it."""
    movements = await conn.fetch(READ.trace_movements, sku, MAX_MOVEMENTS)
    levels = [StockLevelMark(**row) for row in await conn.fetch(READ.trace_levels, sku, MAX_MOVEMENTS)]
    channels = [ChannelMark(**row) for row in await conn.fetch(READ.trace_channels, sku, MAX_MOVEMENTS)]
    if not movements and not levels and not channels:
        raise Refused(
            f"{sku[:200]!r} has no history yet",
            status=404,
            field="key",
            rule="not_found",
            fix="give a key that a document or a stock movement carries",
        )
    entries = [
        Entry(
            at=row["occurred_at"],
            kind="moved",
            title=f"{row['kind']} {row['quantity']:+} {row['unit']} at {row['location']}",
            detail=" ".join(part for part in (row["source"], row["movement_id"], row["reference"]) if part),
            document_id=row["document_id"],
        )
        for row in movements
    ]
    entries += [
        Entry(at=c.told_at, kind="told", title=f"{c.system} told {c.told} at {c.location}", system=c.system)
        for c in channels
        if c.told_at is not None
    ]
    on_hand = ", ".join(f"{level.on_hand} at {level.location}" for level in levels)
    return Trace(
        key=sku,
        title=f"SKU {sku}" + (f" · {on_hand}" if on_hand else ""),
        levels=levels,
        channels=channels,
        timeline=sorted(entries, key=lambda entry: entry.at),
        truncated=len(movements) == MAX_MOVEMENTS,
    )
