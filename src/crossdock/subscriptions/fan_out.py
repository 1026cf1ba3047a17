# SPDX-License-Identifier: Apache-2.0
"""Take on webhooks (Publish-Subscribe): each subscription follows the outbox in commit order from a place of its own.

What is taken on and how far the place moved are one transaction: a crash neither loses nor doubles an event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from crossdock.journal.outbox import events_of
from crossdock.subscriptions.choose import Wanted, facts_of, likes
from crossdock.subscriptions.subscription import MOST_WAITING, SQL

PAGE = 500

Place = tuple[int, int]
Owed = tuple[str, int, int, int, str]
"""Subscription, transaction, outbox row, element, key."""


async def fan_out(conn: asyncpg.Connection, fence: int, places: Mapping[str, Place], now: datetime) -> bool:
    """Look at the next page of events behind each place where subscriptions are; whether there is more at once.

    `places`: where each active subscription is. Those that are at the same place are looked after together; one that is
    far behind holds up nobody. Nothing is written when the lease was lost meanwhile. Subscriptions for which too much
    waits already stay where they are.
    """
    full = {row["id"] for row in await conn.fetch(SQL.full, list(places), MOST_WAITING)}
    groups: dict[Place, list[str]] = {}
    for one, place in places.items():
        if one not in full:
            groups.setdefault(place, []).append(one)
    more = False
    for place, group in groups.items():
        # Asked without a lock first: a transaction that locks gets a number, which holds up all who follow the outbox.
        if await conn.fetch(SQL.read_outbox, *place, [], 1):
            more |= await _page(conn, fence, place, group, now)
    return more


async def _page(conn: asyncpg.Connection, fence: int, place: Place, group: Sequence[str], now: datetime) -> bool:
    """Take on what the page behind `place` holds for these subscriptions; whether it was full."""
    async with conn.transaction():
        if not await conn.fetchval(SQL.check_fence, fence):
            return False
        rows = await conn.fetch(SQL.lock_places, list(group))
        wanted = {
            row["id"]: Wanted(row["types"], _set(row["channels"]), _set(row["customers"]))
            for row in rows
            if (row["xid"], row["event_id"]) == place
        }
        types = likes(one for want in wanted.values() for one in want.types)
        page = await conn.fetch(SQL.read_outbox, *place, types, PAGE)
        if not page or not wanted:
            return False
        await _owe(conn, await _chosen(conn, wanted, page), now)
        for one in wanted:
            await conn.execute(SQL.move_place, one, page[-1]["xid"], page[-1]["id"])
    return len(page) == PAGE


def _set(names: Sequence[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


async def _chosen(conn: asyncpg.Connection, wanted: Mapping[str, Wanted], page: Sequence[asyncpg.Record]) -> list[Owed]:
    events = [(row, one) for row in page if row["data"] is not None for one in events_of(row)]
    narrowed = any(want.channels is not None or want.customers is not None for want in wanted.values())
    parties = await _parties(conn, {key for _, (_, key, _) in events}) if narrowed else {}
    chosen: list[Owed] = []
    for row, (element, key, data) in events:
        channel, customer = facts_of(key, data) if narrowed else ("", "")
        known = parties.get(key, ("", ""))
        for one, want in wanted.items():
            if want.takes(row["type"], channel or known[0], known[1] or customer):
                chosen.append((one, row["xid"], row["id"], element, key))
    return chosen


async def _parties(conn: asyncpg.Connection, keys: set[str]) -> dict[str, tuple[str, str]]:
    """Channel and customer of the orders and cancellations among `keys`: events do not carry the customer."""
    orders = sorted(key.removeprefix("order/") for key in keys if key.startswith("order/"))
    notes = sorted(key.removeprefix("cancellation/") for key in keys if key.startswith("cancellation/"))
    if not orders and not notes:
        return {}
    rows = await conn.fetch(SQL.parties_of, orders, notes)
    return {row["key"]: (row["channel"], row["customer_id"]) for row in rows}


async def _owe(conn: asyncpg.Connection, owed: Sequence[Owed], now: datetime) -> None:
    if owed:
        columns = [list(column) for column in zip(*owed, strict=True)]
        await conn.execute(SQL.owe, *columns, now)
