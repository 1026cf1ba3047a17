# SPDX-License-Identifier: Apache-2.0
"""Cancellations are documents of their own kind: taken in once, bad ones are cases."""

from __future__ import annotations

from typing import Any

import asyncpg

from crossdock.canonical.party import Party
from crossdock.canonical.sales_order import Cancellation
from crossdock.errors import NeedsEdit
from crossdock.journal.decided import Decided
from crossdock.orders.cancel import cancel
from tests.orders.making import NOON, catalog, line, translated, usd


def note(number: str = "C1", **changes: Any) -> Cancellation:
    values: dict[str, Any] = {
        "cancellation_key": f"shop/{number}",
        "number": number,
        "channel": "shop",
        "of_order": "1",
        "cancelled_at": NOON,
        "currency": "USD",
        "customer": Party(id="C-1"),
        "lines": (line(),),
        "total": usd("20.00"),
    }
    return Cancellation(**{**values, **changes})


async def cancelled(pool: asyncpg.Pool, *notes: Cancellation) -> list[Decided]:
    batch = [translated(one, "cancellation", number) for number, one in enumerate(notes, 1)]
    async with pool.acquire() as conn, conn.transaction():
        return await cancel(conn, batch, catalog(), {"shop"}.__contains__)


async def test_a_cancellation_is_taken_in_once(pool: asyncpg.Pool) -> None:
    (first,) = await cancelled(pool, note())
    assert (first.accepted, [event.type for event in first.events]) == (True, ["cancellation.accepted"])
    again, other = await cancelled(pool, note(), note("C2"))
    assert (again.duplicate, again.events) == (True, ())
    assert other.accepted
    rows = await pool.fetch("SELECT number, of_order, total FROM cancellation ORDER BY number")
    assert [tuple(row) for row in rows] == [("C1", "1", usd("20.00").amount), ("C2", "1", usd("20.00").amount)]


async def test_a_bad_one_stops_only_itself(pool: asyncpg.Pool) -> None:
    bad, good = await cancelled(pool, note("C1", channel="moon", lines=(line(1, "XX"),)), note("C2"))
    assert isinstance(bad.error, NeedsEdit)
    assert [one.rule for one in bad.error.failures] == ["order.sku_known", "order.channel_known"]
    assert (bad.money, bad.currency) == (usd("20.00").amount, "USD")
    assert good.accepted
    assert await pool.fetchval("SELECT count(*) FROM cancellation") == 1
