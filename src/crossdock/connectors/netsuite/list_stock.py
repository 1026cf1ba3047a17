# SPDX-License-Identifier: Apache-2.0
"""What NetSuite has on its books: quantity on hand per item and location, by SuiteQL.

`aggregateitemlocation` has every kind of stocked item; `inventoryitemlocations` leaves out assemblies and items with
lot or serial numbers, `inventorybalance` is there only with bins or stock statuses. An offset reaches 100,000 rows at
most, so pages go by item id.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct

from crossdock.connectors.netsuite.client import CallFailed, RestClient, sql_list
from crossdock.runtime.clock import now
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.listing import UNREADABLE, Listed, StockPage, unreadable

# SuiteQL: at most 1,000 rows a page.
_PAGE: Final = 1_000


class _Balance(Struct):
    item: str
    location: str
    # Nulls are left out of SuiteQL's answers.
    quantityonhand: Decimal = Decimal(0)


class _Item(Struct):
    id: str
    externalid: str = ""
    itemid: str = ""


class NetSuiteLister:
    """One account. SKUs are external ids of items, or their names where they have none; locations internal ids."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = RestClient(config)

    async def stock(self, *, skus: Sequence[str] = (), after: str = "") -> StockPage:
        """A page of quantities on hand, in stock units. Raises RetryLater, NeedsConfig."""
        asked_at = now()
        try:
            names = await self._named(skus) if skus else {}
            if skus and not names:
                return StockPage(())
            among = f" AND item IN {sql_list(sorted(names))}" if skus else ""
            rows, rest = _whole_items(await self._balances(f"item > {_item_id(after)}{among}"))
            if rows and not skus:
                names = await self._names(f"id IN {sql_list(sorted({row.item for row in rows}))}")
            items = tuple(
                Listed(names[row.item], row.location, row.quantityonhand, "", asked_at)
                for row in rows
                if row.item in names
            )
        except CallFailed as failed:
            raise failed.error from failed
        except UNREADABLE as error:
            raise unreadable("NetSuite's", error) from error
        return StockPage(items, rest)

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    async def _balances(self, where: str) -> list[_Balance]:
        return await self._client.rows(
            f"SELECT item, location, quantityonhand FROM aggregateitemlocation WHERE {where} ORDER BY item, location",  # noqa: S608
            _Balance,
        )

    async def _named(self, skus: Sequence[str]) -> dict[str, str]:
        """The items that `skus` (at most the manifest's number for a call) are the SKUs of."""
        names = await self._names(f"externalid IN {sql_list(skus)}")
        rest = sorted(set(skus).difference(names.values()))
        if rest:
            names |= await self._names(f"itemid IN {sql_list(rest)} AND externalid IS NULL")
        return names

    async def _names(self, where: str) -> dict[str, str]:
        """SKU per internal id of an item."""
        found = await self._client.rows(f"SELECT id, externalid, itemid FROM item WHERE {where}", _Item)  # noqa: S608
        return {item.id: item.externalid or item.itemid for item in found if item.externalid or item.itemid}


def _whole_items(rows: list[_Balance]) -> tuple[list[_Balance], str]:
    """Rows without those of a last item that may go on in the next page, and the item after which that begins."""
    if len(rows) < _PAGE:
        return rows, ""
    last = rows[-1].item
    whole = [row for row in rows if row.item != last] or rows
    return whole, whole[-1].item


def _item_id(after: str) -> int:
    return int(after or 0)
