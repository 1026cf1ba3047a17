# SPDX-License-Identifier: Apache-2.0
"""What the store shows its variants to cost, by SKU."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from crossdock.connectors.shopify.client import AdminClient, CallFailed
from crossdock.connectors.shopify.inventory_items import quoted
from crossdock.connectors.shopify.order_state import Page
from crossdock.runtime.clock import now
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.listing import UNREADABLE, ListedPrice, PricePage, unreadable

# Shopify: at most 250 of a connection; a variant costs one point.
_PAGE: Final = 250


class _Variant(Struct, rename="camel"):
    price: Decimal
    sku: str | None = None
    updated_at: datetime | None = None


class _Variants(Struct, rename="camel"):
    nodes: list[_Variant]
    page_info: Page


class _Shop(Struct, rename="camel"):
    currency_code: str


class _Answer(Struct, rename="camel"):
    product_variants: _Variants
    shop: _Shop


class ShopifyPriceLister:
    """One store. Variants without a SKU are left out."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = AdminClient(config)

    async def prices(self, *, skus: Sequence[str] = (), after: str = "") -> PricePage:
        """A page of what is shown. Raises RetryLater, NeedsConfig."""
        query = " OR ".join(f"sku:{quoted(sku)}" for sku in skus) or None
        asked_at = now()
        variables = {"first": _PAGE, "query": query, "after": after or None}
        try:
            answer, _ = await self._client.run("ListPrices", variables, _Answer, cost=_PAGE + 3)
            currency, page = answer.shop.currency_code, answer.product_variants
            items = tuple(
                ListedPrice(one.sku, one.price, currency, asked_at, one.updated_at)
                for one in page.nodes
                # The search may find more than it was asked for.
                if one.sku and (not skus or one.sku in skus)
            )
        except CallFailed as failed:
            raise failed.error from failed
        except UNREADABLE as error:
            raise unreadable("Shopify's", error) from error
        return PricePage(items, (page.page_info.end_cursor or "") if page.page_info.has_next_page else "")

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()
