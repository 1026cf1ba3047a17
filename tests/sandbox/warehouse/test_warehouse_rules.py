# SPDX-License-Identifier: Apache-2.0
"""The rules of docs/reference/warehouse-rest.md, one test each."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from crossdock.sandbox.emitting import Subscription
from crossdock.sandbox.warehouse import WarehouseConfig, WarehouseSim
from tests.sandbox import inbox
from tests.sandbox.inbox import Got, Inbox

AUTH = {"Authorization": "Bearer warehouse-token"}
SECRET = "whsec_Y3Jvc3Nkb2NrLXNhbmRib3gtd2FyZWhvdXNlLXNlY3JldA=="
TOPICS = ("stock.movements", "stock.counted", "shipment.confirmed", "fulfillment_order.rejected")


def order(reference: str = "FO-1", quantity: str = "3", sku: str = "CD-00001") -> dict[str, Any]:
    return {
        "reference": reference,
        "order_reference": "#1001",
        "location": "DC-EAST",
        "requested_service": "standard",
        "ship_to": {"name": "Ada", "address1": "1 Main St", "city": "Reno", "postal_code": "89501", "country": "US"},
        "lines": [{"line": 1, "sku": sku, "quantity": quantity, "unit": "EA"}],
    }


@pytest_asyncio.fixture
async def warehouse(inbox: Inbox) -> AsyncIterator[WarehouseSim]:
    subscriptions = tuple(Subscription(topic, f"{inbox.url}/hooks/wms/{topic}") for topic in TOPICS)
    async with WarehouseSim(WarehouseConfig(subscriptions=subscriptions, time_scale=0.01)) as simulator:
        yield simulator


async def send(http: aiohttp.ClientSession, sim: WarehouseSim, *orders: Any) -> list[dict[str, Any]]:
    url = f"{sim.url}/api/v1/fulfillment-orders:batch"
    async with http.post(url, json={"fulfillment_orders": orders}, headers=AUTH) as answer:
        assert answer.status == 207
        results: list[dict[str, Any]] = (await answer.json())["results"]
        return results


async def control(http: aiohttp.ClientSession, sim: WarehouseSim, tail: str, **body: Any) -> Any:
    async with http.request("POST" if body else "GET", f"{sim.url}/_sim/{tail}", json=body or None) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


def verify(got: Got) -> dict[str, Any]:
    """Check the warehouse's signature and return the body."""
    return inbox.verify(got, SECRET)


async def test_created_then_there_then_conflict(http: aiohttp.ClientSession, warehouse: WarehouseSim) -> None:
    first = await send(http, warehouse, order(), order("FO-2"))
    assert [entry["status"] for entry in first] == [201, 201]
    again = await send(http, warehouse, order(quantity="3.0"), order("FO-2", quantity="4"))
    assert [entry["status"] for entry in again] == [200, 409]
    assert again[0]["id"] == first[0]["id"]
    assert again[1]["errors"][0]["code"] == "conflict"
    counts = await control(http, warehouse, "counts")
    assert counts["fulfillment_orders"] == 2
    assert counts["counters"]["created"] == 2


def changed(**values: Any) -> dict[str, Any]:
    return {**order(), **values}


def with_line(**values: Any) -> dict[str, Any]:
    made = copy.deepcopy(order())
    made["lines"][0].update(values)
    return made


@pytest.mark.parametrize(
    ("sent", "field", "code"),
    [
        (changed(reference=""), "reference", "required"),
        (changed(reference="x" * 65), "reference", "too_long"),
        (changed(location="MOON"), "location", "unknown_location"),
        (changed(requested_service="teleport"), "requested_service", "bad_service"),
        (changed(ship_to=None), "ship_to", "required"),
        (changed(ship_to={**order()["ship_to"], "country": "usa"}), "ship_to.country", "bad_country"),
        (changed(ship_to={**order()["ship_to"], "city": None}), "ship_to.city", "required"),
        (changed(lines=[]), "lines", "no_lines"),
        (changed(lines=order()["lines"] * 1001), "lines", "too_many_lines"),
        (changed(lines=order()["lines"] * 2), "lines[1].line", "duplicate_line"),
        (changed(color="red"), "color", "unknown_field"),
        (with_line(sku="NO-SUCH"), "lines[0].sku", "unknown_sku"),
        (with_line(quantity="NaN"), "lines[0].quantity", "bad_quantity"),
        (with_line(quantity="-1"), "lines[0].quantity", "bad_quantity"),
        (with_line(quantity=3), "lines[0].quantity", "wrong_type"),
        (with_line(unit="CS"), "lines[0].unit", "bad_unit"),
        (with_line(line=0), "lines[0].line", "wrong_type"),
        ("text", "", "wrong_type"),
    ],
)
async def test_a_bad_field_is_named_and_the_good_neighbour_is_taken(
    http: aiohttp.ClientSession, warehouse: WarehouseSim, sent: Any, field: str, code: str
) -> None:
    bad, good = await send(http, warehouse, sent, order("FO-GOOD"))
    assert (bad["status"], bad["id"], good["status"]) == (422, None, 201)
    assert (field, code) in [(entry["field"], entry["code"]) for entry in bad["errors"]]


