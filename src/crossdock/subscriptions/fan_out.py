# SPDX-License-Identifier: Apache-2.0
"""Take on webhooks (Publish-Subscribe): each subscription follows the outbox in commit order from a place of its own.

What is taken on and how far the place moved are one transaction: a crash neither loses nor doubles an event.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

import asyncpg

from crossdock.journal.outbox import events_of
from crossdock.subscriptions.choose import Wanted, facts_of, likes
from crossdock.subscriptions.subscription import MOST_WAITING, SQL

PAGE = 500
# Rows may hold hundreds of events each: a page is cut after so much, and the next follows at once.
PAGE_BYTES = 1_000_000
# Webhooks taken on by one statement.
CHUNK = 5_000
# Counting what waits reads all of it.
COUNT_AGAIN = 1.0

Place = tuple[int, int]
Owed = tuple[str, int, int, int, str]
"""Subscription, transaction, outbox row, element, key."""


class Backlog:
    """How much waits for subscriptions; of each it is counted once a second at most, and what is taken on is added."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[float, int]] = {}

    async def full(self, conn: asyncpg.Connection, subscriptions: Collection[str]) -> set[str]:
        """Those of `subscriptions` for which as much waits as may."""
        clock = asyncio.get_running_loop().time()
        self._counted = {one: known for one, known in self._counted.items() if clock - known[0] < COUNT_AGAIN}
        unknown = [one for one in subscriptions if one not in self._counted]
        if unknown:
            rows = await conn.fetch(SQL.count_waiting, unknown, MOST_WAITING)
            self._counted.update((row["id"], (clock, row["number"])) for row in rows)
        return {one for one in subscriptions if self._counted[one][1] >= MOST_WAITING}

    def add(self, taken: Mapping[str, int]) -> None:
        """So many were taken on for each."""
        for one, number in taken.items():
            clock, known = self._counted[one]
            self._counted[one] = (clock, known + number)


async def fan_out(
    conn: asyncpg.Connection, fence: int, places: Mapping[str, Place], backlog: Backlog, now: datetime
) -> bool:
    """Look at the next page of events behind each place where subscriptions are; whether there is more at once.

    `places`: where each active subscription is. Those that are at the same place are looked after together; one that is
    far behind holds up nobody. Nothing is written when the lease was lost meanwhile. Subscriptions for which too much
    waits already stay where they are.
    """
    # Asked without a lock first: a transaction that locks gets a number, which holds up all who follow the outbox.
    last = await conn.fetchrow(SQL.last_final)
    groups: dict[Place, list[str]] = {}
    for one, place in places.items():
        if last is not None and place < (last["xid"], last["id"]):
            groups.setdefault(place, []).append(one)
    more = False
    for place, group in groups.items():
        full = await backlog.full(conn, group)
        if len(full) < len(group):
            taken, follows = await _page(conn, fence, place, [one for one in group if one not in full], now)
            backlog.add(taken)
            more |= follows
    return more


async def _page(
    conn: asyncpg.Connection, fence: int, place: Place, group: Sequence[str], now: datetime
) -> tuple[Mapping[str, int], bool]:
    """Take on what the page behind `place` holds for these; how much for each, and whether more may follow."""
    taken: Counter[str] = Counter()
    async with conn.transaction():
        if not await conn.fetchval(SQL.check_fence, fence):
            return taken, False
        rows = await conn.fetch(SQL.lock_places, list(group))
        wanted = {
            row["id"]: Wanted(row["types"], _set(row["channels"]), _set(row["customers"]))
            for row in rows
            if (row["xid"], row["event_id"]) == place
        }
        types = likes(one for want in wanted.values() for one in want.types)
        page = await conn.fetch(SQL.read_outbox, *place, types, PAGE, PAGE_BYTES)
        if not page or not wanted:
            return taken, False
        chosen = await _chosen(conn, wanted, page)
        while owed := list(islice(chosen, CHUNK)):
            await conn.execute(SQL.owe, *(list(column) for column in zip(*owed, strict=True)), now)
            taken.update(one for one, *_ in owed)
        await conn.execute(SQL.move_places, list(wanted), page[-1]["xid"], page[-1]["id"])
    return taken, len(page) == PAGE or sum(len(row["data"] or b"") for row in page) >= PAGE_BYTES


def _set(names: Sequence[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


async def _chosen(
    conn: asyncpg.Connection, wanted: Mapping[str, Wanted], page: Sequence[asyncpg.Record]
) -> Iterator[Owed]:
    events = [(row, one) for row in page if row["data"] is not None for one in events_of(row)]
    narrowed = any(want.channels is not None or want.customers is not None for want in wanted.values())
    parties = await _parties(conn, {key for _, (_, key, _) in events}) if narrowed else {}

    def chosen() -> Iterator[Owed]:
        for row, (element, key, data) in events:
            channel, customer = facts_of(key, data) if narrowed else ("", "")
            known = parties.get(key, ("", ""))
            for one, want in wanted.items():
                if want.takes(row["type"], channel or known[0], known[1] or customer):
                    yield one, row["xid"], row["id"], element, key

    return chosen()


async def _parties(conn: asyncpg.Connection, keys: set[str]) -> dict[str, tuple[str, str]]:
    """Channel and customer of the orders and cancellations among `keys`: events do not carry the customer."""
    orders = sorted(key.removeprefix("order/") for key in keys if key.startswith("order/"))
    notes = sorted(key.removeprefix("cancellation/") for key in keys if key.startswith("cancellation/"))
    if not orders and not notes:
        return {}
    rows = await conn.fetch(SQL.parties_of, orders, notes)
    return {row["key"]: (row["channel"], row["customer_id"]) for row in rows}
