# SPDX-License-Identifier: Apache-2.0
"""The overview's figures against rows whose counts are known."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest
import pytest_asyncio

from crossdock.observe.overview import OverviewReader, overview
from crossdock.runtime.clock import set_clock
from tests.journal.filling import ERP, NOON, ORDERS, STOCK, Filling


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    async with pool.acquire() as conn:
        filling = Filling(conn)
        await filling.interfaces()
        yield filling


async def test_an_empty_estate_has_figures_too(fill: Filling) -> None:
    figures = await overview(fill.conn)
    assert [i.interface for i in figures.interfaces] == [ORDERS, STOCK]
    assert [s.system for s in figures.systems] == ["netsuite", "shopify-us", "warehouse"]
    first = figures.interfaces[0]
    assert (first.open, first.cases, first.money, first.lag_p50, first.oldest_at) == (0, 0, {}, None, None)
    assert first.received == first.settled == [0] * 60
    assert (figures.cases, figures.money) == (0, {})


async def test_series_count_by_the_minute(fill: Filling) -> None:
    for minutes, seconds in ((60, 1), (59, 8), (1, 6), (0, 4), (0, 2)):
        at = NOON - timedelta(minutes=minutes)
        await fill.document(state="settled", received_at=at, settled_at=at + timedelta(seconds=seconds))
    with set_clock(NOON + timedelta(seconds=30)):
        orders = (await overview(fill.conn)).interfaces[0]
    assert len(orders.received) == 60
    assert (orders.received[-1], orders.received[-2], orders.received[0], sum(orders.received)) == (2, 1, 1, 4)
    assert (orders.settled[-1], orders.settled[-2], orders.settled[0], sum(orders.settled)) == (2, 1, 1, 4)
    assert orders.lag_p50 == pytest.approx(4.0)
    assert orders.lag_p99 == pytest.approx(5.96)


async def test_a_reader_remembers_what_is_over(fill: Filling) -> None:
    reader = OverviewReader()
    old = await fill.document(state="settled", received_at=NOON - timedelta(minutes=30), settled_at=NOON)
    with set_clock(NOON + timedelta(seconds=1)) as clock:
        assert sum((await reader.read(fill.conn)).interfaces[0].received) == 1
        # A minute that is over is not counted again: what the reader said of it stays said.
        await fill.conn.execute("UPDATE document SET received_at = $2 WHERE id = $1", old, NOON - timedelta(hours=9))
        await fill.document(state="received", received_at=NOON)
        clock.advance(timedelta(seconds=1))
        orders = (await reader.read(fill.conn)).interfaces[0]
        assert (sum(orders.received), orders.received[-1]) == (2, 1)
        clock.advance(timedelta(minutes=45))
        assert sum((await reader.read(fill.conn)).interfaces[0].received) == 1


async def test_open_documents_cases_and_money(fill: Filling) -> None:
    await fill.document(state="received", received_at=NOON - timedelta(days=400))
    case = await fill.document(state="case")
    await fill.case(case, deadline=NOON - timedelta(days=400))
    await fill.case(await fill.document(state="case"), money=Decimal("8.50"))
    await fill.case(await fill.document(state="case"), money=Decimal(5), currency="GBP")
    sent = await fill.document("order/shopify-us/9", "delivering", "deliver", open_deliveries=1)
    one = await fill.delivery(sent, key="order/shopify-us/9")
    two = await fill.delivery(sent, key="order/shopify-us/9")
    # Two stuck deliveries of one order, each a case of the outgoing interface, put its money at stake once.
    await fill.case(sent, one, interface=ERP)
    await fill.case(sent, two, interface=ERP)
    figures = await overview(fill.conn)
    orders = figures.interfaces[0]
    assert (orders.open, orders.waiting, orders.in_case, orders.delivering, orders.cases) == (5, 1, 3, 1, 5)
    assert (orders.overdue, orders.settle_within, orders.owner) == (1, 900.0, "shopify-us-team")
    assert orders.oldest_at == NOON - timedelta(days=400)
    assert orders.money == {"USD": Decimal("91.50"), "GBP": Decimal(5)}
    assert (figures.cases, figures.cases_overdue) == (5, 1)


async def test_systems_say_what_they_are_owed_and_how_they_are(fill: Filling) -> None:
    document = await fill.document(state="delivering", step="deliver")
    for state in ("due", "due", "sending", "case"):
        await fill.delivery(document, state, created_at=NOON)
    await fill.delivery(document, "delivered", settled_at=NOON + timedelta(seconds=5))
    await fill.conn.execute(
        """INSERT INTO system_lease (system, worker, expires_at, breaker, breaker_reason, paused, paused_by,
                                     pause_reason)
           VALUES ('netsuite', 'w1', 'infinity', 'open', '5 failures', true, 'jo', 'maintenance')"""
    )
    await fill.conn.execute(
        """INSERT INTO publication (system, channel, waiting, waiting_since, problems, reason, calls, fewest_calls,
                                    lag_p50, lag_p95, lag_p99)
           VALUES ('shopify-us', 'us', 3, now() - interval '90 s', 1, '503', 12, 10, 0.5, 1.5, 2)"""
    )
    with set_clock(NOON + timedelta(seconds=30)):
        erp, store, warehouse = (await overview(fill.conn)).systems
    assert (erp.due, erp.sending, erp.in_case, erp.oldest_at) == (2, 1, 1, NOON)
    assert (erp.breaker, erp.breaker_reason, erp.paused, erp.paused_by, erp.pause_reason, erp.driven) == (
        "open", "5 failures", True, "jo", "maintenance", True,
    )  # fmt: skip
    assert erp.last_success == NOON + timedelta(seconds=5)
    assert (erp.delivered[-1], sum(erp.delivered)) == (1, 1)
    assert (store.channel, store.stock_waiting, store.stock_problems, store.stock_reason) == ("us", 3, 1, "503")
    assert (store.stock_calls, store.stock_fewest_calls) == (12, 10)
    assert (store.told_p50, store.told_p95, store.told_p99) == (0.5, 1.5, 2.0)
    assert (erp.channel, erp.stock_waiting, erp.stock_lag, erp.told_p99) == ("", 0, None, None)
    assert store.stock_lag == pytest.approx(90, abs=20)
    assert (warehouse.due, warehouse.breaker, warehouse.paused, warehouse.driven) == (0, "closed", False, False)
