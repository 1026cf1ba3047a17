# SPDX-License-Identifier: Apache-2.0
"""Asking simulated systems for their prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crossdock.connectors.channel_rest import list_prices as market_prices
from crossdock.connectors.shopify import list_prices as store_prices
from crossdock.errors import RetryLater
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.market import MarketConfig, MarketSim
from crossdock.sandbox.shopify import ShopifyConfig, ShopifySim
from tests.connectors.business_central.answers import Script, rows, settings
from tests.connectors.listing import act, all_prices

FEW = CatalogConfig(products=30)


async def test_a_store_lists_every_variant_once(open_price_lister: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_prices, "_PAGE", 12)
    async with ShopifySim(ShopifyConfig(catalog=FEW)) as shop:
        lister = open_price_lister("shopify", settings={"url": shop.url}, secrets={"token": shop.config.token})
        await act(shop.url, "price", {"sku": "CD-00002", "price": "77.5"})
        found, pages = await all_prices(lister)
        assert {one.sku: f"{one.price}" for one in found} == {
            product.sku: shop.store.price(product) for product in shop.catalog.products
        }
        assert (len(found), pages, {one.currency for one in found}) == (30, 3, {"USD"})
        (only,), _ = await all_prices(lister, ["CD-00002", "NO SUCH"])
        assert (only.sku, only.price) == ("CD-00002", Decimal("77.50"))
        assert only.changed_at is not None


async def test_a_market_lists_what_shows_a_price(open_price_lister: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(market_prices, "_PAGE", 12)
    async with MarketSim(MarketConfig(catalog=FEW)) as market:
        lister = open_price_lister("channel_rest", settings={"url": market.url}, secrets={"token": market.config.token})
        assert await all_prices(lister) == ([], 3)
        for sku, price in (("CD-00001", "19.90"), ("CD-00030", "0")):
            await act(market.url, "price", {"sku": sku, "price": price})
        found, _ = await all_prices(lister)
        assert [(one.sku, f"{one.price}", one.currency) for one in found] == [
            ("CD-00001", "19.90", "USD"),
            ("CD-00030", "0", "USD"),
        ]
        assert [one.sku for one in (await all_prices(lister, ["CD-00030", "CD-00029"]))[0]] == ["CD-00030"]


def _item(number: str, price: Any) -> dict[str, Any]:
    return {
        "number": number,
        "unitPrice": price,
        "lastModifiedDateTime": "2026-11-23T11:24:19.347Z",
        "type": "Inventory",
    }


async def test_business_central_lists_unit_prices(open_price_lister: Any) -> None:
    async with Script() as company:
        lister = open_price_lister("business_central", **settings(company.url))
        company.says("GET items", rows(_item("CD-1", 12.5), _item("CD-2", 0), _item("O'HARA", 3)))
        found, _ = await all_prices(lister, ["cd-1", "CD-2", "O'HARA", "X" * 21])
        assert [(one.sku, one.price, one.currency) for one in found] == [
            ("cd-1", Decimal("12.5"), ""),
            ("O'HARA", Decimal(3), ""),
        ]
        assert company.told[0].query == {"$filter": "number eq 'cd-1' or number eq 'CD-2' or number eq 'O''HARA'"}
        assert await all_prices(lister, ["X" * 21]) == ([], 1)
        company.says("GET items", rows(_item("CD-1", "NaN")))
        with pytest.raises(RetryLater, match="could not be read"):
            await all_prices(lister)
