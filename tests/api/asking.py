# SPDX-License-Identifier: Apache-2.0
"""An availability handler over a view filled by hand, asked through ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import asyncpg
import httpx

from crossdock.api.availability import AvailabilityHandler
from crossdock.api.plain import answering
from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.inventory.bounded import MOST_LEVELS, BoundedView
from crossdock.inventory.level import Level
from crossdock.inventory.memory import StockMemory
from crossdock.inventory.rules import ChannelRule, Held, StockRules
from crossdock.runtime.nats import Bus

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SHOP = ChannelRule(name="shopify-us", system="shopify-us", locations=("DC-EAST", "DC-WEST"), held=Held(safety=1))
RULES = StockRules(version="r/1", channels={"shopify-us": SHOP})
PRODUCTS = {
    "CD-1001": ProductFacts("EA", "", True, True),
    "CD-1002": ProductFacts("EA", "", True, True, substitutes=("CD-1001", "GONE")),
    "KIT": ProductFacts("EA", "", True, True, components={"CD-1001": Decimal(2)}),
}
LEVELS = (
    Level("CD-1001", "DC-EAST", Decimal(10), reserved=Decimal(2), sequence=2),
    Level("CD-1001", "DC-WEST", Decimal(3), sequence=1),
)


class Asked:
    """A handler, its view and its memory, and a client that asks it."""

    def __init__(self, pool: asyncpg.Pool, most: int = MOST_LEVELS) -> None:
        catalog = Catalog()
        catalog.products = dict(PRODUCTS)
        self.view = BoundedView(RULES, catalog, most)
        self.handler = AvailabilityHandler(self.view, pool)
        # Never run, so it needs no bus.
        self.memory = StockMemory(pool, cast(Bus, None), self.view, self.handler.changed)
        self.handler.remember(self.memory)
        self.handler.changed(None)
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(cast(Any, answering(self.handler)), raise_app_exceptions=False),
            base_url="http://127.0.0.1",
        )

    async def get(self, query: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(f"/v1/availability?{query}", headers=named)

    async def post(self, body: Any) -> httpx.Response:
        return await self.client.post("/v1/availability:batch", json=body)

    def apply(self, levels: Sequence[Level]) -> None:
        self.handler.changed(self.view.apply(levels))


@asynccontextmanager
async def asked_of(pool: asyncpg.Pool, fresh_at: datetime | None = NOON) -> AsyncIterator[Asked]:
    """A handler that knows LEVELS as they were at `fresh_at`."""
    asked = Asked(pool)
    asked.apply(LEVELS)
    asked.memory.fresh_at = fresh_at
    async with asked.client:
        yield asked
