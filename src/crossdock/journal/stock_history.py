# SPDX-License-Identifier: Apache-2.0
"""The history of one SKU: its movements in the ledger, its levels and lots, and what stores were told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from crossdock.errors import Refused
from crossdock.journal.books import READ
from crossdock.journal.traced import ChannelMark, Entry, ExpectedMark, LotMark, StockLevelMark, Trace

MAX_MOVEMENTS = 500
# A movement that we heard of so much later than it happened is told with both times.
_AT_ONCE = timedelta(seconds=2)


async def trace_stock(conn: asyncpg.Connection, sku: str) -> Trace:
    """Levels, lots, publication and the newest 500 movements of `sku`. Raises Refused 404 when nothing is known."""
    movements = await conn.fetch(READ.trace_movements, sku, MAX_MOVEMENTS)
    levels = [StockLevelMark(**row) for row in await conn.fetch(READ.trace_levels, sku, MAX_MOVEMENTS)]
    channels = [ChannelMark(**row) for row in await conn.fetch(READ.trace_channels, sku, MAX_MOVEMENTS)]
    expected = [ExpectedMark(**row) for row in await conn.fetch(READ.trace_expected, sku, MAX_MOVEMENTS)]
    if not movements and not levels and not channels and not expected:
        raise Refused(
            f"{sku[:200]!r} has no history yet",
            status=404,
            field="key",
            rule="not_found",
            fix="give a key that a document or a stock movement carries",
        )
    entries = [movement_entry(row) for row in movements]
    entries += [
        Entry(at=c.told_at, kind="told", title=f"{c.system} told {c.told} at {c.location}", system=c.system)
        for c in channels
        if c.told_at is not None
    ]
    return Trace(
        key=sku,
        title=stock_title(sku, levels),
        levels=levels,
        lots=[LotMark(**row) for row in await conn.fetch(READ.trace_lots, sku, MAX_MOVEMENTS)],
        expected=expected,
        channels=channels,
        timeline=sorted(entries, key=lambda entry: entry.at),
        truncated=len(movements) == MAX_MOVEMENTS,
    )


def stock_title(sku: str, levels: Sequence[StockLevelMark]) -> str:
    """The SKU with what is on hand where."""
    on_hand = ", ".join(f"{level.on_hand} at {level.location}" for level in levels)
    return f"SKU {sku}" + (f" · {on_hand}" if on_hand else "")


def movement_entry(row: asyncpg.Record) -> Entry:
    """A movement on the timeline, at the time when it happened, with when we heard of it if that was later."""
    words = [row["source"], row["movement_id"], row["reference"]]
    if row["recorded_at"] - row["occurred_at"] > _AT_ONCE:
        words.append(f"heard of {row['recorded_at']:%Y-%m-%d %H:%M:%S}")
    if row["late"]:
        words.append("late: a count has it already")
    return Entry(
        at=row["occurred_at"],
        kind="moved",
        title=f"{row['kind']} {row['quantity']:+} {row['unit']} at {row['location']}",
        detail=" ".join(word for word in words if word),
        document_id=row["document_id"],
    )
