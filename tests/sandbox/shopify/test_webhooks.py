# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.emitting import Subscription
from crossdock.sandbox.shopify import ShopifyConfig, ShopifySim
from crossdock.sandbox.shopify.place import OrdersRequest, make_plan
from tests.sandbox.inbox import Got, Inbox
from tests.sandbox.shopify.shopping import control, place, settle

TOPICS = ("orders/create", "orders/updated", "orders/cancelled")


def config(inbox: Inbox, time_scale: float = 0.0005, **more: object) -> ShopifyConfig:
    subscriptions = tuple(Subscription(topic, f"{inbox.url}/hooks/shop/{topic}") for topic in TOPICS)
    return ShopifyConfig(subscriptions=subscriptions, time_scale=time_scale, **more)  # type: ignore[arg-type]  # test


@pytest_asyncio.fixture
async def shop(inbox: Inbox) -> AsyncIterator[ShopifySim]:
    async with ShopifySim(config(inbox)) as simulator:
        yield simulator


def good(got: Got, secret: str = "shopify-app-secret") -> bool:
    digest = base64.b64encode(hmac.new(secret.encode(), got.body, hashlib.sha256).digest()).decode()
    return got.headers["X-Shopify-Hmac-Sha256"] == digest


async def test_headers_and_signature(http: aiohttp.ClientSession, shop: ShopifySim, inbox: Inbox) -> None:
    (order,) = await place(http, shop, count=1)
    (got,) = await inbox.wait(1)
    assert good(got)
    assert got.path == "/hooks/shop/orders/create"
    assert got.headers["X-Shopify-Topic"] == "orders/create"
    assert got.headers["X-Shopify-Shop-Domain"] == "crossdock-sandbox.myshopify.com"
    assert got.headers["X-Shopify-API-Version"] == "2026-10"
    assert {"X-Shopify-Webhook-Id", "X-Shopify-Event-Id", "X-Shopify-Triggered-At"} <= set(got.headers)
    assert json.loads(got.body)["id"] == order["id"]
    counts = await settle(http, shop)
    assert (counts["orders"], counts["webhooks"]["acknowledged"]) == (1, 1)


async def test_a_refused_webhook_is_sent_again_with_the_same_bytes_and_id(
    http: aiohttp.ClientSession, shop: ShopifySim, inbox: Inbox
) -> None:
    inbox.status = lambda number: 503 if number <= 2 else 202
    await place(http, shop, count=1)
    got = await inbox.wait(3)
    assert len({(entry.body, entry.headers["X-Shopify-Webhook-Id"]) for entry in got}) == 1
    assert (await settle(http, shop))["webhooks"]["acknowledged"] == 1


async def test_after_eight_retries_it_is_given_up(http: aiohttp.ClientSession, inbox: Inbox) -> None:
    inbox.status = lambda _number: 500
    async with ShopifySim(config(inbox, time_scale=0.00001)) as shop:
        await place(http, shop, count=1)
        counts = await settle(http, shop)
        assert (counts["webhooks"]["given_up"], counts["webhooks"]["attempts"], counts["subscriptions"]) == (1, 9, 3)


async def test_the_subscription_is_deleted_when_switched_on(http: aiohttp.ClientSession, inbox: Inbox) -> None:
    inbox.status = lambda _number: 500
    async with ShopifySim(config(inbox, time_scale=0.00001, drop_subscriptions=True)) as shop:
        await place(http, shop, count=1)
        assert (await settle(http, shop))["subscriptions"] == 2


async def test_duplicates_carry_the_same_webhook_id(
    http: aiohttp.ClientSession, shop: ShopifySim, inbox: Inbox
) -> None:
    await place(http, shop, count=20, duplicates=5)
    got = await inbox.wait(25)
    assert len({entry.headers["X-Shopify-Webhook-Id"] for entry in got}) == 20
    counts = await settle(http, shop)
    assert (counts["webhooks"]["deliveries"], counts["webhooks"]["attempts"]) == (20, 25)


async def test_reordered_webhooks_overtake(http: aiohttp.ClientSession, shop: ShopifySim, inbox: Inbox) -> None:
    await place(http, shop, count=30, reorder=10)
    ids = [json.loads(entry.body)["id"] for entry in await inbox.wait(30)]
    assert ids != sorted(ids)


async def test_updates_and_cancellations_follow(http: aiohttp.ClientSession, shop: ShopifySim, inbox: Inbox) -> None:
    orders = await place(http, shop, count=30, updates=3, cancels=2)
    got = await inbox.wait(35)
    topics = [entry.headers["X-Shopify-Topic"] for entry in got]
    assert [topics.count(topic) for topic in TOPICS] == [30, 3, 2]
    assert sum(1 for order in orders if order["cancelled_at"]) == 2
    assert (await settle(http, shop))["cancelled"] == 2


async def test_broken_orders_are_in_the_books(http: aiohttp.ClientSession, shop: ShopifySim, inbox: Inbox) -> None:
    await place(http, shop, count=10, broken={"truncated_json": 2, "invalid_utf8": 1, "zero_lines": 1})
    got = await inbox.wait(10)
    unreadable = 0
    for entry in got:
        assert good(entry)
        try:
            json.loads(entry.body)
        except ValueError:
            unreadable += 1
    assert unreadable == 3
    assert (await settle(http, shop))["broken"] == {"truncated_json": 2, "invalid_utf8": 1, "zero_lines": 1}


async def test_a_forged_signature_on_demand(http: aiohttp.ClientSession, shop: ShopifySim, inbox: Inbox) -> None:
    await control(http, shop, "faults", kind="bad_signature", count=1)
    await place(http, shop, count=1)
    (got,) = await inbox.wait(1)
    assert not good(got)


async def test_a_restarted_store_sends_what_was_not_acknowledged(
    http: aiohttp.ClientSession, inbox: Inbox, tmp_path: object
) -> None:
    state = f"{tmp_path}/shop.jsonl"
    inbox.status = lambda number: 500 if number == 1 else 200
    async with ShopifySim(config(inbox, time_scale=1.0, state=state)) as shop:
        await place(http, shop, count=1)
        (first,) = await inbox.wait(1)
    async with ShopifySim(config(inbox, time_scale=1.0, state=state)):
        _, second = await inbox.wait(2)
    assert second.body == first.body
    assert second.headers["X-Shopify-Webhook-Id"] == first.headers["X-Shopify-Webhook-Id"]


@pytest.mark.parametrize(
    "wanted",
    [
        OrdersRequest(count=0),
        OrdersRequest(broken={"odd": 1}),
        OrdersRequest(count=3, cancels=4),
        OrdersRequest(count=2, broken={"huge": 3}),
    ],
)
def test_an_impossible_stream_is_refused(wanted: OrdersRequest) -> None:
    with pytest.raises(ValueError, match=r"count|kind"):
        make_plan(wanted)


async def test_the_same_seed_places_the_same_orders(http: aiohttp.ClientSession, inbox: Inbox) -> None:
    lines = []
    for _ in range(2):
        async with ShopifySim(config(inbox)) as shop:
            lines.append([order["lines"] for order in await place(http, shop, count=10, seed=9)])
    assert lines[0] == lines[1]
