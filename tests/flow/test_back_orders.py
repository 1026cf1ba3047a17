# SPDX-License-Identifier: Apache-2.0
"""An order of which some is not there: what is there ships, the rest follows by itself, ERP and store hear of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest_asyncio

from crossdock.runtime.nats import Bus
from crossdock.sandbox.warehouse.opening import OpeningRequest, receive_opening
from tests.flow.staging import Stage, staged

GOVERNED = "inventory: {channels: {shopify-us: {locations: [DC-EAST, DC-WEST]}}}\n"


@pytest_asyncio.fixture
async def stage(pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """An estate that governs its stock and splits orders; it has no stock yet."""

    def splitting(text: str) -> str:
        text = text.replace("customer: WEB-STORE}", "customer: WEB-STORE, back_order: split}")
        return "".join(line for line in text.splitlines(True) if not line.startswith("stock_publication")) + GOVERNED

    async with staged(pool, database, nats_url, tmp_path, splitting) as running:
        yield running


async def shipped(stage: Stage) -> dict[str, int]:
    """What warehouse, ERP and store say has left, in units."""
    ours = await stage.pool.fetchval(
        "SELECT coalesce(sum((l.value ->> 'shipped')::numeric), 0) FROM fulfillment_order f, jsonb_each(f.lines) l"
    )
    told = await stage.pool.fetch(
        "SELECT w.operation, count(*) AS number FROM delivery w WHERE w.state = 'delivered' GROUP BY 1"
    )
    return {"ours": int(ours), **{row["operation"]: row["number"] for row in told}}


async def test_the_rest_of_an_order_follows_when_goods_come(stage: Stage) -> None:
    order = stage.order(lines=1)
    while order["line_items"][0]["quantity"] < 3:
        order = stage.order(lines=1)
    (line,) = order["line_items"]
    wanted, warehouse = int(line["quantity"]), stage.warehouse.warehouse
    receive_opening(warehouse, OpeningRequest(quantity=1))
    await stage.rest()
    await stage.hook(order)
    await stage.rest()
    assert await stage.cases() == []
    assert sorted(stage.in_warehouse()) == [f"{stage.key(order)}#1", f"{stage.key(order)}#2"]
    stage.ship()
    await stage.rest()
    assert (await shipped(stage))["ours"] == 2
    state = "SELECT state FROM order_life WHERE order_key = $1"
    assert await stage.pool.fetchval(state, stage.key(order)) == "partly_shipped"
    warehouse.tell_movements([warehouse.move("receipt", line["sku"], "DC-WEST", Decimal(wanted + 5), "LATER")])
    await stage.until(lambda: f"{stage.key(order)}#3" in stage.in_warehouse())
    await stage.rest()
    stage.ship()
    await stage.rest()
    assert await shipped(stage) == {
        "ours": wanted,
        "sales_order": 1,
        "fulfillment_order": 3,
        "item_fulfillment": 3,
        "fulfillment": 3,
    }
    assert await stage.pool.fetchval(state, stage.key(order)) == "shipped"
    assert stage.stock()[line["sku"], "DC-WEST"] == 7
    assert await stage.pool.fetchval("SELECT sum(quantity - freed) FROM allocation") == 0
    assert await stage.balanced()
    assert await stage.documents(order) != []
