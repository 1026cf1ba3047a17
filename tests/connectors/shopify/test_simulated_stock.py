# SPDX-License-Identifier: Apache-2.0
"""Asking a simulated store what it shows as available."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crossdock.connectors.shopify import list_stock
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.shopify.simulator import ShopifyConfig, ShopifySim
from tests.connectors.listing import act, all_pages


def _lister(shop: ShopifySim, open_lister: Any) -> Any:
    return open_lister("shopify", settings={"url": shop.url}, secrets={"token": shop.config.token})


async def test_pages_hold_every_level_once(open_lister: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(list_stock, "_LOCATIONS", 2)
    monkeypatch.setattr(list_stock, "_MORE_LOCATIONS", 1)
    catalog = CatalogConfig(products=60, locations=3)
    async with ShopifySim(ShopifyConfig(bucket=20_000, catalog=catalog)) as shop:
        await act(shop.url, "level", {"sku": "CD-00060", "location": shop.catalog.locations[2].code, "available": 5})
        rows, pages = await all_pages(_lister(shop, open_lister))
        ids = {
            place.code: f"gid://shopify/Location/{shop.store.location_id(place)}" for place in shop.catalog.locations
        }
        levels = (await act(shop.url, "levels"))["levels"]
        expected = {(level["sku"], ids[level["location"]]): Decimal(level["available"]) for level in levels}
        assert len(ids) == 3, "more locations than a page has"
        assert {(row.sku, row.location): row.quantity for row in rows} == expected
        assert len(rows) == len(expected)
        assert pages == 3


async def test_a_level_set_by_hand_is_seen(open_lister: Any) -> None:
    async with ShopifySim(ShopifyConfig(bucket=20_000)) as shop:
        place = shop.catalog.locations[0]
        await act(shop.url, "level", {"sku": "CD-00003", "location": place.code, "available": 77})
        rows, _ = await all_pages(_lister(shop, open_lister), ["CD-00003", "NO SUCH SKU"])
        shown = {row.location: row for row in rows}
        assert {row.sku for row in rows} == {"CD-00003"}
        row = shown[f"gid://shopify/Location/{shop.store.location_id(place)}"]
        assert row.quantity == 77
        assert row.changed_at is not None
