# SPDX-License-Identifier: Apache-2.0
"""The simulated store's rules of setting prices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.shopify import ShopifyConfig, ShopifySim
from crossdock.sandbox.shopify.orders import product_id, variant_id
from tests.sandbox.shopify.shopping import ask, control

UPDATE = """mutation Update($product: ID!, $variants: [ProductVariantsBulkInput!]!, $partial: Boolean) {
  productVariantsBulkUpdate(productId: $product, variants: $variants, allowPartialUpdates: $partial) {
    product { id }
    productVariants { id price }
    userErrors { code field message }
  }
}"""


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[ShopifySim]:
    async with ShopifySim(ShopifyConfig(restore=0.001)) as simulator:
        yield simulator


def gid(shop: ShopifySim, kind: str, index: int) -> str:
    number = {"Product": product_id, "ProductVariant": variant_id}[kind](shop.catalog.products[index])
    return f"gid://shopify/{kind}/{number}"


async def update(
    http: aiohttp.ClientSession, shop: ShopifySim, *variants: dict[str, Any], product: str = "", partial: bool = False
) -> dict[str, Any]:
    whose = product or gid(shop, "Product", 0)
    told = await ask(http, shop, UPDATE, product=whose, variants=list(variants), partial=partial)
    payload: dict[str, Any] = told["data"]["productVariantsBulkUpdate"]
    return payload


async def shown(http: aiohttp.ClientSession, shop: ShopifySim, index: int) -> str:
    query = "query Price($id: ID!) { productVariant(id: $id) { price } }"
    told = await ask(http, shop, query, id=gid(shop, "ProductVariant", index))
    price: str = told["data"]["productVariant"]["price"]
    return price


async def test_a_price_is_set_to_the_cent_and_costs_ten_points(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    before = shop.bucket.available
    done = await update(http, shop, {"id": gid(shop, "ProductVariant", 0), "price": "12.345"})
    assert done["userErrors"] == []
    assert done["productVariants"] == [{"id": gid(shop, "ProductVariant", 0), "price": "12.35"}]
    assert await shown(http, shop, 0) == "12.35"
    # Ten of the mutation, one for the product, one for the variant; one of the question.
    assert round(before - shop.bucket.available) == 13
    assert (await control(http, shop, "prices"))["prices"][0]["price"] == "12.35"


@pytest.mark.parametrize(
    ("bad", "field", "code"),
    [
        ({"id": "gid://shopify/ProductVariant/1", "price": "1"}, "id", "PRODUCT_VARIANT_DOES_NOT_EXIST"),
        ({"id": "OTHER", "price": "1"}, "id", "MUST_BE_FOR_THIS_PRODUCT"),
        ({"price": "1"}, "id", "PRODUCT_VARIANT_ID_MISSING"),
        ({"id": "OWN", "price": "-1"}, "price", "GREATER_THAN_OR_EQUAL_TO"),
    ],
)
async def test_one_bad_variant_stops_all_unless_partial_updates_are_allowed(
    http: aiohttp.ClientSession, shop: ShopifySim, bad: dict[str, Any], field: str, code: str
) -> None:
    ids = {"OTHER": gid(shop, "ProductVariant", 1), "OWN": gid(shop, "ProductVariant", 0)}
    bad = {**bad, **({"id": ids.get(bad["id"], bad["id"])} if "id" in bad else {})}
    good, before = {"id": gid(shop, "ProductVariant", 0), "price": "3"}, await shown(http, shop, 0)
    done = await update(http, shop, good, bad)
    assert [(one["code"], one["field"]) for one in done["userErrors"]] == [(code, ["variants", "1", field])]
    assert (done["productVariants"], await shown(http, shop, 0)) == (None, before)
    done = await update(http, shop, good, bad, partial=True)
    assert [one["code"] for one in done["userErrors"]] == [code]
    assert [one["price"] for one in done["productVariants"]] == ["3.00"]
    assert await shown(http, shop, 0) == "3.00"


async def test_whole_calls_that_are_refused(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    own = {"id": gid(shop, "ProductVariant", 0), "price": "3"}
    done = await update(http, shop, own, product="gid://shopify/Product/1")
    assert [(one["code"], one["field"]) for one in done["userErrors"]] == [("PRODUCT_DOES_NOT_EXIST", ["productId"])]
    told = await ask(http, shop, UPDATE, product=gid(shop, "Product", 0), variants=[own] * 251)
    assert told["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"
    told = await ask(http, shop, UPDATE, product=gid(shop, "Product", 0), variants=[{**own, "price": "many"}])
    assert told["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"
    assert shop.store.prices == {}


async def test_a_clerk_sets_a_price(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    await control(http, shop, "price", sku="CD-00002", price="7.5")
    assert await shown(http, shop, 1) == "7.50"
