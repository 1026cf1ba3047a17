# SPDX-License-Identifier: Apache-2.0
"""The stock a gateway remembers, wired: the view, what keeps it up, and who answers from it."""

from __future__ import annotations

import gc
from collections.abc import Collection

import asyncpg

from crossdock.api.availability import AvailabilityHandler
from crossdock.app.metrics import AVAILABILITY_AGE, AVAILABILITY_LEVELS
from crossdock.app.wiring import Wired, stock_rules_of
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog
from crossdock.inventory.bounded import BoundedView
from crossdock.inventory.memory import StockMemory
from crossdock.runtime.nats import Bus


class Stock:
    """What a gateway knows of stock. `handler` answers; `view`, `catalog` and `rules` are there for others to read."""

    def __init__(self, wired: Wired, pool: asyncpg.Pool, bus: Bus) -> None:
        self.rules = stock_rules_of(wired.estate)
        self.catalog = Catalog(PriceBook())
        self.view = BoundedView(self.rules, self.catalog)
        self.handler = AvailabilityHandler(self.view, pool)
        self.memory = StockMemory(pool, bus, self.view, self._changed)
        self.handler.remember(self.memory)
        self._settled = False
        AVAILABILITY_AGE.set_function(self._age)
        AVAILABILITY_LEVELS.set_function(lambda: self.view.number)

    async def remember(self) -> None:
        """Keep it up until cancelled."""
        if self.rules.channels:
            await self.memory.run()

    def problem(self) -> str:
        """Why availability cannot be answered yet; "" when it can, or when the estate sells stock on no channel."""
        return (
            "" if not self.rules.channels or self.memory.fresh_at is not None else "availability is not in memory yet"
        )

    def _changed(self, skus: Collection[str] | None) -> None:
        self.handler.changed(skus)
        if not self._settled:
            # Everything was just read: a collector that walks all of it now and then would hold requests up.
            self._settled = True
            gc.collect()
            gc.freeze()

    def _age(self) -> float:
        age = self.memory.age
        return -1.0 if age is None else age
