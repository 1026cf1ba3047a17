# SPDX-License-Identifier: Apache-2.0
"""The Shopify connector against a simulated store that was written apart from it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from crossdock.canonical.fulfillment import FulfillmentLine, Package, Shipment
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.stock import StockLevel
from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.shopify.orders import make_order
from crossdock.sandbox.shopify.simulator import ShopifyConfig, ShopifySim
from crossdock.sdk.connector import load_connector
from crossdock.sdk.sending import Delivered, Failed, Outgoing

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
async def shop() -> AsyncIterator[ShopifySim]:
    async with ShopifySim(ShopifyConfig(bucket=20_000)) as simulator:
        yield simulator


@pytest.fixture
def sender(shop: ShopifySim, open_sender: Any) -> Any:
    return _sender(shop, open_sender)


def _sender(shop: ShopifySim, open_sender: Any, token: str | None = None) -> Any:
    locations = {
        place.code: f"gid://shopify/Location/{shop.store.location_id(place)}" for place in shop.catalog.locations
    }
    return open_sender(
        "shopify",
        name="shopify-us",
        settings={"url": shop.url},
        secrets={"token": token or shop.config.token},
        names={"location": locations},
    )


async def _ask(shop: ShopifySim, method: str, what: str, body: Any = None) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{shop.url}/_sim/{what}", json=body) as reply,
    ):
        assert reply.status == 200
        return await reply.json()


async def _placed(shop: ShopifySim) -> dict[str, Any]:
    """One order in the store, as its webhook would tell it."""
    await _ask(shop, "POST", "orders", {"count": 1, "seed": 7, "lines": 2})
    for _ in range(200):
        orders = (await _ask(shop, "GET", "orders"))["orders"]
        if orders:
            return dict(orders[0])
    raise AssertionError("the simulator placed no order")


def _shipment(order: dict[str, Any], lines: dict[str, int], shop: ShopifySim, tracking: str = "1Z77") -> Outgoing:
    packed = tuple(
        FulfillmentLine(line=line, sku="any", quantity=Quantity(Decimal(quantity))) for line, quantity in lines.items()
    )
    key = f"shopify-us/{order['id']}"
    shipment = Shipment(
        shipment_id=f"shp-{tracking}",
        order_key=key,
        fulfillment_reference=f"{key}#1",
        location=shop.catalog.locations[0].code,
        carrier="UPS",
        shipped_at=NOW,
        packages=(Package(tracking_number=tracking, lines=packed),),
    )
    return _outgoing("fulfillment", shipment, shipment.shipment_id)


def _outgoing(operation: str, document: Any, reference: str, attempt: int = 1) -> Outgoing:
    return Outgoing(
        delivery_id=1,
        operation=operation,
        reference=reference,
        idempotency_key=f"key-{reference}",
        document=document,
        known={},
        attempt=attempt,
    )


def _level(shop: ShopifySim, index: int, on_hand: int, sequence: int = 1, sku: str = "") -> Outgoing:
    level = StockLevel(
        sku=sku or shop.catalog.products[index].sku,
        location=shop.catalog.locations[0].code,
        on_hand=Decimal(on_hand),
        sequence=sequence,
        as_of=NOW,
    )
    return _outgoing("stock_levels", level, f"level-{index}-{sequence}")


async def _available(shop: ShopifySim, sku: str) -> int:
    levels = (await _ask(shop, "GET", "levels"))["levels"]
    code = shop.catalog.locations[0].code
    return next(row["available"] for row in levels if row["sku"] == sku and row["location"] == code)


async def test_order_webhook_of_the_simulator_is_translated(shop: ShopifySim, translate: Any) -> None:
    from_simulator = make_order(random.Random(3), shop.catalog, number=1, lines=3, at=NOW)
    mapping = load_connector("shopify").mapping("shopify.order")
    order = translate(mapping, from_simulator, {"channel": "shopify-us", "system": "shopify-us"}).document
    assert order.order_key == f"shopify-us/{from_simulator['id']}"
    lines = sum((line.total.amount for line in order.lines), Decimal(0))
    charges = sum((charge.amount.amount for charge in order.charges), Decimal(0))
    tax = Decimal(0) if order.taxes_included or order.tax is None else order.tax.amount
    assert lines + charges + tax == order.total.amount == Decimal(from_simulator["total_price"])


async def test_stock_levels_arrive_and_unknown_skus_spoil_nothing(shop: ShopifySim, sender: Any) -> None:
    batch = [_level(shop, index, 10 + index) for index in range(60)]
    batch.insert(3, _level(shop, 0, 5, sku="NOT-IN-STORE"))
    outcomes = await sender.send("stock_levels", batch)
    assert isinstance(outcomes[3], Failed)
    assert isinstance(outcomes[3].error, NeedsEdit)
    assert outcomes[3].error.value == "NOT-IN-STORE"
    assert all(isinstance(outcome, Delivered) for index, outcome in enumerate(outcomes) if index != 3)
    for index in (0, 1, 59):
        assert await _available(shop, shop.catalog.products[index].sku) == 10 + index


async def test_an_item_the_store_refuses_is_taken_out_and_the_rest_sent_again(shop: ShopifySim, sender: Any) -> None:
    batch = [_level(shop, 0, 11), _level(shop, 1, 2_000_000_000), _level(shop, 2, 13)]
    outcomes = await sender.send("stock_levels", batch)
    assert isinstance(outcomes[1], Failed)
    assert outcomes[1].error.rule == "INVALID_QUANTITY_TOO_HIGH"
    assert [isinstance(outcome, Delivered) for outcome in outcomes] == [True, False, True]
    assert await _available(shop, shop.catalog.products[2].sku) == 13


async def test_a_level_that_comes_back_is_set_again(shop: ShopifySim, sender: Any) -> None:
    sku = shop.catalog.products[0].sku
    for sequence, on_hand in enumerate((40, 41, 40), start=1):
        (outcome,) = await sender.send("stock_levels", [_level(shop, 0, on_hand, sequence)])
        assert isinstance(outcome, Delivered)
        assert await _available(shop, sku) == on_hand


async def test_newest_level_of_a_batch_wins(shop: ShopifySim, sender: Any) -> None:
    outcomes = await sender.send("stock_levels", [_level(shop, 0, 8, sequence=9), _level(shop, 0, 7, sequence=4)])
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert await _available(shop, shop.catalog.products[0].sku) == 8


async def test_fulfillment_is_made_once_whatever_is_repeated(shop: ShopifySim, sender: Any) -> None:
    order = await _placed(shop)
    lines = {str(line["id"]): line["quantity"] for line in order["lines"]}
    item = _shipment(order, lines, shop)
    assert await sender.find("fulfillment", [item]) == [None]
    (first,) = await sender.send("fulfillment", [item])
    assert isinstance(first, Delivered), first
    (again,) = await sender.send("fulfillment", [item])
    (found,) = await sender.find("fulfillment", [item])
    assert isinstance(again, Delivered)
    assert found is not None
    assert again.reference == found.reference == first.reference
    counts = await _ask(shop, "GET", "counts")
    assert (counts["fulfillments"], counts["orders_fulfilled_twice"]) == (1, 0)


async def test_two_shipments_of_one_order(shop: ShopifySim, sender: Any) -> None:
    order = await _placed(shop)
    first, second = (str(line["id"]) for line in order["lines"])
    quantity = {str(line["id"]): line["quantity"] for line in order["lines"]}
    for line, tracking in ((first, "1Z1"), (second, "1Z2")):
        (outcome,) = await sender.send("fulfillment", [_shipment(order, {line: quantity[line]}, shop, tracking)])
        assert isinstance(outcome, Delivered), outcome
    assert (await _ask(shop, "GET", "counts"))["fulfillments"] == 2


async def test_more_than_was_ordered_is_a_case(shop: ShopifySim, sender: Any) -> None:
    order = await _placed(shop)
    line = order["lines"][0]
    (outcome,) = await sender.send("fulfillment", [_shipment(order, {str(line["id"]): line["quantity"] + 1}, shop)])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert outcome.error.rule == "shopify.remaining"
    assert (await _ask(shop, "GET", "counts"))["fulfillments"] == 0


async def test_query_without_an_answer_is_only_asked_again(shop: ShopifySim, sender: Any) -> None:
    order = await _placed(shop)
    shop.faults.add(Fault(kind="cut_after", count=1))
    (outcome,) = await sender.send("fulfillment", [_shipment(order, {str(order["lines"][0]["id"]): 1}, shop)])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RetryLater)
    assert (await _ask(shop, "GET", "counts"))["fulfillments"] == 0


@pytest.mark.parametrize("kind", ["cut_after", "error_after"])
async def test_mutation_without_an_answer_is_unknown(shop: ShopifySim, sender: Any, kind: Any) -> None:
    await sender.send("stock_levels", [_level(shop, 0, 3)])
    # The inventory item is known by now: the next request is the one that sets the quantity.
    shop.faults.add(Fault(kind=kind, count=1))
    item = _level(shop, 0, 4, sequence=2)
    (outcome,) = await sender.send("stock_levels", [item])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, OutcomeUnknown)
    assert await _available(shop, shop.catalog.products[0].sku) == 4
    (again,) = await sender.send("stock_levels", [item])
    assert isinstance(again, Delivered)


async def test_lines_at_two_locations_make_two_fulfillments(open_sender: Any) -> None:
    async with ShopifySim(ShopifyConfig(bucket=20_000, split_share=1.0)) as shop:
        sender = _sender(shop, open_sender)
        order = await _placed(shop)
        item = _shipment(order, {str(line["id"]): line["quantity"] for line in order["lines"]}, shop)
        (first,) = await sender.send("fulfillment", [item])
        assert isinstance(first, Delivered), first
        (again,) = await sender.send("fulfillment", [item])
        assert isinstance(again, Delivered)
        assert sorted(again.reference.split(",")) == sorted(first.reference.split(","))
        assert (await _ask(shop, "GET", "counts"))["fulfillments"] == 2


async def test_wrong_token_pauses_the_system(shop: ShopifySim, open_sender: Any) -> None:
    (outcome,) = await _sender(shop, open_sender, "shpat_mistaken").send("stock_levels", [_level(shop, 0, 1)])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsConfig)
    assert "shpat_mistaken" not in repr(outcome)


async def test_throttled_answer_waits_as_long_as_the_store_says(shop: ShopifySim, sender: Any) -> None:
    shop.faults.add(Fault(kind="throttled", count=1))
    (outcome,) = await sender.send("stock_levels", [_level(shop, 0, 1)])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RetryLater)
    assert outcome.error.throttled
    assert outcome.error.after is not None


async def test_small_bucket_is_waited_for_not_overrun(open_sender: Any) -> None:
    async with ShopifySim(ShopifyConfig(bucket=150, restore=400)) as shop:
        sender = _sender(shop, open_sender)
        for sequence in range(12):
            (outcome,) = await sender.send("stock_levels", [_level(shop, 0, sequence, sequence)])
            assert isinstance(outcome, Delivered), outcome
        assert await _available(shop, shop.catalog.products[0].sku) == 11
