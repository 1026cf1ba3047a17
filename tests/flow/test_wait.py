# SPDX-License-Identifier: Apache-2.0
"""An order whose goods are not there waits as long as its estate says, however many tries that takes."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from crossdock.canonical.objects import encode
from crossdock.flow import TRIES_BEFORE_CASE, work
from crossdock.journal.keep import keep
from crossdock.sdk.receiving import Incoming, digest_of
from crossdock.translate import Topic
from tests.inventory.deciding import decided, fill_catalog, moved, movements, rules
from tests.orders.making import line, order

TRANSLATIONS = {("shop.orders", "orders"): Topic(translator=None, kind="sales_order")}
WAITING = rules(hold_for=timedelta(minutes=15))


async def kept(pool: asyncpg.Pool) -> None:
    """An order of 2 CD-1 in the journal, and the products it needs in the catalog."""
    async with pool.acquire() as conn:
        await fill_catalog(conn)
        await conn.execute("INSERT INTO customer (customer_id, body) VALUES ('C-1', '{}')")
    body = encode(order("1", line(1, quantity="2")))
    await keep(
        pool,
        [
            Incoming(
                interface="shop.orders",
                topic="orders",
                dedup_key="1",
                key="order/shop/1",
                version=1,
                body=body,
                digest=digest_of(body),
            )
        ],
    )


async def tried_a_minute_later(pool: asyncpg.Pool) -> tuple[str, str]:
    """State and note of the order after a try, when one more minute has gone by since."""
    await work(pool, WAITING, TRANSLATIONS, 10)
    row = await pool.fetchrow(
        "UPDATE document SET received_at = received_at - interval '61 seconds', next_at = now() "
        "WHERE interface = 'shop.orders' RETURNING state, note"
    )
    return row["state"], row["note"]


async def test_an_order_waits_a_quarter_of_an_hour_and_then_says_what_is_missing(pool: asyncpg.Pool) -> None:
    await kept(pool)
    states = [(await tried_a_minute_later(pool))[0] for _ in range(15)]
    assert (states, len(states) > TRIES_BEFORE_CASE) == (["retry"] * 15, True)
    assert await tried_a_minute_later(pool) == ("case", "not enough stock: line 1: 2 of 2 EA CD-1 missing")
    case = await pool.fetchrow("SELECT rule, field, state FROM triage_case")
    assert tuple(case) == ("order.stock", "lines[0].quantity", "open")


async def test_goods_that_come_after_many_tries_are_the_orders(pool: asyncpg.Pool) -> None:
    await kept(pool)
    for _ in range(TRIES_BEFORE_CASE + 3):
        assert (await tried_a_minute_later(pool))[0] == "retry"
    await decided(pool, movements(moved("n1", "5")), by=WAITING, first=900)
    assert (await tried_a_minute_later(pool))[0] == "delivering"
    assert await pool.fetchval("SELECT sum(quantity - freed) FROM allocation") == 2
