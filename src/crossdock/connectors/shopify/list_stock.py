# SPDX-License-Identifier: Apache-2.0
"""What the store shows as available at each of its locations, by inventory item."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct, field

from crossdock.connectors.shopify.client import AdminClient, CallFailed
from crossdock.connectors.shopify.inventory_items import quoted
from crossdock.connectors.shopify.order_state import Identity, Page
from crossdock.runtime.clock import now
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.listing import UNREADABLE, Listed, StockPage, unreadable

# A query may ask for 1,000 points: so many items with so many locations each come to about 650.
_ITEMS: Final = 25
_LOCATIONS: Final = 6
_MORE_LOCATIONS: Final = 100
_MAX_PAGES: Final = 20


class _Quantity(Struct):
    quantity: int
    updatedAt: datetime | None = None


class _Level(Struct):
    location: Identity
    quantities: list[_Quantity]


class _Levels(Struct, rename="camel"):
    nodes: list[_Level]
    page_info: Page


class _Item(Struct, rename="camel"):
    id: str
    inventory_levels: _Levels
    sku: str | None = None
    tracked: bool = True


class _Items(Struct, rename="camel"):
    nodes: list[_Item]
    page_info: Page


class _Answer(Struct, rename="camel"):
    inventory_items: _Items


class _OneItem(Struct, rename="camel"):
    inventory_item: _Item | None = field(default=None)


class ShopifyLister:
    """One store. Locations are its global ids; items without a SKU or not tracked are left out."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = AdminClient(config)

    async def stock(self, *, skus: Sequence[str] = (), after: str = "") -> StockPage:
        """A page of what is available. Raises RetryLater, NeedsConfig."""
        query = " OR ".join(f"sku:{quoted(sku)}" for sku in skus) or None
        asked_at = now()
        try:
            variables = {"first": _ITEMS, "levels": _LOCATIONS, "query": query, "after": after or None}
            answer, _ = await self._client.run("ListStock", variables, _Answer, cost=650)
            found: list[Listed] = []
            for item in answer.inventory_items.nodes:
                # The search may find more than it was asked for.
                if item.sku and item.tracked and (not skus or item.sku in skus):
                    found += _listed(item.sku, item.inventory_levels, asked_at)
                    found += await self._rest(item, asked_at)
        except CallFailed as failed:
            raise failed.error from failed
        except UNREADABLE as error:
            raise unreadable("Shopify's", error) from error
        page = answer.inventory_items.page_info
        return StockPage(tuple(found), (page.end_cursor or "") if page.has_next_page else "")

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def _rest(self, item: _Item, asked_at: datetime) -> list[Listed]:
        """The levels of an item at more locations than a page holds."""
        found: list[Listed] = []
        page = item.inventory_levels.page_info
        for _ in range(_MAX_PAGES):
            if not page.has_next_page:
                break
            variables = {"id": item.id, "levels": _MORE_LOCATIONS, "after": page.end_cursor}
            answer, _ = await self._client.run("MoreLevels", variables, _OneItem, cost=310)
            if answer.inventory_item is None:
                break
            levels = answer.inventory_item.inventory_levels
            found += _listed(item.sku or "", levels, asked_at)
            page = levels.page_info
        return found


def _listed(sku: str, levels: _Levels, asked_at: datetime) -> Iterator[Listed]:
    for level in levels.nodes:
        for shown in level.quantities:
            yield Listed(sku, level.location.id, Decimal(shown.quantity), "", asked_at, shown.updatedAt)
