# SPDX-License-Identifier: Apache-2.0
"""The one place where levels are locked, and the order in which everything about stock is locked.

0. locations, by name: shared by who makes a level there, alone by who counts all of them;
1. levels, by SKU and location, all that the transaction will touch in one statement;
2. orders and fulfillment orders, by key (only the worker that claimed a document of the order does);
3. reservations, allocations, expected receipts, by id;
4. what channel systems were told, by system, SKU and location; who records a call locks no stock but these.

Whoever changes a level, a reservation or an allocation holds the level's lock, so two transactions meet at the level
first and never wait for each other crosswise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import asyncpg

from crossdock.canonical.objects import encode
from crossdock.inventory.level import Level, Levels, Pair, level_event
from crossdock.journal.record import Event, record_events
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
LEVEL_CHANGED = "inventory.level.changed"


async def lock_levels(
    conn: asyncpg.Connection, pairs: Iterable[Pair], moved: Iterable[Pair] = (), whole: Iterable[str] = ()
) -> Levels:
    """The levels of `pairs` and `moved` (SKU, location), locked until the transaction ends. Once in a transaction.

    What is `moved` gets a row first, because one that does not exist cannot be locked; of `pairs` a level without a row
    is zero, and nobody takes anything of it. `whole`: locations whose every level is locked too, while nobody else
    makes a new one there.
    """
    new, places = set(moved), set(whole)
    if places:
        await _lock_locations(conn, places | {location for _, location in new}, places)
    if new:
        await _make(conn, sorted(new), locked=bool(places))
    wanted = new.union(pairs)
    wanted |= await pairs_at(conn, places)
    if not wanted:
        return Levels((), ())
    ordered = sorted(wanted)
    rows = await conn.fetch(SQL.lock_levels, [sku for sku, _ in ordered], [location for _, location in ordered])
    return Levels([Level(*row) for row in rows], ordered)


async def pairs_at(conn: asyncpg.Connection, locations: Collection[str]) -> set[Pair]:
    """The levels that have a row at these locations; nothing is locked by asking."""
    if not locations:
        return set()
    return {(row["sku"], row["location"]) for row in await conn.fetch(SQL.levels_at, sorted(locations))}


async def _make(conn: asyncpg.Connection, pairs: list[Pair], *, locked: bool) -> None:
    """Rows for levels that are not there yet; hardly ever any."""
    missing = await conn.fetch(SQL.missing_levels, [sku for sku, _ in pairs], [location for _, location in pairs])
    if missing:
        if not locked:
            await _lock_locations(conn, {row["location"] for row in missing}, set())
        await conn.execute(SQL.make_levels, [row["sku"] for row in missing], [row["location"] for row in missing])


async def _lock_locations(conn: asyncpg.Connection, locations: set[str], alone: set[str]) -> None:
    """Keep complete counts of these locations out, and at those in `alone` everyone who makes a level."""
    ordered = sorted(locations)
    await conn.execute(SQL.lock_locations, ordered, [location in alone for location in ordered])


async def write_levels(conn: asyncpg.Connection, levels: Levels) -> None:
    """Write the holds that changed in memory, and tell of every level that moved in this transaction."""
    deltas = list(levels.take_deltas())
    if deltas:
        rows = await conn.fetch(
            SQL.change_levels,
            [pair[0] for pair, _ in deltas],
            [pair[1] for pair, _ in deltas],
            [delta.allocated for _, delta in deltas],
            [delta.reserved for _, delta in deltas],
        )
        levels.absorb(rows)
    moved, levels.moved = levels.moved, {}
    if moved:
        data = encode([level_event(moved[pair]) for pair in sorted(moved)])
        await record_events(conn, [Event(type=LEVEL_CHANGED, key="", document_id=0, data=data, many=True)])
