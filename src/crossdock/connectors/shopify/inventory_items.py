# SPDX-License-Identifier: Apache-2.0
"""SKU → what the store has of it (its inventory item, its variant), asked for in batches and kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from msgspec import Struct

from crossdock.connectors.shopify.client import AdminClient
from crossdock.connectors.shopify.order_state import Identity, Page
from crossdock.errors import NeedsEdit

_SKUS_A_QUERY: Final = 50
_MAX_KEPT: Final = 200_000
_MAX_PAGES: Final = 20

Found = TypeVar("Found")


class Variant(Struct, frozen=True):
    """A variant and the product it is of, as global ids; `currency`: the one the store sells in."""

    id: str
    product: str
    currency: str


class _Item(Struct):
    id: str
    sku: str | None = None


class _Items(Struct, rename="camel"):
    nodes: list[_Item]
    page_info: Page


class _ItemsAnswer(Struct, rename="camel"):
    inventory_items: _Items


class _Variant(Struct):
    id: str
    product: Identity
    sku: str | None = None


class _Variants(Struct, rename="camel"):
    nodes: list[_Variant]
    page_info: Page


class _Shop(Struct, rename="camel"):
    currency_code: str


class _VariantsAnswer(Struct, rename="camel"):
    product_variants: _Variants
    shop: _Shop


Ask = Callable[[str, int, str | None], Awaitable[tuple[list[tuple[str | None, Found]], Page]]]
"""Asks for (SKU, what it is) that a search finds: the search, how many at most, after which cursor."""


class SkuIndex(Generic[Found]):
    """Remembers what a SKU of this store is; forgets one that the store no longer takes. `what`: its name in words."""

    def __init__(self, what: str, ask: Ask[Found]) -> None:
        self._what = what
        self._search = ask
        self._kept: dict[str, Found] = {}

    async def resolve(self, skus: Iterable[str]) -> Mapping[str, Found | NeedsEdit]:
        """What each SKU is, or why there is none. Raises CallFailed when the store cannot be asked."""
        result: dict[str, Found | NeedsEdit] = {}
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
        """Ask again next time: the store does not know it any more."""
        self._kept.pop(sku, None)

    async def _ask(self, skus: Sequence[str]) -> Mapping[str, list[Found]]:
        query = " OR ".join(f"sku:{quoted(sku)}" for sku in skus)
        found: dict[str, list[Found]] = {}
        after = None
        for _ in range(_MAX_PAGES):
            rows, page = await self._search(query, len(skus) + 10, after)
            for sku, one in rows:
                if sku is not None:
                    found.setdefault(sku, []).append(one)
            if not page.has_next_page:
                break
            after = page.end_cursor
        return found

    def _judge(self, sku: str, found: Sequence[Found]) -> Found | NeedsEdit:
        if len(found) != 1:
            count = f"{len(found)} {self._what}s" if found else f"no {self._what}"
            return NeedsEdit(
                f"the store has {count} with SKU {sku!r}",
                field="sku",
                rule="shopify.sku",
                value=sku,
                fix="give exactly one variant in the store this SKU, or map it in crosswalk `sku`",
            )
        if len(self._kept) >= _MAX_KEPT:
            self._kept.clear()
        self._kept[sku] = found[0]
        return found[0]


def inventory_items(client: AdminClient) -> SkuIndex[str]:
    """SKU → the id of the store's inventory item."""

    async def ask(query: str, size: int, after: str | None) -> tuple[list[tuple[str | None, str]], Page]:
        variables = {"query": query, "first": size, "after": after}
        answer, _ = await client.run("FindInventoryItems", variables, _ItemsAnswer, cost=size + 2)
        return [(one.sku, one.id) for one in answer.inventory_items.nodes], answer.inventory_items.page_info

    return SkuIndex("inventory item", ask)


def variants(client: AdminClient) -> SkuIndex[Variant]:
    """SKU → the store's variant, and its product."""

    async def ask(query: str, size: int, after: str | None) -> tuple[list[tuple[str | None, Variant]], Page]:
        variables = {"query": query, "first": size, "after": after}
        answer, _ = await client.run("FindVariants", variables, _VariantsAnswer, cost=2 * size + 3)
        currency, page = answer.shop.currency_code, answer.product_variants
        return [(one.sku, Variant(one.id, one.product.id, currency)) for one in page.nodes], page.page_info

    return SkuIndex("variant", ask)


def quoted(sku: str) -> str:
    """`sku` as one term of Shopify's search syntax, in which a backslash escapes."""
    return '"' + sku.replace("\\", "\\\\").replace('"', '\\"') + '"'