async def test_whole_requests_that_are_refused(http: aiohttp.ClientSession, warehouse: WarehouseSim) -> None:
    url = f"{warehouse.url}/api/v1/fulfillment-orders:batch"
    bodies = [(b"{", 400), (b"[]", 400), (b'{"fulfillment_orders": {}}', 400), (b"\xff", 400)]
    bodies.append((json.dumps({"fulfillment_orders": [{}] * 201}).encode(), 413))
    for body, status in bodies:
        async with http.post(url, data=body, headers=AUTH) as answer:
            assert (answer.status, (await answer.json(content_type=None))["status"]) == (status, status)
    async with http.post(url, json={}, headers={"Authorization": "Bearer wrong"}) as answer:
        assert answer.status == 401


async def test_look_up_by_references(http: aiohttp.ClientSession, warehouse: WarehouseSim) -> None:
    await send(http, warehouse, order("A/1"), order("B"))
    url = f"{warehouse.url}/api/v1/fulfillment-orders"
    async with http.get(url, params={"reference": "A/1,missing,B"}, headers=AUTH) as answer:
        found = (await answer.json())["fulfillment_orders"]
    assert [entry["reference"] for entry in found] == ["A/1", "B"]
    assert found[0]["lines"] == [{"line": 1, "sku": "CD-00001", "quantity": "3", "unit": "EA", "quantity_shipped": "0"}]
    async with http.get(url, headers=AUTH) as answer:
        assert answer.status == 400
    async with http.get(f"{url}/{found[1]['id']}", headers=AUTH) as answer:
        assert (await answer.json())["reference"] == "B"
    async with http.get(f"{url}/wfo_nothing", headers=AUTH) as answer:
        assert answer.status == 404


async def test_cancel_until_shipped(http: aiohttp.ClientSession, warehouse: WarehouseSim) -> None:
    one, two = await send(http, warehouse, order("A"), order("B"))
    url = f"{warehouse.url}/api/v1/fulfillment-orders"
    for _ in range(2):
        async with http.post(f"{url}/{one['id']}/cancel", headers=AUTH) as answer:
            assert (answer.status, (await answer.json())["status"]) == (200, "cancelled")
    await control(http, warehouse, "ship", max=10)
    async with http.post(f"{url}/{two['id']}/cancel", headers=AUTH) as answer:
        assert answer.status == 409
    assert [entry["status"] for entry in await send(http, warehouse, order("A"))] == [409]


async def test_over_the_rate_limit_nothing_is_done(http: aiohttp.ClientSession) -> None:
    async with WarehouseSim(WarehouseConfig(rate=0.001, burst=1)) as sim:
        await send(http, sim, order())
        url = f"{sim.url}/api/v1/fulfillment-orders:batch"
        async with http.post(url, json={"fulfillment_orders": [order("B")]}, headers=AUTH) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
        assert (await control(http, sim, "counts"))["fulfillment_orders"] == 1


async def test_shipping_tells_picks_ships_and_the_confirmation(
    http: aiohttp.ClientSession, warehouse: WarehouseSim, inbox: Inbox
) -> None:
    before = {
        (row["sku"], row["location"]): row["on_hand"] for row in (await control(http, warehouse, "stock"))["stock"]
    }
    await send(http, warehouse, order(quantity="3"))
    assert await control(http, warehouse, "ship", max=10) == {"shipped": 1, "partially_shipped": 0, "rejected": 0}
    bodies = [verify(got) for got in await inbox.wait(3)]
    movements = [entry for body in bodies if body["type"] == "stock.movements" for entry in body["data"]["movements"]]
    assert sorted((entry["type"], entry["quantity"], entry["reference"]) for entry in movements) == [
        ("pick", "-3", "FO-1"),
        ("ship", "-3", "FO-1"),
    ]
    (shipment,) = [body["data"]["shipment"] for body in bodies if body["type"] == "shipment.confirmed"]
    assert (shipment["fulfillment_order_reference"], shipment["final"]) == ("FO-1", True)
    assert shipment["packages"][0]["lines"] == [{"line": 1, "sku": "CD-00001", "quantity": "3", "unit": "EA"}]
    assert len(shipment["packages"][0]["sscc"]) == 18
    after = {
        (row["sku"], row["location"]): row["on_hand"] for row in (await control(http, warehouse, "stock"))["stock"]
    }
    key = ("CD-00001", "DC-EAST")
    assert Decimal(after.pop(key)) == Decimal(before.pop(key)) - 3
    assert after == before


