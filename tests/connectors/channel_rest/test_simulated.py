# SPDX-License-Identifier: Apache-2.0
"""The sales channel connector against a simulated market that was written apart from it."""

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

from crossdock.canonical.fulfillment import FulfillmentLine, Package, Shipment
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.stock import StockLevel
from crossdock.errors import NeedsConfig, NeedsEdit, OutcomeUnknown, RetryLater
from crossdock.sandbox.emitting import Subscription
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.market import MarketConfig, MarketSim
from crossdock.sdk.connector import load_connector
from crossdock.sdk.receiving import HookRequest
from crossdock.sdk.sending import Delivered, Failed, Outgoing

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
async def market() -> AsyncIterator[MarketSim]:
    async with MarketSim(MarketConfig(), name="portal") as simulator:
        yield simulator


@pytest.fixture
def sender(market: MarketSim, open_sender: Any) -> Any:
    return _sender(market, open_sender, market.config.token)


def _sender(market: MarketSim, open_sender: Any, token: str, **names: dict[str, str]) -> Any:
    settings = {"url": market.url}
    return open_sender("channel_rest", name="portal", settings=settings, secrets={"token": token}, names=names)


async def _ask(market: MarketSim, method: str, what: str, body: Any = None) -> Any:
    url = f"{market.url}/_sim/{what}"
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body) as reply:
        assert reply.status == 200, await reply.text()
        return await reply.json()


def _outgoing(operation: str, reference: str, document: Any) -> Outgoing:
    return Outgoing(
        delivery_id=1,
        operation=operation,
        reference=reference,
        idempotency_key="00000000-0000-4000-8000-000000000001",
        document=document,
        known={},
    )


def _level(sku: str, quantity: str, sequence: int, location: str = "") -> Outgoing:
    level = StockLevel(sku=sku, location=location, on_hand=Decimal(quantity), sequence=sequence, as_of=NOON)
    return _outgoing("stock_levels", f"{sku}@{location}", level)


async def _shown(market: MarketSim) -> dict[str, tuple[int, int]]:
    rows = (await _ask(market, "GET", "availability"))["availability"]
    return {row["sku"]: (row["available"], row["sequence"]) for row in rows}


async def test_five_hundred_levels_are_told_in_one_call(market: MarketSim, open_sender: Any) -> None:
    sender = _sender(market, open_sender, market.config.token, sku={"OURS-1": "CD-00001"})
    batch = [_level("OURS-1", "7.5", 3), *[_level(f"CD-{n:05d}", str(n), n) for n in range(2, 201)]]
    batch += [_level(f"CD-{n:05d}", str(n), n + 1_000) for n in range(2, 201)] + [_level("CD-00200", "0", 9_000)]
    batch += [_level("CD-00200", "1", 9_001 + n) for n in range(100)]
    assert len(batch) == 500
    outcomes = await sender.send("stock_levels", batch)
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert (await _ask(market, "GET", "counts"))["requests"] == 1
    shown = await _shown(market)
    assert (shown["CD-00001"], shown["CD-00002"], shown["CD-00200"]) == ((7, 3), (2, 1_002), (1, 9_100))
    assert all(await sender.find("stock_levels", batch))


async def test_a_bad_level_spoils_nothing_and_an_old_one_counts_as_told(market: MarketSim, sender: Any) -> None:
    batch = [
        _level("CD-00001", "5", 2),
        _level("NO-SUCH", "5", 2),
        _level("CD-00002", "2000000000", 2),
        _level("CD-00001", "9", 1),
        _level("CD-00003", "4", 2, location="WH-EAST"),
        _level("CD-00003", "-4", 3),
    ]
    outcomes = await sender.send("stock_levels", batch)
    assert [isinstance(outcome, Delivered) for outcome in outcomes] == [True, False, False, True, False, True]
    assert outcomes[3].reference == "sequence 2"
    assert [(outcomes[place].error.rule, outcomes[place].error.field) for place in (1, 2, 4)] == [
        ("unknown_sku", "sku"),
        ("out_of_range", "available"),
        ("channel_rest.location", "location"),
    ]
    assert all(isinstance(outcomes[place].error, NeedsEdit) for place in (1, 2, 4))
    assert await _shown(market) == {"CD-00001": (5, 2), "CD-00003": (0, 3)}
    found = await sender.find("stock_levels", batch)
    assert [one is not None for one in found] == [True, False, False, True, False, True]


