# SPDX-License-Identifier: Apache-2.0
"""What a release refuses, leaves alone, and writes down; all or none."""

from __future__ import annotations

import asyncpg
import pytest
import pytest_asyncio

from crossdock.errors import NeedsEdit, Refused
from crossdock.triage.failures import MOST_FAILURES
from crossdock.triage.release import release
from tests.journal.filling import Filling
from tests.triage.holding import held, over_limit


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> Filling:
    conn = await pool.acquire()
    filling = Filling(conn)
    await filling.interfaces()
    return filling


async def case_of(fill: Filling, number: int, *errors: NeedsEdit) -> int:
    key = f"order/shopify-us/{number}"
    return await fill.case(await fill.document(key, "case", "decide"), key=key, **held(*errors))


async def released(fill: Filling, *cases: int) -> int:
    async with fill.conn.transaction():
        return await release(fill.conn, cases, by="jo", origin="cli", reason="fine")


def short() -> NeedsEdit:
    error = NeedsEdit("not enough stock", field="lines[0].quantity", rule="order.stock", value=2, fix="lower it")
    error.hold = "stock"
    return error


async def test_goods_that_are_missing_are_waited_for_not_released(fill: Filling) -> None:
    case = await case_of(fill, 1, over_limit(), short())
    with pytest.raises(Refused) as refused:
        await released(fill, case)
    assert (refused.value.status, refused.value.field) == (409, "lines[0].quantity")
    assert refused.value.reason == f"case {case} cannot be released: lines[0].quantity: not enough stock"
    assert refused.value.fix == "retry it when that has come right"


async def test_more_failures_than_are_kept_are_not_released_unseen(fill: Filling) -> None:
    case = await case_of(fill, 1, *(over_limit() for _ in range(MOST_FAILURES + 1)))
    assert await fill.conn.fetchval("SELECT hold FROM triage_case WHERE id = $1", case) == ""
    with pytest.raises(Refused, match="more than 200 failures"):
        await released(fill, case)
    whole = await case_of(fill, 2, *(over_limit() for _ in range(MOST_FAILURES)))
    assert await released(fill, whole) == 1


async def test_a_delivery_and_a_case_from_before_are_no_held_orders(fill: Filling) -> None:
    document = await fill.document(state="delivering", step="deliver")
    stuck = await fill.case(document, await fill.delivery(document, "case"))
    old = await fill.case(await fill.document(state="case", step="decide"), step="decide", rule="order.credit_limit")
    for case in (stuck, old):
        with pytest.raises(Refused, match="it is no held order"):
            await released(fill, case)


async def test_what_is_under_way_is_left_alone_and_a_second_release_changes_nothing(fill: Filling) -> None:
    first, second = await case_of(fill, 1), await case_of(fill, 2)
    await fill.conn.execute("UPDATE document SET state = 'received' WHERE key = 'order/shopify-us/2'")
    assert await released(fill, first, second) == 1
    assert await released(fill, first) == 0
    rows = await fill.conn.fetch("SELECT order_key, case_id FROM order_release")
    assert [tuple(row) for row in rows] == [("shopify-us/1", first)]
    # Held by the same once more, as when somebody has undone it by hand: the first release stays as it was said.
    await fill.conn.execute("UPDATE document SET state = 'case' WHERE key = 'order/shopify-us/1'")
    async with fill.conn.transaction():
        assert await release(fill.conn, [first], by="ann", origin="console", reason="again") == 1
    assert await fill.conn.fetchval("SELECT by FROM order_release") == "jo"
