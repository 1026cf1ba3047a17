# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.shopify import ShopifyConfig, ShopifySim
from crossdock.sandbox.shopify.cost import CostBucket
from tests.sandbox.shopify.shopping import FULFILL, SET, ask, control, place, quantity, setting


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[ShopifySim]:
    config = ShopifyConfig(commit_stock=False, bucket=1e6, restore=1e6, catalog=CatalogConfig(products=300))
    async with ShopifySim(config) as simulator:
        yield simulator


def codes(answer: dict[str, Any], mutation: str = "inventorySetQuantities") -> list[str]:
    return [error["code"] for error in answer["data"][mutation]["userErrors"]]


async def test_without_the_token_it_is_401(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    for headers in ({}, {"X-Shopify-Access-Token": "wrong"}):
        async with http.post(shop.graphql_url, json={"query": "{ shop { name } }"}, headers=headers) as answer:
            assert answer.status == 401
            assert (await answer.json())["errors"].startswith("[API] Invalid API key or access token")


async def test_a_wrong_field_is_a_validation_error(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    answer = await ask(http, shop, "{ shop { nome } }")
    assert "Cannot query field 'nome' on type 'Shop'" in answer["errors"][0]["message"]
    sent = setting(quantity(shop, 0, 1, None), ignoreCompareQuantity=True)  # was there until 2026-01
    assert "ignoreCompareQuantity" in (await ask(http, shop, SET, key="k", input=sent))["errors"][0]["message"]


async def test_sku_becomes_inventory_item(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    query = "query($q: String) { productVariants(first: 50, query: $q) { nodes { sku barcode inventoryItem { id } } } }"
    answer = await ask(http, shop, query, q="sku:CD-00002 OR sku:CD-00007")
    nodes = answer["data"]["productVariants"]["nodes"]
    assert [node["sku"] for node in nodes] == ["CD-00002", "CD-00007"]
    assert nodes[0]["inventoryItem"]["id"] == quantity(shop, 1, 0, None)["inventoryItemId"]


async def test_pages(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    query = """query($a: String) { inventoryItems(first: 120, after: $a) {
      nodes { sku } pageInfo { hasNextPage endCursor } } }"""
    skus: list[str] = []
    after: str | None = None
    for _ in range(3):
        page = (await ask(http, shop, query, a=after))["data"]["inventoryItems"]
        skus += [node["sku"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert len(set(skus)) == 300
    assert after is not None
    assert (await ask(http, shop, query, a=after))["data"]["inventoryItems"]["nodes"] == []
    assert (await ask(http, shop, "{ locations { nodes { id } } }"))["errors"][0]["extensions"][
        "code"
    ] == "BAD_USER_INPUT"
    assert (await ask(http, shop, "{ locations(first: 251) { nodes { id } } }"))["errors"]


async def test_set_then_read(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    entry = quantity(shop, 0, 42, 0)
    answer = await ask(http, shop, SET, key="k1", input=setting(entry))
    assert codes(answer) == []
    changes = answer["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"]["changes"]
    assert {(change["name"], change["delta"], change["quantityAfterChange"]) for change in changes} == {
        ("available", 42, 42),
        ("on_hand", 42, 42),
    }
    query = """query($id: ID!, $at: ID!) { inventoryItem(id: $id) { inventoryLevel(locationId: $at) {
      quantities(names: ["available", "on_hand", "committed"]) { name quantity } } } }"""
    read = await ask(http, shop, query, id=entry["inventoryItemId"], at=entry["locationId"])
    assert read["data"]["inventoryItem"]["inventoryLevel"]["quantities"] == [
        {"name": "available", "quantity": 42},
        {"name": "on_hand", "quantity": 42},
        {"name": "committed", "quantity": 0},
    ]


async def test_the_directive_is_required_when_it_runs(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    bare = SET.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")
    answer = await ask(http, shop, bare, input=setting(quantity(shop, 0, 1, None)))
    assert answer["data"] == {"inventorySetQuantities": None}
    assert "@idempotent" in answer["errors"][0]["message"]
    assert (await ask(http, shop, SET, key=" ", input=setting(quantity(shop, 0, 1, None))))["errors"]


async def test_change_from_quantity_must_be_sent_though_it_may_be_null(
    http: aiohttp.ClientSession, shop: ShopifySim
) -> None:
    entry = quantity(shop, 0, 5, None)
    assert codes(await ask(http, shop, SET, key="a", input=setting(entry))) == []
    del entry["changeFromQuantity"]
    assert "changeFromQuantity" in (await ask(http, shop, SET, key="b", input=setting(entry)))["errors"][0]["message"]


async def test_a_stale_expectation_changes_nothing(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    sent = setting(quantity(shop, 0, 5, None), quantity(shop, 1, 5, 99))
    answer = await ask(http, shop, SET, key="a", input=sent)
    assert codes(answer) == ["CHANGE_FROM_QUANTITY_STALE"]
    error = answer["data"]["inventorySetQuantities"]["userErrors"][0]
    assert error["field"] == ["input", "quantities", "1", "changeFromQuantity"]
    assert all(row["sets"] == 0 for row in (await control(http, shop, "levels"))["levels"])


async def test_user_errors_of_a_set(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    good = quantity(shop, 0, 1, None)
    cases = [
        (setting(good, name="incoming"), "INVALID_NAME"),
        (setting(good, reason="because"), "INVALID_REASON"),
        (setting(good, referenceDocumentUri="nonsense"), "INVALID_REFERENCE_DOCUMENT"),
        (setting(good, referenceDocumentUri="gid://crossdock"), "INVALID_REFERENCE_DOCUMENT"),
        (setting(good, good), "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"),
        (setting({**good, "inventoryItemId": "gid://shopify/InventoryItem/1"}), "INVALID_INVENTORY_ITEM"),
        (setting({**good, "locationId": "gid://shopify/Location/1"}), "INVALID_LOCATION"),
        (setting({**good, "quantity": -1}), "INVALID_QUANTITY_NEGATIVE"),
        (setting({**good, "quantity": 1_000_000_001}), "INVALID_QUANTITY_TOO_HIGH"),
        (setting({**good, "quantity": -1_000_000_001}), "INVALID_QUANTITY_TOO_LOW"),
    ]
    for number, (sent, code) in enumerate(cases):
        assert codes(await ask(http, shop, SET, key=f"case-{number}", input=sent)) == [code]


async def test_at_most_250_quantities(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    entries = [quantity(shop, index, 1, None) for index in range(251)]
    answer = await ask(http, shop, SET, key="a", input=setting(*entries))
    assert answer["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"
    assert codes(await ask(http, shop, SET, key="b", input=setting(*entries[:250]))) == []


async def test_a_repeated_key_does_nothing_again_and_tells_of_now(
    http: aiohttp.ClientSession, shop: ShopifySim
) -> None:
    sent = setting(quantity(shop, 0, 10, 0))
    first = await ask(http, shop, SET, key="k", input=sent)
    await ask(http, shop, SET, key="other", input=setting(quantity(shop, 0, 25, 10)))
    again = await ask(http, shop, SET, key="k", input=sent)
    groups = [entry["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"] for entry in (first, again)]
    assert groups[0]["id"] == groups[1]["id"]
    assert [entry["changes"][0]["quantityAfterChange"] for entry in groups] == [10, 25]
    level = next(row for row in (await control(http, shop, "levels"))["levels"] if row["sku"] == "CD-00001")
    assert (level["available"], level["sets"]) == (25, 2)
    mismatch = await ask(http, shop, SET, key="k", input=setting(quantity(shop, 0, 11, None)))
    assert codes(mismatch) == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]


async def test_a_key_that_failed_needs_a_new_one(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    sent = setting(quantity(shop, 0, 10, 7))
    assert codes(await ask(http, shop, SET, key="k", input=sent)) == ["CHANGE_FROM_QUANTITY_STALE"]
    assert codes(await ask(http, shop, SET, key="k", input=sent)) == ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"]


async def test_a_key_in_flight(http: aiohttp.ClientSession) -> None:
    async with ShopifySim(ShopifyConfig(write_seconds=0.2)) as shop:
        sent = setting(quantity(shop, 0, 10, None))
        answers = await asyncio.gather(*(ask(http, shop, SET, key="k", input=sent) for _ in range(2)))
        assert sorted(codes(answer) for answer in answers) == [[], ["IDEMPOTENCY_CONCURRENT_REQUEST"]]


def fulfillment(order: dict[str, Any], count: int | None = None, part: int = 0, number: str = "1Z1") -> dict[str, Any]:
    held = order["fulfillment_orders"][part]
    lines = held["lines"][:1] if count is not None else []
    return {
        "trackingInfo": {"company": "UPS", "number": number},
        "lineItemsByFulfillmentOrder": [
            {
                "fulfillmentOrderId": f"gid://shopify/FulfillmentOrder/{held['id']}",
                "fulfillmentOrderLineItems": [
                    {"id": f"gid://shopify/FulfillmentOrderLineItem/{line['id']}", "quantity": count} for line in lines
                ],
            }
        ],
    }


def messages(answer: dict[str, Any]) -> list[str]:
    return [error["message"] for error in answer["data"]["fulfillmentCreate"]["userErrors"]]


async def test_fulfill_all_then_nothing_remains(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    (order,) = await place(http, shop, count=1, lines=3)
    answer = await ask(http, shop, FULFILL, fulfillment=fulfillment(order))
    made = answer["data"]["fulfillmentCreate"]["fulfillment"]
    assert made["totalQuantity"] == sum(line["quantity"] for line in order["lines"])
    assert made["trackingInfo"] == [{"company": "UPS", "number": "1Z1", "url": None}]
    again = await ask(http, shop, FULFILL, fulfillment=fulfillment(order))
    assert len(messages(again)) == 1
    assert again["data"]["fulfillmentCreate"]["fulfillment"] is None


async def test_called_twice_it_fulfills_twice(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    order = next(entry for entry in await place(http, shop, count=30, lines=1) if entry["lines"][0]["quantity"] >= 2)
    for _ in range(2):
        assert messages(await ask(http, shop, FULFILL, fulfillment=fulfillment(order, 1))) == []
    counts = await control(http, shop, "counts")
    assert (counts["fulfillments"], counts["orders_fulfilled_twice"]) == (2, 1)
    query = """query($id: ID!) { order(id: $id) { displayFulfillmentStatus
      fulfillments(first: 5) { trackingInfo { number } }
      fulfillmentOrders(first: 5) { nodes { status assignedLocation { location { id } }
        lineItems(first: 5) { nodes { sku remainingQuantity totalQuantity } } } } } }"""
    read = (await ask(http, shop, query, id=f"gid://shopify/Order/{order['id']}"))["data"]["order"]
    line = read["fulfillmentOrders"]["nodes"][0]["lineItems"]["nodes"][0]
    assert line["remainingQuantity"] == line["totalQuantity"] - 2
    assert len(read["fulfillments"]) == 2


async def test_what_a_fulfillment_refuses(http: aiohttp.ClientSession) -> None:
    async with ShopifySim(ShopifyConfig(split_share=1.0, bucket=1e6, restore=1e6)) as shop:
        one, two = await place(http, shop, count=2, lines=2)
        too_many = fulfillment(one, one["lines"][0]["quantity"] + 1)
        unknown = {"lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": "gid://shopify/FulfillmentOrder/1"}]}

        def both(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
            return {
                "lineItemsByFulfillmentOrder": left["lineItemsByFulfillmentOrder"]
                + right["lineItemsByFulfillmentOrder"]
            }

        cases = [
            (too_many, "Invalid fulfillment order line item quantity requested."),
            (unknown, "Fulfillment order does not exist."),
            (both(fulfillment(one), fulfillment(two)), "All fulfillment orders must belong to the same order."),
            (
                both(fulfillment(one), fulfillment(one, part=1)),
                "All fulfillment orders must be assigned to the same location.",
            ),
            ({"lineItemsByFulfillmentOrder": []}, "At least one fulfillment order is required."),
        ]
        for sent, message in cases:
            assert messages(await ask(http, shop, FULFILL, fulfillment=sent)) == [message]


async def test_more_than_512_lines_are_refused(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    (order,) = await place(http, shop, count=1, lines=513)
    assert messages(await ask(http, shop, FULFILL, fulfillment=fulfillment(order))) == [
        "A fulfillment can't have more than 512 line items."
    ]


async def test_an_order_commits_stock_and_a_fulfillment_takes_it(http: aiohttp.ClientSession) -> None:
    async with ShopifySim(ShopifyConfig(catalog=CatalogConfig(products=1, locations=1))) as shop:
        await ask(http, shop, SET, key="k", input=setting(quantity(shop, 0, 100, 0)))
        (order,) = await place(http, shop, count=1, lines=1)
        sold = order["lines"][0]["quantity"]
        (level,) = (await control(http, shop, "levels"))["levels"]
        assert (level["available"], level["committed"], level["on_hand"]) == (100 - sold, sold, 100)
        await ask(http, shop, FULFILL, fulfillment=fulfillment(order))
        (level,) = (await control(http, shop, "levels"))["levels"]
        assert (level["available"], level["committed"], level["on_hand"]) == (100 - sold, 0, 100 - sold)


async def test_orders_are_found_by_time_and_name(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    await place(http, shop, count=5)
    query = "query($q: String) { orders(first: 10, query: $q) { nodes { name } } }"

    async def found(text: str) -> list[str]:
        return [node["name"] for node in (await ask(http, shop, query, q=text))["data"]["orders"]["nodes"]]

    assert await found("created_at:>=2020-01-01T00:00:00Z") == ["#1001", "#1002", "#1003", "#1004", "#1005"]
    assert await found("updated_at:>'2099-01-01T00:00:00Z'") == []
    assert await found("name:#1003") == ["#1003"]
    assert await found("name:1003 AND created_at:>=2020-01-01T00:00:00Z") == ["#1003"]
    assert "not simulated" in (await ask(http, shop, query, q="tag:vip"))["errors"][0]["message"]


async def test_throttled_is_http_200_with_the_cost(http: aiohttp.ClientSession) -> None:
    async with ShopifySim(ShopifyConfig(bucket=25, restore=0.001)) as shop:
        sent = setting(quantity(shop, 0, 1, None))
        answers = [await ask(http, shop, SET, key=f"k{number}", input=sent) for number in range(4)]
        assert [("errors" in answer) for answer in answers] == [False, False, True, True]
        error, cost = answers[2]["errors"][0], answers[2]["extensions"]["cost"]
        assert error["extensions"]["code"] == "THROTTLED"
        assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (10 + 1 + 1, None)
        assert (cost["throttleStatus"]["maximumAvailable"], cost["throttleStatus"]["restoreRate"]) == (25, 0.001)


async def test_what_was_not_returned_is_given_back(http: aiohttp.ClientSession) -> None:
    async with ShopifySim(ShopifyConfig(bucket=500, restore=0.001)) as shop:
        answer = await ask(http, shop, '{ productVariants(first: 100, query: "sku:CD-00001") { nodes { sku } } }')
        cost = answer["extensions"]["cost"]
        assert (cost["requestedQueryCost"], cost["actualQueryCost"]) == (102, 3)
        assert cost["throttleStatus"]["currentlyAvailable"] == 497


async def test_a_query_above_1000_points_never_runs(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    query = "{ orders(first: 100) { nodes { fulfillmentOrders(first: 10) { nodes { id } } } } }"
    error = (await ask(http, shop, query))["errors"][0]
    assert error["extensions"] == {"code": "MAX_COST_EXCEEDED", "cost": 1302, "maxCost": 1000}


def test_the_bucket_fills_at_its_rate() -> None:
    now = [0.0]
    bucket = CostBucket(100, 10, clock=lambda: now[0])
    assert bucket.take(100)
    assert not bucket.take(1)
    now[0] = 2.5
    assert bucket.available == 25
    now[0] = 1000.0
    assert bucket.available == 100


async def test_the_throttled_fault(http: aiohttp.ClientSession, shop: ShopifySim) -> None:
    await control(http, shop, "faults", kind="throttled", count=1)
    assert (await ask(http, shop, "{ shop { name } }"))["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert (await ask(http, shop, "{ shop { name } }"))["data"] == {"shop": {"name": "Crossdock Sandbox"}}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"variables": {}}', b"\xff\xfe"])
async def test_unreadable_requests(http: aiohttp.ClientSession, shop: ShopifySim, body: bytes) -> None:
    headers = {"X-Shopify-Access-Token": shop.config.token}
    async with http.post(shop.graphql_url, data=body, headers=headers) as answer:
        assert answer.status == 400