async def test_a_partial_shipment_is_followed_by_the_final_one(
    http: aiohttp.ClientSession, warehouse: WarehouseSim
) -> None:
    await send(http, warehouse, order(quantity="5"))
    assert (await control(http, warehouse, "ship", partial=1.0))["partially_shipped"] == 1
    assert (await control(http, warehouse, "ship", partial=0.0))["shipped"] == 1
    shipments = (await control(http, warehouse, "shipments"))["shipments"]
    assert [entry["final"] for entry in shipments] == [False, True]
    total = sum(Decimal(line["quantity"]) for s in shipments for package in s["packages"] for line in package["lines"])
    assert total == 5


async def test_rejection_is_told(http: aiohttp.ClientSession, warehouse: WarehouseSim, inbox: Inbox) -> None:
    await send(http, warehouse, order())
    assert (await control(http, warehouse, "ship", reject=1.0))["rejected"] == 1
    (got,) = await inbox.wait(1)
    body = verify(got)
    assert (body["type"], body["data"]["reference"], body["data"]["reason"]) == (
        "fulfillment_order.rejected",
        "FO-1",
        "no_stock",
    )


async def test_movements_add_up_to_the_stock(
    http: aiohttp.ClientSession, warehouse: WarehouseSim, inbox: Inbox
) -> None:
    opening = {
        (row["sku"], row["location"]): Decimal(row["on_hand"])
        for row in (await control(http, warehouse, "stock"))["stock"]
    }
    await control(http, warehouse, "movements", count=300, skus=20, seed=5, batch=100)
    bodies = [verify(got) for got in await inbox.wait(3)]
    movements = [entry for body in bodies for entry in body["data"]["movements"]]
    assert len(movements) == 300
    assert len({entry["id"] for entry in movements}) == 300
    for entry in movements:
        opening[entry["sku"], entry["location"]] += Decimal(entry["quantity"])
    stock = (await control(http, warehouse, "stock"))["stock"]
    assert {(row["sku"], row["location"]): Decimal(row["on_hand"]) for row in stock} == opening
    assert min(opening.values()) >= 0


async def test_a_count_tells_what_is_there(http: aiohttp.ClientSession, warehouse: WarehouseSim, inbox: Inbox) -> None:
    there = {
        row["sku"]: row for row in (await control(http, warehouse, "stock"))["stock"] if row["location"] == "DC-EAST"
    }
    sku, other = list(there)[:2]
    told = await control(http, warehouse, "count", location="DC-EAST", skus=[sku, other], found={sku: 3})
    (got,) = await inbox.wait(1)
    count = verify(got)["data"]["count"]
    assert count == told
    assert (count["id"], count["location"], count["complete"]) == ("cnt_00000001", "DC-EAST", False)
    assert [(entry["sku"], Decimal(entry["quantity"])) for entry in count["entries"]] == [
        (sku, Decimal(there[sku]["on_hand"]) + 3),
        (other, Decimal(there[other]["on_hand"])),
    ]


async def test_events_are_retried_under_the_same_id(http: aiohttp.ClientSession, inbox: Inbox) -> None:
    inbox.status = lambda number: 500 if number < 3 else 200
    subscriptions = (Subscription("fulfillment_order.rejected", f"{inbox.url}/r"),)
    async with WarehouseSim(WarehouseConfig(subscriptions=subscriptions, time_scale=0.002)) as sim:
        await send(http, sim, order())
        await control(http, sim, "ship", reject=1.0)
        got = await inbox.wait(3)
        assert len({verify(entry)["id"] for entry in got}) == 1


async def test_duplicates_and_a_forged_signature(
    http: aiohttp.ClientSession, warehouse: WarehouseSim, inbox: Inbox
) -> None:
    await control(http, warehouse, "faults", kind="duplicates", count=1)
    await control(http, warehouse, "movements", count=1)
    first, second = await inbox.wait(2)
    assert first.body == second.body
    await control(http, warehouse, "faults", kind="bad_signature", count=1)
    await control(http, warehouse, "movements", count=1)
    with pytest.raises(AssertionError):
        verify((await inbox.wait(3))[2])


async def test_auto_ship(http: aiohttp.ClientSession, inbox: Inbox) -> None:
    subscriptions = (Subscription("shipment.confirmed", f"{inbox.url}/s"),)
    async with WarehouseSim(WarehouseConfig(subscriptions=subscriptions, auto_ship=0.05)) as sim:
        await send(http, sim, order("A"), order("B"))
        assert {verify(got)["data"]["shipment"]["order_reference"] for got in await inbox.wait(2)} == {"#1001"}


async def test_stock_is_paged_and_filtered(http: aiohttp.ClientSession, warehouse: WarehouseSim) -> None:
    url = f"{warehouse.url}/api/v1/stock"
    async with http.get(url, params={"location": "DC-EAST", "limit": "150"}, headers=AUTH) as answer:
        page = await answer.json()
    assert (len(page["stock"]), page["next_offset"]) == (150, 150)
    async with http.get(url, params={"sku": "CD-00001,CD-00002"}, headers=AUTH) as answer:
        assert len((await answer.json())["stock"]) == 4
