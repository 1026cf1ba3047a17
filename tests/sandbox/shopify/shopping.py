# SPDX-License-Identifier: Apache-2.0
"""Calls that the tests of the simulated store share."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from crossdock.sandbox.shopify import ShopifySim

SET = """mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason changes { name delta quantityAfterChange } }
    userErrors { field message code }
  }
}"""
FULFILL = """mutation Fulfill($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id status totalQuantity trackingInfo(first: 5) { company number url } }
    userErrors { field message }
  }
}"""


async def ask(http: aiohttp.ClientSession, shop: ShopifySim, query: str, **variables: Any) -> dict[str, Any]:
    headers = {"X-Shopify-Access-Token": shop.config.token}
    async with http.post(shop.graphql_url, json={"query": query, "variables": variables}, headers=headers) as answer:
        assert answer.status == 200
        body: dict[str, Any] = await answer.json()
        return body


async def control(http: aiohttp.ClientSession, shop: ShopifySim, tail: str, **body: Any) -> Any:
    async with http.request("POST" if body else "GET", f"{shop.url}/_sim/{tail}", json=body or None) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def place(http: aiohttp.ClientSession, shop: ShopifySim, **wanted: Any) -> list[dict[str, Any]]:
    """Place orders, wait for the run, and return what the store holds."""
    run = (await control(http, shop, "orders", **wanted))["id"]
    async with asyncio.timeout(20):
        await shop.runs.finished()
        state = await control(http, shop, f"runs/{run}")
    assert state["error"] is None
    orders: list[dict[str, Any]] = (await control(http, shop, "orders"))["orders"]
    return orders


async def settle(http: aiohttp.ClientSession, shop: ShopifySim) -> dict[str, Any]:
    """Wait until no webhook is under way; return the counts."""
    async with asyncio.timeout(20):
        while True:
            counts: dict[str, Any] = await control(http, shop, "counts")
            if counts["webhooks"]["waiting"] == 0:
                return counts
            await asyncio.sleep(0.02)


def quantity(shop: ShopifySim, index: int, amount: int, expected: int | None, place_index: int = 0) -> dict[str, Any]:
    store = shop.store
    return {
        "inventoryItemId": f"gid://shopify/InventoryItem/{store.item_id(shop.catalog.products[index])}",
        "locationId": f"gid://shopify/Location/{store.location_id(shop.catalog.locations[place_index])}",
        "quantity": amount,
        "changeFromQuantity": expected,
    }


def setting(*quantities: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {"name": "available", "reason": "correction", "quantities": list(quantities), **other}
