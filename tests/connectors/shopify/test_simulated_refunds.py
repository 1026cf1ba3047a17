# SPDX-License-Identifier: Apache-2.0
"""Refunds at a simulated store: given back once, on the payments there are, never more than was paid."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from crossdock.canonical.goods_return import Refund, RefundLine
from crossdock.canonical.money import Money
from crossdock.canonical.quantity import Quantity
from crossdock.errors import NeedsEdit, OutcomeUnknown
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.shopify.orders import make_order
from crossdock.sandbox.shopify.simulator import ShopifyConfig, ShopifySim
from crossdock.sdk.sending import Delivered, Failed, Outgoing

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
async def shop() -> AsyncIterator[ShopifySim]:
    async with ShopifySim(ShopifyConfig(bucket=20_000, restore=5_000)) as simulator:
        yield simulator


@pytest.fixture
def sender(shop: ShopifySim, open_sender: Any) -> Any:
    return open_sender(
        "shopify", name="shopify-us", settings={"url": shop.url}, secrets={"token": shop.config.token}, names={}
    )


def placed(shop: ShopifySim, number: int = 1) -> dict[str, Any]:
    payload = make_order(random.Random(number), shop.catalog, number=number, lines=2, at=NOW)
    return shop.store.place(payload, None)


def back(order: dict[str, Any], amount: str, quantity: int = 1, ident: str = "rcv-1", **changes: Any) -> Outgoing:
    key = f"shopify-us/{order['id']}"
    line = order["lines"][0]
    refund = Refund(
        refund_key=f"shopify-us/R-1/{ident}",
        return_key="shopify-us/R-1",
        order_key=key,
        channel="shopify-us",
        number="R-1",
        resolution="refund",
        currency=order["presentment"]["currency_code"],
        refunded_at=NOW,
        lines=(
            RefundLine(
                line=str(line["id"]),
                sku=line["sku"],
                quantity=Quantity(Decimal(quantity)),
                amount=Money(Decimal(amount), "USD"),
            ),
        ),
        total=Money(Decimal(amount), order["presentment"]["currency_code"]),
    )
    return Outgoing(
        delivery_id=1,
        operation="refund",
        reference=refund.refund_key,
        idempotency_key=f"key-{ident}",
        document=replace(refund, **changes),
        known={},
    )


async def test_money_goes_back_once_on_the_payment_it_came_by(shop: ShopifySim, sender: Any) -> None:
    order = placed(shop)
    item = back(order, "1.25")
    assert await sender.find("refund", [item]) == [None]
    (made,) = await sender.send("refund", [item])
    assert isinstance(made, Delivered), made
    for attempt in (1, 2, 3):
        (again,) = await sender.send("refund", [replace(item, attempt=attempt)])
        assert isinstance(again, Delivered)
        assert again.reference == made.reference
    assert await sender.find("refund", [item]) == [Delivered(reference=made.reference)]
    held = shop.store.orders[str(order["id"])]
    assert [(one["kind"], one["amount"]) for one in held["transactions"]][1:] == [("REFUND", "1.25")]
    assert [(one["note"], one["total"]) for one in held["refunds"]] == [("shopify-us/R-1/rcv-1", "1.25")]
    assert held["refunds"][0]["lines"] == [{"line": 0, "quantity": 1, "restock": "NO_RESTOCK"}]


@pytest.mark.parametrize("kind", ["cut_after", "error_after"])
async def test_an_answer_that_was_lost_gives_nothing_back_twice(shop: ShopifySim, sender: Any, kind: Any) -> None:
    item = back(placed(shop), "1.25")
    # The look before it is answered, the refund is not.
    await sender.find("refund", [item])
    shop.faults.add(Fault(kind=kind, count=2))
    outcomes = [(await sender.send("refund", [replace(item, attempt=n)]))[0] for n in range(1, 5)]
    assert isinstance(outcomes[-1], Delivered)
    assert any(isinstance(one, Failed) for one in outcomes)
    assert shop.counts()["refunds"] == 1


async def test_the_key_alone_keeps_two_calls_at_one_refund(shop: ShopifySim, sender: Any) -> None:
    order = placed(shop)
    item = back(order, "1.25")
    shop.faults.add(Fault(kind="cut_after", match="graphql", count=1))
    first = await sender.send("refund", [item])
    second = await sender.send("refund", [item])
    assert isinstance(second[0], Delivered), (first, second)
    assert shop.counts()["refunds"] == 1


async def test_all_that_was_paid_goes_back_in_parts_and_not_a_cent_more(shop: ShopifySim, sender: Any) -> None:
    order = placed(shop)
    paid = Decimal(order["transactions"][0]["amount"])
    (first,) = await sender.send("refund", [back(order, "0.01")])
    (rest,) = await sender.send("refund", [back(order, str(paid - Decimal("0.01")), 0, "rcv-2")])
    assert isinstance(first, Delivered)
    assert isinstance(rest, Delivered), rest
    (more,) = await sender.send("refund", [back(order, "0.01", 0, "rcv-3")])
    assert isinstance(more, Failed)
    assert isinstance(more.error, NeedsEdit)
    assert more.error.rule == "shopify.payments"
    held = shop.store.orders[str(order["id"])]
    assert sum(Decimal(one["amount"]) for one in held["transactions"][1:]) == paid


async def test_what_the_store_refuses_is_a_case_that_can_be_mended(shop: ShopifySim, sender: Any) -> None:
    order = placed(shop)
    wrong = back(order, "1.00", 10_000)
    for attempt in (1, 2):
        (outcome,) = await sender.send("refund", [replace(wrong, attempt=attempt)])
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, NeedsEdit)
        assert "more items than were purchased" in outcome.error.reason
    (unknown,) = await sender.send("refund", [back({**order, "id": 17}, "1.00")])
    assert isinstance(unknown, Failed)
    assert unknown.error.rule == "shopify.order_known"
    (mended,) = await sender.send("refund", [replace(back(order, "1.00"), attempt=3)])
    assert isinstance(mended, Delivered)
    (foreign,) = await sender.send("refund", [back(order, "1.00", currency="GBP", ident="rcv-9")])
    assert isinstance(foreign, Failed)
    assert isinstance(foreign.error, NeedsEdit)


async def test_a_call_that_was_cut_says_so(shop: ShopifySim, sender: Any) -> None:
    order = placed(shop)
    await sender.find("refund", [back(order, "1.00")])
    shop.faults.add(Fault(kind="down", count=1))
    (outcome,) = await sender.send("refund", [back(order, "1.00")])
    assert isinstance(outcome, Failed)
    assert not isinstance(outcome.error, OutcomeUnknown | NeedsEdit)