@pytest.mark.parametrize("kind", ["error_after", "cut_after"])
async def test_levels_without_an_answer_are_found(market: MarketSim, sender: Any, kind: Any) -> None:
    market.faults.add(Fault(kind=kind, count=1))
    batch = [_level("CD-00001", "5", 2), _level("CD-00002", "6", 2)]
    outcomes = await sender.send("stock_levels", batch)
    assert all(isinstance(outcome, Failed) and isinstance(outcome.error, OutcomeUnknown) for outcome in outcomes)
    assert await sender.find("stock_levels", batch) == [Delivered(reference="sequence 2")] * 2
    assert all(isinstance(outcome, Delivered) for outcome in await sender.send("stock_levels", batch))
    assert (await _ask(market, "GET", "counts"))["counters"]["availability.set"] == 2


async def _ordered(market: MarketSim) -> Any:
    """An order of one line of several units, placed on the channel."""
    await _ask(market, "POST", "sell", {"count": 1, "skus": ["CD-00001"], "most": 5, "seed": 2})
    await market.runs.finished()
    return (await _ask(market, "GET", "orders"))["orders"][-1]


def _shipment(order: Any, quantity: str, shipment_id: str = "shp_1", **changed: Any) -> Outgoing:
    key = f"portal/{order['id']}"
    line = FulfillmentLine(line="1", sku="CD-00001", quantity=Quantity(Decimal(quantity)))
    given = {
        "shipment_id": shipment_id,
        "order_key": key,
        "fulfillment_reference": f"{key}#1",
        "carrier": "UPS",
        "shipped_at": NOON,
        "packages": (Package(tracking_number="1Z1", lines=(line,)),),
        **changed,
    }
    return _outgoing("fulfillment", f"{key}#1/{shipment_id}", Shipment(**given))


async def _sold(market: MarketSim, sender: Any) -> Any:
    await sender.send("stock_levels", [_level("CD-00001", "100", 1)])
    return await _ordered(market)


async def test_a_shipment_is_filed_once_and_found_by_its_reference(market: MarketSim, sender: Any) -> None:
    order = await _sold(market, sender)
    first, rest = _shipment(order, "2"), _shipment(order, "3", "shp_2")
    assert await sender.find("fulfillment", [first]) == [None]
    for _ in range(2):
        outcomes = await sender.send("fulfillment", [first, rest])
        assert [outcome.reference for outcome in outcomes] == ["csh_00000001", "csh_00000002"]
    found = await sender.find("fulfillment", [rest, first])
    assert found == [Delivered(reference="csh_00000002"), Delivered(reference="csh_00000001")]
    filed = (await _ask(market, "GET", "shipments"))["shipments"]
    assert [row["lines"] for row in filed] == [[{"line": 1, "quantity": "2"}], [{"line": 1, "quantity": "3"}]]
    assert [row["carrier"] for row in filed] == ["UPS", "UPS"]


@pytest.mark.parametrize("kind", ["error_after", "cut_after"])
async def test_a_shipment_without_an_answer_is_found(market: MarketSim, sender: Any, kind: Any) -> None:
    order = await _sold(market, sender)
    market.faults.add(Fault(kind=kind, count=1))
    (outcome,) = await sender.send("fulfillment", [_shipment(order, "2")])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, OutcomeUnknown)
    assert await sender.find("fulfillment", [_shipment(order, "2")]) == [Delivered(reference="csh_00000001")]
    (outcome,) = await sender.send("fulfillment", [_shipment(order, "2")])
    assert isinstance(outcome, Delivered)
    assert (await _ask(market, "GET", "counts"))["shipments"] == 1


