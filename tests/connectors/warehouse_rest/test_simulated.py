# SPDX-License-Identifier: Apache-2.0
"""The warehouse connector against a simulated warehouse that was written apart from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace

from crossdock.canonical.fulfillment import FulfillmentLine, FulfillmentOrder
from crossdock.canonical.party import Address
from crossdock.canonical.quantity import Quantity
from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sandbox.emitting import Subscription
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.warehouse.simulator import WarehouseConfig, WarehouseSim
from crossdock.sdk.connector import load_connector
from crossdock.sdk.receiving import HookRequest
from crossdock.sdk.sending import Delivered, Failed, Outgoing


@pytest.fixture
async def warehouse() -> AsyncIterator[WarehouseSim]:
    async with WarehouseSim(WarehouseConfig()) as simulator:
        yield simulator


@pytest.fixture
def sender(warehouse: WarehouseSim, open_sender: Any) -> Any:
    return _sender(warehouse, open_sender, warehouse.config.token)


def _sender(warehouse: WarehouseSim, open_sender: Any, token: str) -> Any:
    return open_sender(
        "warehouse_rest",
        name="warehouse",
        settings={"url": warehouse.url},
        secrets={"token": token},
        names={"location": {"WH-EAST": warehouse.catalog.locations[0].code}},
    )


async def _ask(warehouse: WarehouseSim, method: str, what: str, body: Any = None) -> Any:
    url = f"{warehouse.url}/_sim/{what}"
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as reply:
        assert reply.status == 200
        return await reply.json()


def _order(number: int, sku: str = "CD-00001", quantity: str = "2", **changed: Any) -> Outgoing:
    key = f"shopify-us/{6123456789012340000 + number}"
    order = FulfillmentOrder(
        reference=f"{key}#1",
        order_key=key,
        order_number=f"#{number}",
        location="WH-EAST",
        ship_to=Address(name="Ada Byron", street="1 Main St", city="Louisville", postal_code="40202", country="US"),
        lines=(FulfillmentLine(line="15002233445566771", sku=sku, quantity=Quantity(Decimal(quantity))),),
    )
    return Outgoing(
        delivery_id=number,
        operation="fulfillment_order",
        reference=order.reference,
        idempotency_key="00000000-0000-4000-8000-000000000001",
        document=replace(order, **changed),
        known={},
    )


async def test_batch_is_made_once_and_a_bad_one_spoils_nothing(warehouse: WarehouseSim, sender: Any) -> None:
    batch = [_order(number) for number in range(1, 6)]
    batch[2] = _order(3, sku="NO-SUCH-SKU")
    batch[3] = _order(4, location="NOWHERE")
    for _ in range(2):
        outcomes = await sender.send("fulfillment_order", batch)
        assert [isinstance(outcome, Delivered) for outcome in outcomes] == [True, True, False, False, True]
    assert (outcomes[2].error.rule, outcomes[2].error.field) == ("unknown_sku", "lines[0].sku")
    assert isinstance(outcomes[3].error, NeedsEdit)
    assert (await _ask(warehouse, "GET", "counts"))["fulfillment_orders"] == 3
    found = await sender.find("fulfillment_order", batch)
    assert [one.reference if one else None for one in found] == [
        outcome.reference if isinstance(outcome, Delivered) else None for outcome in outcomes
    ]


async def test_same_reference_with_other_content_is_for_a_person(warehouse: WarehouseSim, sender: Any) -> None:
    await sender.send("fulfillment_order", [_order(1)])
    (outcome,) = await sender.send("fulfillment_order", [_order(1, quantity="3")])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert outcome.error.rule == "conflict"


@pytest.mark.parametrize("kind", ["error_after", "cut_after"])
async def test_batch_without_an_answer_is_found(warehouse: WarehouseSim, sender: Any, kind: Any) -> None:
    warehouse.faults.add(Fault(kind=kind, count=1))
    batch = [_order(1), _order(2)]
    outcomes = await sender.send("fulfillment_order", batch)
    assert all(isinstance(outcome, Failed) and isinstance(outcome.error, OutcomeUnknown) for outcome in outcomes)
    assert all(await sender.find("fulfillment_order", batch))
    again = await sender.send("fulfillment_order", batch)
    assert all(isinstance(outcome, Delivered) for outcome in again)
    assert (await _ask(warehouse, "GET", "counts"))["fulfillment_orders"] == 2


async def test_two_hundred_are_sent_and_found(warehouse: WarehouseSim, sender: Any) -> None:
    batch = [_order(number) for number in range(200)]
    outcomes = await sender.send("fulfillment_order", batch)
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert (await _ask(warehouse, "GET", "counts"))["requests"] == 1
    assert all(await sender.find("fulfillment_order", batch))


async def test_cancel(warehouse: WarehouseSim, sender: Any) -> None:
    order = _order(1)
    (made,) = await sender.send("fulfillment_order", [order])
    cancel = replace(
        order, operation="fulfillment_cancel", known={f"warehouse/fulfillment_order/{order.reference}": made.reference}
    )
    assert await sender.find("fulfillment_cancel", [cancel]) == [None]
    for item in (cancel, replace(cancel, known={})):
        (outcome,) = await sender.send("fulfillment_cancel", [item])
        assert isinstance(outcome, Delivered)
        assert outcome.reference == made.reference
    assert await sender.find("fulfillment_cancel", [cancel]) == [Delivered(reference=made.reference)]
    assert await sender.send("fulfillment_cancel", [_order(9)]) == [Delivered(reference="none")]


async def test_what_has_shipped_is_not_cancelled(warehouse: WarehouseSim, sender: Any) -> None:
    await _ask(warehouse, "POST", "opening", {})
    order = _order(1)
    await sender.send("fulfillment_order", [order])
    await _ask(warehouse, "POST", "ship", {})
    (outcome,) = await sender.send("fulfillment_cancel", [order])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert outcome.error.rule == "warehouse.cancel"


async def test_limits_and_credentials(warehouse: WarehouseSim, sender: Any, open_sender: Any) -> None:
    warehouse.faults.add(Fault(kind="throttled", count=1))
    (outcome,) = await sender.send("fulfillment_order", [_order(1)])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RetryLater)
    assert outcome.error.throttled
    assert outcome.error.after is not None
    (outcome,) = await _sender(warehouse, open_sender, "mistaken-token").send("fulfillment_order", [_order(1)])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsConfig)
    assert "mistaken-token" not in repr(outcome)


async def test_signed_events_are_received_and_translated(open_sender: Any, translate: Any) -> None:
    seen: asyncio.Queue[HookRequest] = asyncio.Queue()

    async def hook(request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        topic = request.path.rpartition("/")[2]
        body = await request.read()
        moment = datetime.now(UTC)
        await seen.put(HookRequest(system="warehouse", topic=topic, headers=headers, body=body, received_at=moment))
        return web.Response()

    runner = web.ServerRunner(web.Server(hook))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    topics = ("stock.movements", "shipment.confirmed")
    subscriptions = tuple(Subscription(topic=topic, url=f"{base}/{topic}") for topic in topics)
    connector = load_connector("warehouse_rest")
    assert connector.receiver is not None
    async with WarehouseSim(WarehouseConfig(subscriptions=subscriptions)) as warehouse:
        sender = _sender(warehouse, open_sender, warehouse.config.token)
        await _ask(warehouse, "POST", "opening", {})
        order = _order(1)
        await sender.send("fulfillment_order", [order])
        await _ask(warehouse, "POST", "ship", {})
        shipments = []
        while not shipments:
            request = await asyncio.wait_for(seen.get(), 10)
            connector.receiver.authenticate(request, [warehouse.config.secret])
            identified = connector.receiver.identify(request)
            assert not identified.problem
            entry = next(entry for entry in connector.manifest.receives if entry.topic == request.topic)
            context = {"system": "warehouse"}
            parts = translate(connector.mapping(entry.mapping), msgspec.json.decode(request.body), context)
            assert not parts.failures
            if request.topic == "shipment.confirmed":
                shipments.append((identified.key, parts.document))
    await runner.cleanup()
    ((key, shipment),) = shipments
    assert key == f"order/{order.document.order_key}"
    assert shipment.order_key == order.document.order_key
    assert shipment.fulfillment_reference == order.reference
    assert [(line.line, line.quantity.value) for package in shipment.packages for line in package.lines] == [
        ("15002233445566771", Decimal(2))
    ]
