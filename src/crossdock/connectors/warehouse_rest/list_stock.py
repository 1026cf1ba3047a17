# SPDX-License-Identifier: Apache-2.0
"""What the warehouse has counted: `GET /stock`, in pages or for some SKUs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from crossdock.connectors.warehouse_rest.client import open_client
from crossdock.runtime.clock import now
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.json_api import CallFailed
from crossdock.sdk.listing import UNREADABLE, Listed, StockPage, unreadable

# Contract: at most 1,000 rows a call.
_PAGE: Final = 1_000


class _Row(Struct):
    sku: str
    location: str
    on_hand: Decimal
    unit: str = ""
    updated_at: datetime | None = None


class _Stock(Struct):
    stock: list[_Row]
    next_offset: int | None


class WarehouseLister:
    """One warehouse. Offsets go by a list that may grow meanwhile: what slips through is found by asking per SKU."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = open_client(config)

    async def stock(self, *, skus: Sequence[str] = (), after: str = "") -> StockPage:
        """A page of stock on hand. Raises RetryLater, NeedsConfig."""
        query = f"offset={after or 0}&limit={_PAGE}"
        if skus:
            query += "&sku=" + ",".join(quote(sku, safe="") for sku in skus)
        asked_at = now()
        try:
            body, _ = await self._client.request("GET", f"/stock?{query}")
        except CallFailed as failed:
            raise failed.error from failed
        try:
            page = msgspec.json.decode(body, type=_Stock)
            items = tuple(
                Listed(row.sku, row.location, row.on_hand, row.unit, asked_at, row.updated_at) for row in page.stock
            )
        except UNREADABLE as error:
            raise unreadable("the warehouse's", error) from error
        return StockPage(items, "" if page.next_offset is None else str(page.next_offset))

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()
