# SPDX-License-Identifier: Apache-2.0
"""The API of orders and returns of a gateway, wired: the door, what it remembers, and who answers."""

from __future__ import annotations

import asyncpg

from crossdock.api.order_door import ApiChannel, OrderDoor
from crossdock.api.orders import OrdersHandler
from crossdock.api.returns import ReturnsHandler
from crossdock.app.metrics import order_call, return_call
from crossdock.app.stock import Stock
from crossdock.app.wiring import Wired, rules_of
from crossdock.catalog.memory import CatalogMemory
from crossdock.estate.compile import CompiledEstate
from crossdock.estate.durations import duration
from crossdock.runtime.clock import now
from crossdock.runtime.groupcommit import GroupCommit
from crossdock.sdk.receiving import Incoming, KeepResult


class Orders:
    """What a gateway needs to take orders and returns. `handler` and `returns` answer; the catalog is shared with
    `stock`."""

    def __init__(
        self, wired: Wired, pool: asyncpg.Pool, commit: GroupCommit[Incoming, KeepResult], stock: Stock
    ) -> None:
        self.memory = CatalogMemory(pool, stock.catalog)
        self.channels = api_channels(wired.estate)
        door = OrderDoor(rules_of(wired, stock.catalog), self.channels, lambda: self.memory.age)
        self.handler = OrdersHandler(door, commit, pool, stock.handler, now, order_call)
        self.returns = ReturnsHandler(door, commit, pool, now, return_call)

    async def remember(self) -> None:
        """Keep up the catalog, which prices and master data are answered from too, until cancelled."""
        await self.memory.run()

    def problem(self) -> str:
        """Why orders cannot be taken yet; "" when they can, or when no channel of the estate takes any here."""
        if not self.channels or self.memory.age is not None:
            return ""
        return "products and accounts are not in memory yet"


def api_channels(estate: CompiledEstate) -> dict[str, ApiChannel]:
    """The channels that take orders by the API."""
    return {
        name: ApiChannel(
            name, channel.system, duration(api.stale_after).total_seconds(), duration(api.too_old_after).total_seconds()
        )
        for name, channel in estate.declared.channels.items()
        if (api := channel.by_api) is not None
    }
