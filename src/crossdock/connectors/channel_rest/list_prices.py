# SPDX-License-Identifier: Apache-2.0
"""What the channel shows its SKUs to cost: `GET /prices`, in pages or for some SKUs."""

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
from crossdock.sdk.listing import UNREADABLE, ListedPrice, PricePage, unreadable

# Contract: at most 1,000 rows a call.
_PAGE: Final = 1_000


class _Row(Struct):
    sku: str
    price: Decimal | None = None
    currency: str | None = None
    told_at: datetime | None = None


class _Prices(Struct):
    prices: list[_Row]
    next_offset: int | None = None


class ChannelPriceLister:
    """One channel. SKUs that show no price are left out."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = open_client(config)

    async def prices(self, *, skus: Sequence[str] = (), after: str = "") -> PricePage:
        """A page of what is shown. Raises RetryLater, NeedsConfig."""
        wanted = ",".join(quote(sku, safe="") for sku in skus)
        query = f"sku={wanted}" if skus else f"offset={after or 0}&limit={_PAGE}"
        asked_at = now()
        try:
            body, _ = await self._client.request("GET", f"/prices?{query}")
        except CallFailed as failed:
            raise failed.error from failed
        try:
            page = msgspec.json.decode(body, type=_Prices)
            items = tuple(
                ListedPrice(row.sku, row.price, row.currency or "", asked_at, row.told_at)
                for row in page.prices
                if row.price is not None
            )
        except UNREADABLE as error:
            raise unreadable("the channel's", error) from error
        return PricePage(items, "" if page.next_offset is None else str(page.next_offset))

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()
