# SPDX-License-Identifier: Apache-2.0
"""What Business Central has on its books: quantity on hand per item and location, from the page of our extension.

The standard API has one figure per item for the whole company, and ledger entries without a location.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta, Struct

from crossdock.connectors.business_central.changes import code
from crossdock.connectors.business_central.client import CallFailed, RestClient, query_of, text
from crossdock.runtime.clock import now
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.listing import UNREADABLE, Listed, StockPage, unreadable

PAGE: Final = "locationStock"
_ROWS: Final = 10_000
# Of the application's limits; the rest is the deliveries'.
SHARE: Final = 0.2
# Business Central: an item's number has at most 20 characters.
_LONGEST_NUMBER: Final = 20


class _Row(Struct, rename="camel"):
    item_number: str
    location_code: str
    quantity_on_hand: Decimal
    last_modified_date_time: Annotated[datetime, Meta(tz=True)] | None = None


class BusinessCentralLister:
    """One company. SKUs are numbers of items, locations their codes; "" is stock at no location."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = RestClient(config, share=SHARE)

    async def stock(self, *, skus: Sequence[str] = (), after: str = "") -> StockPage:
        """A page of quantities on hand, in base units. Raises RetryLater, NeedsConfig, NeedsEdit without the page."""
        asked_at = now()
        numbers = [sku for sku in dict.fromkeys(skus) if len(sku) <= _LONGEST_NUMBER]
        if skus and not numbers:
            return StockPage(())
        # Business Central keeps numbers in capitals: what was asked for is told as it was asked for.
        spelt = {code(number): number for number in numbers}
        query = after or (query_of(filter=" or ".join(f"itemNumber eq {text(one)}" for one in numbers)) if skus else "")
        try:
            page = await self._client.page(PAGE, query, _Row, size=_ROWS, extension=True)
            items = tuple(
                Listed(
                    spelt.get(row.item_number, row.item_number),
                    row.location_code,
                    row.quantity_on_hand,
                    "",
                    asked_at,
                    row.last_modified_date_time,
                )
                for row in page.rows
            )
        except CallFailed as failed:
            raise failed.error from failed
        except UNREADABLE as error:
            raise unreadable("Business Central's", error) from error
        return StockPage(items, page.next)

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()
