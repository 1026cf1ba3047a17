# SPDX-License-Identifier: Apache-2.0
"""An order in cases: the warehouse is asked for eaches, store and ERP are told of cases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from crossdock.canonical.master_data import Product, UnitConversion
from crossdock.canonical.objects import decode
from crossdock.canonical.quantity import Quantity
from crossdock.catalog.accept import accept_products
from crossdock.catalog.cache import Catalog
from crossdock.inventory.demand import demand_of
from crossdock.runtime.nats import Bus
from crossdock.sandbox.warehouse.opening import OpeningRequest, receive_opening
from crossdock.triage.act import act
from crossdock.triage.edit import edit, editable
from tests.flow.staging import Stage, staged

GOVERNED = """\
inventory:
  hold_for: 1s
  channels: {shopify-us: {locations: [DC-EAST, DC-WEST]}}
"""


@pytest_asyncio.fixture
async def stage(pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """An estate that governs its stock and has none yet; every product comes in cases of twelve."""

    def governed(text: str) -> str:
        return "".join(line for line in text.splitlines(True) if not line.startswith("stock_publication")) + GOVERNED

    async with staged(pool, database, nats_url, tmp_path, governed) as running:
        async with pool.acquire() as conn:
            cases = (UnitConversion(unit="CS", factor=Decimal(12)),)
            products = [Product(sku=one.sku, units=cases) for one in running.shop.catalog.products]
            await accept_products(conn, [(None, product) for product in products])
        yield running


async def placed_in_cases(stage: Stage) -> tuple[dict[str, Any], int]:
    """An order of cases that is allocated, and how many they are. The store only knows eaches, so a person puts the
    unit right while the order waits for stock."""
    order = stage.order(lines=1)
    await stage.hook(order)
    await stage.rest()
    (case,) = await stage.cases()
    assert case["rule"] == "order.stock"
    receive_opening(stage.warehouse.warehouse, OpeningRequest(quantity=600))
    await stage.rest()
    async with stage.pool.acquire() as conn:
        body = (await editable(conn, case["id"])).body
        assert body.count(b'"EA"') <= 1
        line = body.index(b'"quantity":')
        end = body.index(b"}", line)
        quantity = body[line:end].replace(b',"unit":"EA"', b"") + b',"unit":"CS"'
        await act(conn, lambda c: edit(c, case["id"], body[:line] + quantity + body[end:], by="jo", origin="cli"))
    await stage.rest()
    assert await stage.cases() == []
    return order, int(order["line_items"][0]["quantity"])


def in_store(stage: Stage) -> int:
    """How many the store thinks have left."""
    return sum(
        int(one["quantity"])
        for order in stage.shop.store.orders.values()
        for fulfillment in order["fulfillments"]
        for one in fulfillment["lines"]
    )


def fulfilled(stage: Stage) -> list[int]:
    """How much of each line of its sales orders has left, as the ERP has it."""
    return [
        int(line["quantityFulfilled"])
        for record in stage.erp.account.all("salesOrder").values()
        for line in record["item"]
        if int(line.get("quantityFulfilled", 0))
    ]


async def units_shipped(stage: Stage) -> Decimal:
    """What planning hears of goods that left, in base units."""
    catalog = Catalog()
    async with stage.pool.acquire() as conn:
        await catalog.refresh(conn)
        days = await conn.fetch("SELECT DISTINCT (shipped_at AT TIME ZONE 'UTC')::date AS day FROM shipment")
        rows = [row for one in days for row in await demand_of(conn, one["day"], catalog)]
    return sum((row.shipped for row in rows), Decimal(0))


async def test_of_a_case_that_left_in_parts_planning_and_events_hear_what_left(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cases = await placed_in_cases(stage)
    with monkeypatch.context() as patched:
        patched.setattr(
            "crossdock.sandbox.warehouse.ship._going",
            lambda order, _rng, _partial: [(order["content"]["lines"][0], Decimal(5))],
        )
        stage.ship()
    await stage.rest()
    assert (in_store(stage), await units_shipped(stage)) == (0, 5)
    data = await stage.pool.fetchval("SELECT data FROM event WHERE type = 'shipment.confirmed'")
    goods = [one.quantity for package in decode("shipment", data).packages for one in package.lines]
    assert goods == [Quantity(Decimal(5), "EA")]
    stage.ship()
    await stage.rest()
    assert (in_store(stage), fulfilled(stage), await units_shipped(stage)) == (cases, [cases], 12 * cases)


@pytest.mark.parametrize("partial", [0.0, 1.0])
async def test_a_case_is_twelve_in_the_warehouse_and_one_in_store_and_erp(stage: Stage, partial: float) -> None:
    order, cases = await placed_in_cases(stage)
    (asked,) = stage.warehouse.warehouse.orders.values()
    assert [(one["quantity"], one["unit"]) for one in asked["content"]["lines"]] == [(str(12 * cases), "EA")]
    sku = order["line_items"][0]["sku"]
    levels = "SELECT on_hand, allocated FROM stock_level WHERE sku = $1 AND location = $2"
    place = asked["content"]["location"]
    assert tuple(await stage.pool.fetchrow(levels, sku, place)) == (600, 12 * cases)
    stage.ship(partial=partial)
    await stage.rest()
    while stage.ship()["shipped"]:
        await stage.rest()
    assert (in_store(stage), fulfilled(stage)) == (cases, [cases])
    assert tuple(await stage.pool.fetchrow(levels, sku, place)) == (600 - 12 * cases, 0)
    assert await stage.pool.fetchval("SELECT state FROM fulfillment_order") == "shipped"
    assert await stage.cases() == []
    assert await stage.balanced()