async def test_what_the_channel_refuses_is_for_a_person(market: MarketSim, sender: Any) -> None:
    order = await _sold(market, sender)
    await sender.send("fulfillment", [_shipment(order, "2")])
    batch = [
        _shipment(order, "3"),
        _shipment(order, "4", "shp_2"),
        _shipment({"id": "ord_none"}, "1"),
        _shipment(order, "1", "shp_3", packages=(Package(tracking_number="1Z9"),)),
    ]
    outcomes = await sender.send("fulfillment", batch)
    assert all(isinstance(outcome, Failed) and isinstance(outcome.error, NeedsEdit) for outcome in outcomes)
    assert [outcome.error.rule for outcome in outcomes[:3]] == ["conflict", "over_shipped", "HTTP 404"]
    assert outcomes[1].error.field == "lines[0].quantity"
    assert "packages" in outcomes[3].error.field
    assert all(outcome.error.fix for outcome in outcomes)
    assert await sender.find("fulfillment", [batch[2]]) == [None]
    await _ask(market, "POST", "cancel", {"orders": [order["id"]]})
    (outcome,) = await sender.send("fulfillment", [_shipment(order, "1", "shp_4")])
    assert outcome.error.rule == "order_cancelled"


async def test_limits_and_credentials(market: MarketSim, sender: Any, open_sender: Any) -> None:
    market.faults.add(Fault(kind="throttled", count=1))
    (outcome,) = await sender.send("stock_levels", [_level("CD-00001", "5", 2)])
    assert isinstance(outcome.error, RetryLater)
    assert outcome.error.throttled
    assert outcome.error.after is not None
    mistaken = _sender(market, open_sender, "mistaken-token")
    (outcome,) = await mistaken.send("stock_levels", [_level("CD-00001", "5", 2)])
    assert isinstance(outcome.error, NeedsConfig)
    assert "mistaken-token" not in repr(outcome)


async def test_signed_orders_are_received_and_translated(open_sender: Any, translate: Any) -> None:
    seen: asyncio.Queue[HookRequest] = asyncio.Queue()

    async def hook(request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        topic, body = request.path.rpartition("/")[2], await request.read()
        moment = datetime.now(UTC)
        await seen.put(HookRequest(system="portal", topic=topic, headers=headers, body=body, received_at=moment))
        return web.Response()

    runner = web.ServerRunner(web.Server(hook))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    subscriptions = tuple(
        Subscription(topic=topic, url=f"{base}/{topic}") for topic in ("order.placed", "order.cancelled")
    )
    connector = load_connector("channel_rest")
    assert connector.receiver is not None
    documents: dict[str, Any] = {}
    async with MarketSim(MarketConfig(subscriptions=subscriptions)) as market:
        order = await _sold(market, _sender(market, open_sender, market.config.token))
        await _ask(market, "POST", "cancel", {"orders": [order["id"]]})
        while len(documents) < 2:
            request = await asyncio.wait_for(seen.get(), 10)
            connector.receiver.authenticate(request, [market.config.secret])
            identified = connector.receiver.identify(request)
            assert (identified.problem, identified.key) == ("", f"order/portal/{order['id']}")
            entry = next(entry for entry in connector.manifest.receives if entry.topic == request.topic)
            context = {"system": "portal", "channel": "portal"}
            parts = translate(connector.mapping(entry.mapping), msgspec.json.decode(request.body), context)
            assert not parts.failures
            assert parts.document.version == identified.version
            documents[request.topic] = parts.document
    await runner.cleanup()
    placed, cancelled = documents["order.placed"], documents["order.cancelled"]
    assert (placed.status, cancelled.status) == ("open", "cancelled")
    assert cancelled.version > placed.version
    assert placed.order_key == f"portal/{order['id']}"
    assert placed.total.amount == sum(
        [line.total.amount for line in placed.lines] + [charge.amount.amount for charge in placed.charges],
        placed.tax.amount,
    )
