# SPDX-License-Identifier: Apache-2.0
"""Prices from the list to what a channel shows: the newest arrive whatever the channel does, what it refuses waits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest_asyncio

from crossdock.app.reconciling_prices import compared_prices
from crossdock.app.wiring import wire
from crossdock.canonical.price_list import PriceEntry, PriceList
from crossdock.catalog.price_drift import AskedPrices, PriceReport, reconcile_prices
from crossdock.observe.prices import PriceOverview, price_overview
from crossdock.runtime.nats import Bus
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.market import MarketConfig, MarketSim
from tests.delivery.pricing import at_rest, product, take
from tests.flow.staging import MASTER, Stage
from tests.flow.test_channel import portal_staged

PRICED = "price_publication: {portal: {}, shopify-us: {}}\n"


@pytest_asyncio.fixture
async def portal() -> AsyncIterator[MarketSim]:
    async with MarketSim(MarketConfig(catalog=MASTER, rate=20, burst=5), name="portal") as simulator:
        yield simulator


@pytest_asyncio.fixture
async def stage(
    portal: MarketSim, pool: asyncpg.Pool, database: str, bus: Bus, nats_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """The whole path; the portal and the store are told prices."""
    async with portal_staged(portal, pool, database, nats_url, tmp_path, PRICED) as running:
        yield running


def prices_of(portal: MarketSim) -> dict[str, str]:
    """What the portal shows."""
    return {sku: row["price"] for sku, row in portal.market.prices.items()}


def in_store(stage: Stage) -> dict[str, str]:
    """What the store shows."""
    return {product.sku: stage.shop.store.price(product) for product in stage.shop.catalog.products}


def base(version: int, prices: dict[str, str]) -> PriceList:
    entries = tuple(PriceEntry(sku=sku, price=Decimal(price)) for sku, price in prices.items())
    return PriceList(price_list_id="BASE", version=version, currency="USD", entries=entries)


async def test_a_channel_ends_at_the_newest_prices_whatever_it_does_to_the_calls(
    stage: Stage, portal: MarketSim
) -> None:
    own = {one.sku: f"{one.price_cents // 100}.{one.price_cents % 100:02d}" for one in portal.catalog.products}
    await stage.until(lambda: at_rest(stage.pool))
    assert prices_of(portal) == in_store(stage) == own
    assert stage.shop.books.counters["prices.set"] == len(own)
    for fault in ("throttled", "error_before", "error_after"):
        portal.faults.add(Fault(fault, probability=0.2))
        stage.shop.faults.add(Fault(fault, probability=0.1))
    skus = list(own)
    for version in range(1, 31):
        some = {sku: f"{version}.{place:02d}" for place, sku in enumerate(skus[:10])}
        await take(stage.pool, base(version, some))
    await take(stage.pool, product(skus[10], "77.70"))
    await stage.until(lambda: at_rest(stage.pool))
    # One that failed often and alone was set aside for a few seconds.
    await stage.until(
        lambda: stage.pool.fetchval("SELECT bool_and(told IS NOT DISTINCT FROM wanted) FROM channel_price")
    )
    newest = {sku: f"30.{place:02d}" for place, sku in enumerate(skus[:10])}
    assert prices_of(portal) == in_store(stage) == {**own, **newest, skus[10]: "77.70"}
    told = await stage.pool.fetch("SELECT sku, told FROM channel_price WHERE channel = 'portal'")
    assert {row["sku"]: f"{row['told']:f}" for row in told} == prices_of(portal)


async def test_what_the_channel_does_not_list_is_refused_and_waits_apart(stage: Stage, portal: MarketSim) -> None:
    await take(stage.pool, product("NOT-LISTED", "5.00"))
    await stage.until(lambda: at_rest(stage.pool))
    row = await stage.pool.fetchrow(
        "SELECT told, problem, refusals > 0 AS refused, not_before > now() AS waits "
        "FROM channel_price WHERE sku = $1 AND channel = 'portal'",
        "NOT-LISTED",
    )
    assert (row["told"], row["refused"], row["waits"]) == (None, True, True)
    assert row["problem"].startswith("the channel does not list this SKU")
    problem = await stage.pool.fetchval(
        "SELECT problem FROM channel_price WHERE sku = 'NOT-LISTED' AND channel <> 'portal'"
    )
    assert problem == "the store has no variant with SKU 'NOT-LISTED'"
    assert len(portal.market.prices) == len(portal.catalog.products)
    assert await stage.pool.fetchval("SELECT count(*) FROM event WHERE type = 'price.changed'") >= 1


async def compared(stage: Stage, *, dry_run: bool = False) -> PriceReport:
    asked = AskedPrices(by="test", look_again_after=timedelta(0), dry_run=dry_run)
    async with compared_prices(wire(stage.estate)) as systems:
        return await reconcile_prices(stage.pool, systems, asked)


async def test_drift_is_found_with_what_it_costs_and_healed(stage: Stage, portal: MarketSim) -> None:
    await stage.until(lambda: at_rest(stage.pool))
    report = await compared(stage)
    number = len(portal.catalog.products)
    assert [(one.system, one.channel, one.compared, one.equal) for one in report.systems] == [
        ("shopify-us", "shopify-us", number, number),
        ("portal", "portal", number, number),
    ]
    # An order, so that there is something at risk.
    order = stage.order(lines=2)
    assert await stage.hook(order) == 200
    await stage.rest()
    line = order["line_items"][0]
    sku, right = line["sku"], Decimal(stage.shop.store.price(stage.shop.store.by_sku[line["sku"]]))
    other = next(one.sku for one in portal.catalog.products if one.sku != sku)
    stage.shop.store.set_price(stage.shop.store.by_sku[sku], right - Decimal("0.50"))
    portal.market.misprice(other, "0.01")
    dry = await compared(stage, dry_run=True)
    assert [(one.sku, one.kind, one.action) for result in dry.systems for one in result.differences] == [
        (sku, "different", "told_again"),
        (other, "different", "told_again"),
    ]
    report = await compared(stage)
    (wrong,) = report.systems[0].differences
    sold = sum(one["quantity"] for one in order["line_items"] if one["sku"] == sku)
    assert (wrong.ours, wrong.theirs, wrong.units) == (right, right - Decimal("0.50"), sold)
    assert report.systems[0].at_risk == wrong.money == sold * Decimal("0.50")
    # Nothing of it was sold on the portal.
    assert report.systems[1].at_risk == 0
    await stage.until(lambda: at_rest(stage.pool))
    await stage.until(lambda: Decimal(in_store(stage)[sku]) == right)
    await stage.until(lambda: prices_of(portal)[other] == in_store(stage)[other])
    report = await compared(stage)
    assert [one.equal for one in report.systems] == [number, number]
    overview = await price_overview_of(stage)
    assert [(point.dimension, point.value) for point in overview.accuracy] == [("portal", 1.0), ("shopify-us", 1.0)]
    assert [(point.dimension, point.value) for point in overview.at_risk] == [
        ("portal/USD", 0.0),
        ("shopify-us/USD", 0.0),
    ]
    assert [(one.channel, one.waiting, one.refused) for one in overview.channels] == [
        ("portal", 0, 0),
        ("shopify-us", 0, 0),
    ]


async def price_overview_of(stage: Stage) -> PriceOverview:
    async with stage.pool.acquire() as conn:
        return await price_overview(conn)
