# SPDX-License-Identifier: Apache-2.0
"""What the channel shows to buyers: `GET /availability`, in pages or for some SKUs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from crossdock.connectors.channel_rest.client import open_client
from crossdock.runtime.clock import now
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.json_api import CallFailed
from crossdock.sdk.listing import UNREADABLE, Listed, StockPage, unreadable

# Contract: at most 1,000 rows a call.
_PAGE: Final = 1_000


class _Row(Struct):
    sku: str
    available: int
    told_at: datetime | None = None


class _Availability(Struct):
    availability: list[_Row]
    next_offset: int | None = None


class ChannelLister:
    """One channel, one number per SKU. SKUs that it was never told of are left out: it shows nothing of them."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = open_client(config)

    async def stock(self, *, skus: Sequence[str] = (), after: str = "") -> StockPage:
        """A page of what is shown. Raises RetryLater, NeedsConfig."""
        wanted = ",".join(quote(sku, safe="") for sku in skus)
        query = f"sku={wanted}" if skus else f"offset={after or 0}&limit={_PAGE}"
        asked_at = now()
        try:
            body, _ = await self._client.request("GET", f"/availability?{query}")
        except CallFailed as failed:
            raise failed.error from failed
        try:
            page = msgspec.json.decode(body, type=_Availability)
            items = tuple(
                Listed(row.sku, "", Decimal(row.available), "", asked_at, row.told_at)
                for row in page.availability
                if row.told_at is not None
            )
        except UNREADABLE as error:
            raise unreadable("the channel's", error) from error
        return StockPage(items, "" if page.next_offset is None else str(page.next_offset))

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()
