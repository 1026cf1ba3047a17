# SPDX-License-Identifier: Apache-2.0
"""A portal on the plain JSON channel contract: its orders are fulfilled, it hears of what left, and it is compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio

from crossdock.app.reconciling import compared_systems
from crossdock.app.wiring import wire
from crossdock.inventory.compared import ReconcileRules
from crossdock.inventory.reconcile import Asked, Report, reconcile
from crossdock.runtime.nats import Bus
from crossdock.sandbox.emitting import Subscription
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.market import MarketConfig, MarketSim
from crossdock.sandbox.market.sell import SellRequest, make_plan
from crossdock.sandbox.warehouse.opening import OpeningRequest, receive_opening
from tests.flow.staging import MASTER, Stage, staged

TOPICS = ("order.placed", "order.cancelled")
SYSTEM = """\
  portal:
    connector: channel_rest
    owner: web
    settings: {{url: "{url}"}}
    secrets: {{webhook: "file:portal.secret", token: "file:portal.token"}}
channels:
  portal: {{system: portal, entity: us, currency: USD, customer: WEB-STORE}}
  shopify-us: {{system: shopify-us, entity: us, currency: USD, customer: WEB-STORE}}
"""
INTERFACES = """\
interfaces:
  portal.orders: {system: portal, topics: [order.placed, order.cancelled], object: sales_order, owner: web, tier: gold,
                  version: 1, state: active}
  portal.fulfillments: {system: portal, direction: out, operations: [fulfillment], object: shipment, owner: web,
                        tier: gold, version: 1, state: active}
  portal.stock: {system: portal, direction: out, operations: [stock_levels], object: stock_level, owner: web,
                 tier: gold, version: 1, state: active}
"""
PUBLISHED = "inventory: {channels: {portal: {locations: [DC-EAST, DC-WEST], summed: true}}}\n"


@pytest_asyncio.fixture
async def portal() -> AsyncIterator[MarketSim]:
    config = MarketConfig(catalog=MASTER, rate=1000, burst=1000, time_scale=0.001)
    async with MarketSim(config, name="portal") as simulator:
        yield simulator


@pytest_asyncio.fixture
async def stage(
    portal: MarketSim, pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """The whole path with the portal beside the store."""
    async with portal_staged(portal, pool, database, nats_url, tmp_path) as running:
        yield running


@pytest_asyncio.fixture
async def governed(
    portal: MarketSim, pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """The same, and the portal is told what it may sell."""
    async with portal_staged(portal, pool, database, nats_url, tmp_path, PUBLISHED) as running:
        yield running


@asynccontextmanager
async def portal_staged(
    portal: MarketSim, pool: asyncpg.Pool, database: str, nats_url: str, folder: Path, more: str = ""
) -> AsyncIterator[Stage]:
    """The whole path with `portal` beside the store, and `more` in the estate."""

    def add(estate: str) -> str:
        start = estate.index("channels: {shopify-us")
        end = estate.index("\n", start) + 1
        changed = estate[:start] + SYSTEM.format(url=portal.url) + estate[end:]
        return changed.replace("interfaces:\n", INTERFACES) + more

    (folder / "portal.secret").write_text(portal.config.secret, "utf-8")
    (folder / "portal.token").write_text(portal.config.token, "utf-8")
    async with staged(pool, database, nats_url, folder, add) as running:
        for topic in TOPICS:
            portal.emitter.subscriptions.append(Subscription(topic, f"{running.url}/hooks/portal/{topic}"))
        yield running


async def rest(stage: Stage, portal: MarketSim) -> None:
    await stage.until(lambda: portal.emitter.waiting == 0)
    await stage.rest()


async def test_orders_of_a_portal_are_fulfilled_and_it_hears_what_left(stage: Stage, portal: MarketSim) -> None:
    receive_opening(stage.warehouse.warehouse, OpeningRequest(quantity=20))
    await rest(stage, portal)
    for product in portal.catalog.products:
        told = {"sku": product.sku, "available": 40, "sequence": 1, "as_of": "2026-11-23T12:00:00Z"}
        portal.market.tell_number(told)
    for kind in ("duplicates", "reorder"):
        portal.faults.add(Fault(kind, probability=0.3, seconds=0.3))
    wanted = SellRequest(count=30, skus=12, cancels=0.1, seed=4)
    run = portal.runs.start(
        "sell", wanted.count, lambda run: portal.seller.stream(run, wanted, make_plan(wanted, portal.catalog))
    )
    await portal.runs.finished()
    assert run.state == "done"
    await rest(stage, portal)
    orders = portal.market.orders
    open_ones = {ident for ident, order in orders.items() if order["status"] == "open"}
    assert (len(orders), len(open_ones)) == (30, 27)
    states = await stage.pool.fetch("SELECT order_key, status FROM sales_order")
    assert {row["order_key"]: row["status"] for row in states} == {
        f"portal/{ident}": order["status"] for ident, order in orders.items()
    }
    stage.ship()
    await rest(stage, portal)
    left: Counter[tuple[str, int]] = Counter()
    for row in portal.shipments.rows.values():
        for line in row["sent"]["lines"]:
            left[row["order"], line["line"]] += int(line["quantity"])
    lines: dict[tuple[str, int], Any] = {
        (ident, line["line"]): line for ident in open_ones for line in orders[ident]["lines"]
    }
    assert left == {key: int(line["quantity"]) for key, line in lines.items()}
    sold: Counter[str] = Counter()
    for line in lines.values():
        sold[line["sku"]] += int(line["quantity"])
    assert portal.books.counters.get("shipments.refused", 0) == 0
    assert sum(stage.stock().values()) == Decimal(40 * len(portal.catalog.products) - sum(sold.values()))
    assert await stage.cases() == []
    assert await stage.balanced()


async def compared(stage: Stage) -> Report:
    """Compare what the portal shows, and call nothing late because it is of this minute."""
    rules = ReconcileRules(late_within=timedelta(0), look_again_after=timedelta(0))
    async with compared_systems(wire(stage.estate), "portal") as systems:
        report = await reconcile(stage.pool, systems, rules, Asked(by="test", system="portal"))
    await stage.rest()
    return report


async def test_what_a_portal_shows_is_compared_and_told_again_and_then_a_case(
    governed: Stage, portal: MarketSim
) -> None:
    stage, market = governed, portal.market
    receive_opening(stage.warehouse.warehouse, OpeningRequest(quantity=20, skus=5))
    await rest(stage, portal)
    told = [product.sku for product in portal.catalog.products[:5]]
    await stage.until(lambda: [market.available(sku) for sku in told] == [40] * 5)
    report = await compared(stage)
    assert (report.compared, report.equal, report.systems[0].problems) == (5, 5, [])
    market.misshow(told[2], 99)
    assert len(market.products) > 5, "what it was never told of is not compared"
    await stage.pool.execute("UPDATE channel_stock SET told_at = told_at - interval '1 hour'")
    report = await compared(stage)
    assert [(one.sku, one.location, one.ours, one.theirs, one.action) for one in report.systems[0].differences] == [
        (told[2], "", 40, 99, "told_again")
    ]
    assert (report.compared, report.equal) == (5, 4)
    await stage.until(lambda: market.available(told[2]) == 40)
    await rest(stage, portal)
    market.misshow(told[2], 98)
    await stage.pool.execute("UPDATE channel_stock SET told_at = told_at - interval '1 hour'")
    report = await compared(stage)
    assert [one.action for one in report.systems[0].differences] == ["case"]
    (case,) = await stage.cases()
    assert (case["system"], case["key"]) == ("portal", f"difference/portal/{told[2]}@")
    assert await stage.balanced()
