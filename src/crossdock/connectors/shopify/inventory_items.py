# SPDX-License-Identifier: Apache-2.0
"""SKU → the store's inventory item, asked for in batches and kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from crossdock.connectors.shopify.client import AdminClient
from crossdock.connectors.shopify.order_state import Page
from crossdock.errors import NeedsEdit

_SKUS_A_QUERY: Final = 50
_MAX_KEPT: Final = 200_000
_MAX_PAGES: Final = 20


class _Item(Struct):
    id: str
    sku: str | None = None


class _Items(Struct, rename="camel"):
    nodes: list[_Item]
    page_info: Page


class _Answer(Struct, rename="camel"):
    inventory_items: _Items


class InventoryItems:
    """Remembers which inventory item a SKU of this store is; forgets one that the store no longer takes."""

    def __init__(self, client: AdminClient) -> None:
        self._client = client
        self._kept: dict[str, str] = {}

    async def resolve(self, skus: Iterable[str]) -> Mapping[str, str | NeedsEdit]:
        """Inventory item id per SKU, or why there is none. Raises CallFailed when the store cannot be asked."""
        result: dict[str, str | NeedsEdit] = {}
        unknown = []
        for sku in dict.fromkeys(skus):
            if sku in self._kept:
                result[sku] = self._kept[sku]
            else:
                unknown.append(sku)
        for start in range(0, len(unknown), _SKUS_A_QUERY):
            wanted = unknown[start : start + _SKUS_A_QUERY]
            found = await self._ask(wanted)
            for sku in wanted:
                result[sku] = self._judge(sku, found.get(sku, []))
        return result

    def forget(self, sku: str) -> None:
        """Ask again next time: the store does not know the item any more."""
        self._kept.pop(sku, None)

    async def _ask(self, skus: Sequence[str]) -> Mapping[str, list[str]]:
        query = " OR ".join(f"sku:{quoted(sku)}" for sku in skus)
        found: dict[str, list[str]] = {}
        after = None
        size = len(skus) + 10
        for _ in range(_MAX_PAGES):
            variables = {"query": query, "first": size, "after": after}
            answer, _ = await self._client.run("FindInventoryItems", variables, _Answer, cost=size + 2)
            for item in answer.inventory_items.nodes:
                if item.sku is not None:
                    found.setdefault(item.sku, []).append(item.id)
            page = answer.inventory_items.page_info
            if not page.has_next_page:
                break
            after = page.end_cursor
        return found

    def _judge(self, sku: str, ids: Sequence[str]) -> str | NeedsEdit:
        if len(ids) != 1:
            count = f"{len(ids)} inventory items" if ids else "no inventory item"
            return NeedsEdit(
                f"the store has {count} with SKU {sku!r}",
                field="sku",
                rule="shopify.sku",
                value=sku,
                fix="give exactly one variant in the store this SKU, or map it in crosswalk `sku`",
            )
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[sku] = ids[0]
        return ids[0]


def quoted(sku: str) -> str:
    """`sku` as one term of Shopify's search syntax, in which a backslash escapes."""
    return '"' + sku.replace("\\", "\\\\").replace('"', '\\"') + '"'
