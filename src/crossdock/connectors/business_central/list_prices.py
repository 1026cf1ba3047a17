# SPDX-License-Identifier: Apache-2.0
"""What Business Central's items cost: their unit price, in the company's own currency."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta, Struct

from crossdock.connectors.business_central.changes import code
from crossdock.connectors.business_central.client import CallFailed, RestClient, query_of, text
from crossdock.connectors.business_central.list_stock import SHARE
from crossdock.runtime.clock import now
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.listing import UNREADABLE, ListedPrice, PricePage, unreadable

_ROWS: Final = 10_000
# Business Central: an item's number has at most 20 characters.
_LONGEST_NUMBER: Final = 20


class _Item(Struct, rename="camel"):
    number: str
    unit_price: Decimal
    last_modified_date_time: Annotated[datetime, Meta(tz=True)] | None = None


class BusinessCentralPriceLister:
    """One company. SKUs are numbers of items; a price of nothing is none."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = RestClient(config, share=SHARE)

    async def prices(self, *, skus: Sequence[str] = (), after: str = "") -> PricePage:
        """A page of unit prices. Raises RetryLater, NeedsConfig."""
        asked_at = now()
        numbers = [sku for sku in dict.fromkeys(skus) if len(sku) <= _LONGEST_NUMBER]
        if skus and not numbers:
            return PricePage(())
        # Business Central keeps numbers in capitals: what was asked for is told as it was asked for.
        spelt = {code(number): number for number in numbers}
        only = " or ".join(f"number eq {text(one)}" for one in numbers)
        query = after or (query_of(filter=only) if skus else "")
        try:
            page = await self._client.page("items", query, _Item, size=_ROWS)
            items = tuple(
                ListedPrice(
                    spelt.get(one.number, one.number), one.unit_price, "", asked_at, one.last_modified_date_time
                )
                for one in page.rows
                if one.unit_price
            )
        except CallFailed as failed:
            raise failed.error from failed
        except UNREADABLE as error:
            raise unreadable("Business Central's", error) from error
        return PricePage(items, page.next)

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()
