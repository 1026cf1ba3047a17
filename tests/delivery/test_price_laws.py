# SPDX-License-Identifier: Apache-2.0
"""Whatever fails in whatever order: at rest a channel shows what somebody without an account would be quoted."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from crossdock.canonical.quantity import Quantity
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog
from crossdock.catalog.price import Asked, quote
from crossdock.catalog.priced import WantedLine
from crossdock.delivery import tell
from crossdock.runtime.clock import now
from crossdock.sdk.manifest import Sends
from tests.delivery.pricing import at_rest, listed, pricing, product, take
from tests.delivery.scripted import until
from tests.delivery.test_stock_laws import Flaky

SKUS = ("A", "B", "C", "D", "E")


class FlakyPrices(Flaky):
    """The same for prices."""

    def number(self, document: Any) -> Decimal:
        shown: Decimal = document.price
        return shown


async def quoted(pool: asyncpg.Pool) -> dict[tuple[str, str], Decimal]:
    """What somebody without an account would be quoted for one of each."""
    catalog = Catalog(PriceBook())
    async with pool.acquire() as conn:
        await catalog.refresh(conn)
    assert catalog.book is not None
    asked = Asked(channel="us", currency="USD", at=now())
    lines = quote(catalog.book, catalog.products, asked, [WantedLine(sku, Quantity(Decimal(1), "EA")) for sku in SKUS])
    return {(one.sku, ""): one.unit_price for one in lines if one.unit_price is not None}


@pytest.mark.parametrize("seed", range(4))
async def test_at_rest_the_channel_shows_the_newest_price_whatever_happened_before(
    pool: asyncpg.Pool, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "LONGEST_WAIT", 0.1)
    rng, shop = random.Random(seed), FlakyPrices(seed)
    batch = Sends(operation="prices", object="channel_price", batch=2, idempotency="absolute")
    await take(pool, *(product(sku, "1") for sku in SKUS))
    version = 0
    for life in range(3):
        shop.healthy = life == 2
        async with pricing(pool, shop, batch, worker=f"w{life}"):
            for _ in range(20):
                version += 1
                some = {sku: f"{rng.randrange(1, 900)}.{rng.randrange(100):02d}" for sku in rng.sample(SKUS, 2)}
                await take(
                    pool,
                    rng.choice(
                        [
                            product(rng.choice(SKUS), str(rng.randrange(1, 99))),
                            listed("BASE", version, prices=some),
                            listed("US", version, prices=some, channel="us"),
                            listed("US", version, prices=some, channel="us", status="retired"),
                        ]
                    ),
                )
                await asyncio.sleep(rng.random() * 0.05)
            if life == 2:
                await until(lambda: at_rest(pool))
    assert shop.shows == await quoted(pool)
    told = await pool.fetch("SELECT sku, wanted, told FROM channel_price")
    assert {(row["sku"], ""): row["told"] for row in told} == shop.shows
