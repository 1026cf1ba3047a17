# SPDX-License-Identifier: Apache-2.0
"""The rules of docs/reference/channel-rest.md, one test each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.emitting import Subscription
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.market import MarketConfig, MarketSim
from tests.sandbox.inbox import Inbox
from tests.sandbox.market.trading import AUTH, TOPICS, call, control, item, put, sell, verify


@pytest_asyncio.fixture
async def market(inbox: Inbox) -> AsyncIterator[MarketSim]:
    subscriptions = tuple(Subscription(topic, f"{inbox.url}/hooks/market/{topic}") for topic in TOPICS)
    config = MarketConfig(subscriptions=subscriptions, time_scale=0.002, rate=1_000, burst=1_000)
    async with MarketSim(config) as simulator:
        yield simulator


async def ordered(http: aiohttp.ClientSession, sim: MarketSim, **changed: Any) -> dict[str, Any]:
    """An order of one SKU, and its path."""
    await put(http, sim, item(available=1_000))
    await sell(http, sim, **{"count": 1, "skus": ["CD-00001"], "most": 5, "seed": 3, **changed})
    order: dict[str, Any] = (await control(http, sim, "orders"))["orders"][-1]
    return order


async def test_newest_number_is_shown_and_others_are_stale(http: aiohttp.ClientSession, market: MarketSim) -> None:
    results = await put(http, market, item(sequence=5), item("CD-00002", available=0))
    assert results[0] == {"sku": "CD-00001", "status": 200, "result": "set", "sequence": 5, "errors": []}
    results = await put(
        http, market, item(available=7, sequence=5), item("CD-00002", 9, 2), item(available=8, sequence=4)
    )
    assert [(row["status"], row["result"], row["sequence"]) for row in results] == [
        (200, "stale", 5),
        (200, "set", 2),
        (200, "stale", 5),
    ]
    _, shown = await call(http, market, "GET", "/availability", params={"sku": "CD-00001,CD-00002"})
    assert [(row["available"], row["told"], row["sequence"]) for row in shown["availability"]] == [
        (30, 30, 5),
        (9, 9, 2),
    ]


async def test_items_of_one_sku_in_one_call_are_taken_in_order(http: aiohttp.ClientSession, market: MarketSim) -> None:
    results = await put(http, market, item(available=1, sequence=2), item(available=2, sequence=3), item(sequence=1))
    assert [row["result"] for row in results] == ["set", "set", "stale"]
    _, shown = await call(http, market, "GET", "/availability?sku=CD-00001")
    assert shown["availability"][0]["available"] == 2


@pytest.mark.parametrize(
    ("sent", "status", "field", "code"),
    [
        (item("NO-SUCH"), 404, "sku", "unknown_sku"),
        (item(""), 422, "sku", "required"),
        (item("x" * 65), 422, "sku", "too_long"),
        (item(available=-1), 422, "available", "out_of_range"),
        (item(available=1_000_000_001), 422, "available", "out_of_range"),
        (item(available=1.5), 422, "available", "wrong_type"),
        (item(available="3"), 422, "available", "wrong_type"),
        (item(available=True), 422, "available", "wrong_type"),
        (item(available=None), 422, "available", "required"),
        (item(sequence=-1), 422, "sequence", "out_of_range"),
        (item(sequence=2**63), 422, "sequence", "out_of_range"),
        (item(as_of="2026-11-23T12:00:00"), 422, "as_of", "bad_time"),
        (item(as_of="2026-11-23"), 422, "as_of", "bad_time"),
        (item(as_of=12), 422, "as_of", "wrong_type"),
        (item(location="DC-EAST"), 422, "location", "unknown_field"),
        ("text", 422, "", "wrong_type"),
    ],
)
async def test_a_bad_item_is_named_and_its_neighbour_is_set(
    http: aiohttp.ClientSession, market: MarketSim, sent: Any, status: int, field: str, code: str
) -> None:
    bad, good = await put(http, market, sent, item("CD-00002"))
    assert (bad["status"], bad["result"], bad["sequence"]) == (status, "refused", None)
    assert [(entry["field"], entry["code"]) for entry in bad["errors"]] == [(field, code)]
    assert (good["status"], good["result"]) == (200, "set")


async def test_whole_requests_that_are_refused(http: aiohttp.ClientSession, market: MarketSim) -> None:
    bodies = [(b"{", 400), (b"[]", 400), (b'{"items": {}}', 400), (b'{"items": []}', 400), (b"\xff", 400)]
    bodies.append((json.dumps({"items": [item()] * 501}).encode(), 413))
    bodies.append((b" " * 1_000_001, 413))
    for body, status in bodies:
        found, told = await call(http, market, "PUT", "/availability", data=body)
        assert (found, told["status"]) == (status, status)
    async with http.put(f"{market.url}/api/v1/availability", headers={"Authorization": "Bearer wrong"}) as answer:
        assert answer.status == 401
    assert (await call(http, market, "DELETE", "/availability"))[0] == 405
    assert (await call(http, market, "GET", "/nothing"))[0] == 404
    results = await put(http, market, *[item(sequence=number) for number in range(500)])
    assert [row["result"] for row in results] == ["set"] * 500


async def test_what_is_shown_is_paged(http: aiohttp.ClientSession, market: MarketSim) -> None:
    await put(http, market, item("CD-00003", 4, 9))
    _, page = await call(http, market, "GET", "/availability?limit=150")
    assert (len(page["availability"]), page["next_offset"]) == (150, 150)
    assert page["availability"][0] == {
        "sku": "CD-00001",
        "available": 0,
        "told": None,
        "sequence": None,
        "as_of": None,
        "told_at": None,
    }
    assert (page["availability"][2]["available"], page["availability"][2]["as_of"]) == (4, "2026-11-23T12:00:00Z")
    _, rest = await call(http, market, "GET", "/availability?offset=150&limit=150")
    assert (len(rest["availability"]), rest["next_offset"]) == (50, None)
    _, few = await call(http, market, "GET", "/availability?sku=CD-00003,NO-SUCH")
    assert [row["sku"] for row in few["availability"]] == ["CD-00003"]
    many = ",".join(f"S{number}" for number in range(201))
    for query in ("limit=1001", "limit=0", "offset=-1", "limit=x", "sku=", f"sku={many}"):
        assert (await call(http, market, "GET", f"/availability?{query}"))[0] == 400


async def test_over_the_rate_limit_nothing_is_done(http: aiohttp.ClientSession) -> None:
    async with MarketSim(MarketConfig(rate=0.01, burst=1)) as sim:
        await put(http, sim, item())
        async with http.put(
            f"{sim.url}/api/v1/availability", json={"items": [item(sequence=2)]}, headers=AUTH
        ) as answer:
            assert answer.status == 429
            assert 90 <= int(answer.headers["Retry-After"]) <= 100
        assert (await control(http, sim, "availability"))["availability"][0]["sequence"] == 1


def shipment(order: dict[str, Any], quantity: str | None = None, **changed: Any) -> dict[str, Any]:
    line = order["lines"][0]
    return {
        "reference": "FO-1/shp_1",
        "carrier": "UPS",
        "tracking_numbers": ["1Z1", "1Z2"],
        "lines": [{"line": line["line"], "quantity": quantity or line["quantity"]}],
        "shipped_at": "2026-11-23T12:00:00Z",
        **changed,
    }


async def test_a_shipment_is_filed_once(http: aiohttp.ClientSession, market: MarketSim) -> None:
    order = await ordered(http, market)
    path = f"/orders/{order['id']}/shipments"
    status, filed = await call(http, market, "POST", path, json=shipment(order))
    assert (status, filed["reference"], filed["carrier"]) == (201, "FO-1/shp_1", "UPS")
    same = shipment(
        order,
        quantity=f"{order['lines'][0]['quantity']}.0",
        tracking_numbers=["1Z2", "1Z1"],
        shipped_at="2026-11-23T13:00:00+01:00",
    )
    assert await call(http, market, "POST", path, json=same) == (200, filed)
    for other in ({"carrier": "DHL"}, {"tracking_numbers": []}, {"shipped_at": "2026-11-23T12:00:01Z"}):
        status, told = await call(http, market, "POST", path, json=shipment(order, **other))
        assert (status, told["errors"][0]["code"]) == (409, "conflict")
    assert await call(http, market, "GET", path) == (200, {"order": order["id"], "shipments": [filed]})
    for method in ("GET", "POST"):
        assert (await call(http, market, method, "/orders/ord_none/shipments", json=shipment(order)))[0] == 404
    counters = (await control(http, market, "counts"))["counters"]
    assert (counters["shipments"], counters["shipments.again"], counters["shipments.conflicts"]) == (1, 1, 3)


async def test_a_line_ships_in_parts_and_never_more_than_was_ordered(
    http: aiohttp.ClientSession, market: MarketSim
) -> None:
    order = await ordered(http, market, seed=2)
    units = int(order["lines"][0]["quantity"])
    assert units > 1
    path = f"/orders/{order['id']}/shipments"
    assert (await call(http, market, "POST", path, json=shipment(order, "1")))[0] == 201
    over = shipment(order, str(units), reference="B")
    status, told = await call(http, market, "POST", path, json=over)
    assert (status, told["errors"][0]["field"], told["errors"][0]["code"]) == (422, "lines[0].quantity", "over_shipped")
    rest = shipment(order, str(units - 1), reference="B")
    assert (await call(http, market, "POST", path, json=rest))[0] == 201
    shipped = (await control(http, market, "shipments"))["shipments"]
    assert sum(Decimal(row["lines"][0]["quantity"]) for row in shipped) == units


@pytest.mark.parametrize(
    ("changed", "field", "code"),
    [
        ({"reference": None}, "reference", "required"),
        ({"reference": "x" * 513}, "reference", "too_long"),
        ({"carrier": "x" * 101}, "carrier", "too_long"),
        ({"tracking_numbers": "1Z"}, "tracking_numbers", "wrong_type"),
        ({"tracking_numbers": ["1Z", "1Z"]}, "tracking_numbers[1]", "duplicate_number"),
        ({"tracking_numbers": [str(number) for number in range(101)]}, "tracking_numbers", "too_many"),
        ({"lines": None}, "lines", "required"),
        ({"lines": []}, "lines", "no_lines"),
        ({"lines": [{"line": 1, "quantity": "1"}] * 2}, "lines[1].line", "duplicate_line"),
        ({"lines": [{"line": 1, "quantity": "1"}] * 1001}, "lines", "too_many"),
        ({"lines": [{"line": 99, "quantity": "1"}]}, "lines[0].line", "unknown_line"),
        ({"lines": [{"line": "1", "quantity": "1"}]}, "lines[0].line", "wrong_type"),
        ({"lines": [{"line": 1, "quantity": 1}]}, "lines[0].quantity", "wrong_type"),
        ({"lines": [{"line": 1, "quantity": "0"}]}, "lines[0].quantity", "bad_quantity"),
        ({"lines": [{"line": 1, "quantity": "NaN"}]}, "lines[0].quantity", "bad_quantity"),
        ({"lines": [{"line": 1, "quantity": "1", "sku": "A"}]}, "lines[0].sku", "unknown_field"),
        ({"shipped_at": "yesterday"}, "shipped_at", "bad_time"),
        ({"color": "red"}, "color", "unknown_field"),
    ],
)
async def test_a_bad_shipment_is_refused_and_the_field_named(
    http: aiohttp.ClientSession, market: MarketSim, changed: dict[str, Any], field: str, code: str
) -> None:
    order = await ordered(http, market)
    path = f"/orders/{order['id']}/shipments"
    status, told = await call(http, market, "POST", path, json=shipment(order, **changed))
    assert (status, [(entry["field"], entry["code"]) for entry in told["errors"]]) == (422, [(field, code)])
    assert (await call(http, market, "POST", path, data=b"{"))[0] == 400
    assert (await call(http, market, "GET", path))[1]["shipments"] == []


async def test_a_cancelled_order_ships_no_more(http: aiohttp.ClientSession, market: MarketSim) -> None:
    order = await ordered(http, market, seed=2)
    path = f"/orders/{order['id']}/shipments"
    assert (await call(http, market, "POST", path, json=shipment(order, "1")))[0] == 201
    await control(http, market, "cancel", orders=[order["id"]])
    status, told = await call(http, market, "POST", path, json=shipment(order, "1", reference="B"))
    assert (status, told["errors"][0]["code"]) == (422, "order_cancelled")
    assert (await call(http, market, "POST", path, json=shipment(order, "1")))[0] == 200


async def test_orders_are_told_whole_and_signed(http: aiohttp.ClientSession, market: MarketSim, inbox: Inbox) -> None:
    await put(http, market, *[item(f"CD-{number:05d}", 1_000) for number in range(1, 21)])
    run = await sell(http, market, count=30, skus=20, seed=11)
    assert (run["state"], run["made"]) == ("done", 30)
    bodies = [verify(got) for got in await inbox.wait(30)]
    assert len({body["data"]["order"]["id"] for body in bodies}) == 30
    for body in bodies:
        order = body["data"]["order"]
        assert (body["type"], order["status"], order["reservation"]) == ("order.placed", "open", None)
        assert [line["line"] for line in order["lines"]] == [*range(1, len(order["lines"]) + 1)]
        assert len({line["sku"] for line in order["lines"]}) == len(order["lines"])
        for line in order["lines"]:
            assert Decimal(line["total"]) == Decimal(line["quantity"]) * Decimal(line["unit_price"])
        whole = sum(Decimal(line["total"]) for line in order["lines"])
        assert Decimal(order["total"]) == whole + Decimal(order["shipping"]) + Decimal(order["tax"])
        assert order["number"].startswith("MARKET-")


async def test_a_cancellation_is_the_order_again_with_a_later_time(
    http: aiohttp.ClientSession, market: MarketSim, inbox: Inbox
) -> None:
    order = await ordered(http, market)
    for _ in range(2):
        (cancelled,) = (await control(http, market, "cancel", orders=[order["id"]]))["orders"]
    bodies = {body["type"]: body["data"]["order"] for body in map(verify, await inbox.wait(2))}
    assert bodies["order.cancelled"] == {**order, "status": "cancelled", "updated_at": cancelled["updated_at"]}
    assert bodies["order.cancelled"]["updated_at"] > bodies["order.placed"]["updated_at"]
    assert (await control(http, market, "counts"))["events"]["deliveries"] == 2


async def test_events_are_retried_under_the_same_id(
    http: aiohttp.ClientSession, market: MarketSim, inbox: Inbox
) -> None:
    inbox.status = lambda number: 500 if number < 3 else 200
    await ordered(http, market)
    assert len({verify(got)["id"] for got in await inbox.wait(3)}) == 1


async def test_duplicates_and_a_forged_signature(http: aiohttp.ClientSession, market: MarketSim, inbox: Inbox) -> None:
    market.faults.add(Fault(kind="duplicates", count=1))
    order = await ordered(http, market)
    first, second = await inbox.wait(2)
    assert first.body == second.body
    market.faults.add(Fault(kind="bad_signature", count=1))
    await control(http, market, "cancel", orders=[order["id"]])
    with pytest.raises(AssertionError):
        verify((await inbox.wait(3))[2])
