# SPDX-License-Identifier: Apache-2.0
"""The market sells what it shows, or what Crossdock holds for it, and keeps its own count of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.market import MarketConfig, MarketSim
from crossdock.sandbox.serve import ServeConfig, make_simulators
from crossdock.sandbox.shopify import ShopifyConfig
from tests.sandbox.market.trading import Crossdock, control, item, put, sell

HOT = ["CD-00001", "CD-00002"]


@pytest_asyncio.fixture
async def market() -> AsyncIterator[MarketSim]:
    async with MarketSim(MarketConfig(rate=1_000, burst=1_000), name="portal") as simulator:
        yield simulator


async def test_no_more_is_sold_than_is_shown_until_it_is_told_anew(
    http: aiohttp.ClientSession, market: MarketSim
) -> None:
    await put(http, market, item(HOT[0], 10), item(HOT[1], 4))
    await sell(http, market, count=60, skus=HOT, most=3)
    sales = await control(http, market, "sales")
    shown = {row["sku"]: row["available"] for row in (await control(http, market, "availability"))["availability"]}
    assert {sku: sales["sold"].get(sku, 0) + shown[sku] for sku in HOT} == {HOT[0]: 10, HOT[1]: 4}
    assert min(shown.values()) >= 0
    counts = await control(http, market, "counts")
    assert counts["counters"]["carts"] == 60 == counts["orders"] + counts["counters"]["carts.refused"]
    assert counts["units_sold"] == sum(sales["sold"].values())
    assert counts["units_refused"] == sum(sales["refused"].values()) > 0
    before = counts["orders"]
    await put(http, market, item(HOT[0], 100, 2), item(HOT[1], 100, 2))
    await sell(http, market, count=5, skus=HOT, most=3, seed=2)
    assert (await control(http, market, "counts"))["orders"] == before + 5


async def test_each_telling_is_remembered_with_its_time(http: aiohttp.ClientSession, market: MarketSim) -> None:
    for sequence in range(1, 104):
        await put(http, market, item(available=sequence, sequence=sequence))
    await put(http, market, item(available=9, sequence=50))
    (row,) = (await control(http, market, "availability"))["availability"]
    assert (row["available"], row["times"], len(row["tellings"])) == (103, 103, 100)
    assert [one["sequence"] for one in row["tellings"]] == [*range(4, 104)]
    times = [one["told_at"] for one in row["tellings"]]
    assert times == sorted(times)
    assert times[-1] == row["told_at"]


async def test_a_portal_orders_only_what_crossdock_holds_for_it(http: aiohttp.ClientSession, market: MarketSim) -> None:
    async with Crossdock({HOT[0]: 20, HOT[1]: 5}) as crossdock:
        run = await sell(
            http, market, count=60, skus=HOT, mode="reserve", crossdock=crossdock.url, channel="b2b", ttl_seconds=60
        )
    assert (run["state"], run["made"]) == ("done", 60)
    orders = (await control(http, market, "orders"))["orders"]
    held = {made["id"]: made for made in crossdock.held.values()}
    assert sorted(order["reservation"] for order in orders) == sorted(held)
    for order in orders:
        made = held[order["reservation"]]
        assert (made["channel"], made["ttl_seconds"]) == ("b2b", 60)
        assert made["lines"] == [
            {"line": str(line["line"]), "sku": line["sku"], "quantity": line["quantity"], "unit": "EA"}
            for line in order["lines"]
        ]
        assert order["number"].startswith("PORTAL-")
    sold = (await control(http, market, "sales"))["sold"]
    assert {sku: sold.get(sku, 0) + crossdock.stock[sku] for sku in HOT} == {HOT[0]: 20, HOT[1]: 5}
    assert (await control(http, market, "counts"))["counters"]["carts.refused"] == 60 - len(orders) > 0


async def test_a_call_without_a_usable_answer_is_repeated_with_its_key(
    http: aiohttp.ClientSession, market: MarketSim
) -> None:
    async with Crossdock({HOT[0]: 100}) as crossdock:
        crossdock.trouble = lambda number: (503, 500, 429, 0)[number % 4]
        run = await sell(
            http,
            market,
            count=5,
            concurrency=1,
            skus=HOT[:1],
            mode="reserve",
            crossdock=crossdock.url,
            channel="b2b",
        )
    assert run["state"] == "done"
    assert len(crossdock.held) == 5
    assert len(crossdock.keys) > 5
    counts = await control(http, market, "counts")
    assert counts["orders"] == 5
    assert counts["counters"]["reservations.retries"] == len(crossdock.keys) - 5


async def test_abandoned_carts_are_released_or_left_to_expire(http: aiohttp.ClientSession, market: MarketSim) -> None:
    async with Crossdock(dict.fromkeys(HOT, 1000)) as crossdock:
        await sell(
            http,
            market,
            count=20,
            skus=HOT,
            mode="reserve",
            crossdock=crossdock.url,
            channel="b2b",
            abandon=0.4,
            cancels=0.25,
        )
    carts = (await control(http, market, "carts"))["carts"]
    assert sorted(cart["state"] for cart in carts) == ["left"] * 4 + ["released"] * 4
    assert sorted(crossdock.released) == sorted(cart["reservation"] for cart in carts if cart["state"] == "released")
    orders = (await control(http, market, "orders"))["orders"]
    kept = {order["reservation"] for order in orders} | {cart["reservation"] for cart in carts}
    assert kept == {made["id"] for made in crossdock.held.values()}
    assert (len(orders), sum(order["status"] == "cancelled" for order in orders)) == (12, 5)


async def test_crossdock_that_never_answers_costs_the_cart(http: aiohttp.ClientSession, market: MarketSim) -> None:
    async with Crossdock({HOT[0]: 100}) as crossdock:
        crossdock.trouble = lambda number: 503
        where = {"mode": "reserve", "crossdock": crossdock.url, "channel": "b2b"}
        run = await sell(http, market, count=1, skus=HOT[:1], patience=0.2, **where)
    assert run["state"] == "done"
    (cart,) = (await control(http, market, "carts"))["carts"]
    assert (cart["state"], cart["reservation"]) == ("unreached", None)
    assert (await control(http, market, "counts"))["orders"] == 0


async def test_a_refused_call_ends_the_run(http: aiohttp.ClientSession, market: MarketSim) -> None:
    async with Crossdock({HOT[0]: 100}) as crossdock:
        crossdock.trouble = lambda number: 422
        where = {"mode": "reserve", "crossdock": crossdock.url, "channel": "b2b"}
        run = await sell(http, market, count=50, skus=HOT[:1], **where)
    assert run["state"] == "failed"
    assert "answered 422" in run["error"]


async def test_hot_skus_are_drawn_most_of_the_time(http: aiohttp.ClientSession, market: MarketSim) -> None:
    skus = [f"CD-{number:05d}" for number in range(1, 101)]
    await put(http, market, *[item(sku, 10_000) for sku in skus])
    await sell(http, market, count=200, skus=100, hot=["CD-00100"], most=1)
    sold = (await control(http, market, "sales"))["sold"]
    assert max(sold, key=sold.__getitem__) == "CD-00100"
    assert sold["CD-00100"] > 120
    assert len(sold) > 10


@pytest.mark.parametrize(
    "wanted",
    [
        {"count": 0},
        {"most": 0},
        {"skus": ["NO-SUCH"]},
        {"skus": 1_000},
        {"hot": ["NO-SUCH"]},
        {"abandon": 0.6, "cancels": 0.5},
        {"abandon": -0.1},
        {"mode": "reserve"},
        {"mode": "steal"},
        {"colour": 1},
    ],
)
async def test_a_sale_that_makes_no_sense_is_refused(
    http: aiohttp.ClientSession, market: MarketSim, wanted: dict[str, object]
) -> None:
    async with http.post(f"{market.url}/_sim/sell", json=wanted) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]


async def test_books_outlive_the_simulator(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    config = MarketConfig(state=str(tmp_path / "market.jsonl"))
    async with MarketSim(config) as sim:
        await put(http, sim, item(available=50, sequence=4))
        await sell(http, sim, count=3, skus=["CD-00001"])
        before = [await control(http, sim, tail) for tail in ("orders", "availability", "sales")]
    async with MarketSim(config) as sim:
        assert [await control(http, sim, tail) for tail in ("orders", "availability", "sales")] == before
        await sell(http, sim, count=1, skus=["CD-00001"])
        orders = (await control(http, sim, "orders"))["orders"]
        assert len({order["id"] for order in orders}) == 4


def test_several_markets_are_served_under_their_names() -> None:
    config = ServeConfig(markets={"portal": MarketConfig(), "bazaar": MarketConfig(token="other")})
    assert [simulator.name for simulator in make_simulators(config)] == ["portal", "bazaar"]
    for name in ("Bazaar", "", "x" * 31, "a b"):
        with pytest.raises(ValueError, match="market's name"):
            MarketSim(name=name)
    with pytest.raises(ValueError, match="two simulators"):
        make_simulators(ServeConfig(shopify=ShopifyConfig(), markets={"shopify": MarketConfig()}))
