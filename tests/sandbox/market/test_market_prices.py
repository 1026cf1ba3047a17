# SPDX-License-Identifier: Apache-2.0
"""The contract's rules of prices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.market import MarketConfig, MarketSim
from tests.sandbox.market.trading import call, control


@pytest_asyncio.fixture
async def market() -> AsyncIterator[MarketSim]:
    async with MarketSim(MarketConfig(rate=1_000, burst=1_000)) as simulator:
        yield simulator


def item(sku: str = "CD-00001", price: Any = "19.90", sequence: Any = 1, **changed: Any) -> dict[str, Any]:
    base = {"sku": sku, "price": price, "currency": "USD", "sequence": sequence, "as_of": "2026-11-23T12:00:00Z"}
    return {**base, **changed}


async def put(http: aiohttp.ClientSession, sim: MarketSim, *items: Any) -> list[dict[str, Any]]:
    status, told = await call(http, sim, "PUT", "/prices", json={"items": items})
    assert status == 207
    results: list[dict[str, Any]] = told["results"]
    return results


async def test_the_newest_price_is_shown_and_others_are_stale(http: aiohttp.ClientSession, market: MarketSim) -> None:
    await put(http, market, item(sequence=5))
    results = await put(http, market, item(price="1", sequence=5), item(price="21", sequence=6), item(sequence=2))
    assert [(row["status"], row["result"], row["sequence"]) for row in results] == [
        (200, "stale", 5),
        (200, "set", 6),
        (200, "stale", 6),
    ]
    _, shown = await call(http, market, "GET", "/prices?sku=CD-00001,CD-00002,NO-SUCH")
    assert [(row["sku"], row["price"], row["currency"], row["told"]) for row in shown["prices"]] == [
        ("CD-00001", "21", "USD", "21"),
        ("CD-00002", None, None, None),
    ]
    _, page = await call(http, market, "GET", "/prices?offset=198&limit=5")
    assert (len(page["prices"]), page["next_offset"]) == (2, None)


@pytest.mark.parametrize(
    ("sent", "status", "field", "code"),
    [
        (item("NO-SUCH"), 404, "sku", "unknown_sku"),
        (item(price=19.9), 422, "price", "wrong_type"),
        (item(price=None), 422, "price", "required"),
        (item(price="-1"), 422, "price", "bad_price"),
        (item(price="NaN"), 422, "price", "bad_price"),
        (item(price="many"), 422, "price", "bad_price"),
        (item(price="1.00001"), 422, "price", "bad_price"),
        (item(price="1000000000"), 422, "price", "bad_price"),
        (item(currency="EUR"), 422, "currency", "wrong_currency"),
        (item(currency=None), 422, "currency", "required"),
        (item(sequence="1"), 422, "sequence", "wrong_type"),
        (item(as_of="soon"), 422, "as_of", "bad_time"),
        (item(unit="EA"), 422, "unit", "unknown_field"),
        (12, 422, "", "wrong_type"),
    ],
)
async def test_a_bad_price_is_named_and_its_neighbour_is_set(
    http: aiohttp.ClientSession, market: MarketSim, sent: Any, status: int, field: str, code: str
) -> None:
    bad, good = await put(http, market, sent, item("CD-00002", "0"))
    assert (bad["status"], bad["result"]) == (status, "refused")
    assert [(entry["field"], entry["code"]) for entry in bad["errors"]] == [(field, code)]
    assert (good["status"], good["result"]) == (200, "set")


async def test_a_clerk_shows_another_price(http: aiohttp.ClientSession, market: MarketSim) -> None:
    await put(http, market, item(sequence=7))
    await control(http, market, "price", sku="CD-00001", price="5.00")
    await control(http, market, "price", sku="CD-00003", price="6.00")
    (first, second) = (await control(http, market, "prices"))["prices"]
    assert (first["price"], first["told"], first["sequence"]) == ("5.00", "19.90", 7)
    assert (second["price"], second["currency"], second["told"]) == ("6.00", "USD", None)
    # A price that was never told is overruled by any.
    (result,) = await put(http, market, item("CD-00003", "8", 1))
    assert result["result"] == "set"
    assert (await call(http, market, "DELETE", "/prices"))[0] == 405
