# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest_asyncio

from crossdock.sandbox.netsuite import NetSuiteSim
from tests.sandbox.netsuite.calling import Caller, Reply, config, line, log_in, order


@pytest_asyncio.fixture
async def call(http: aiohttp.ClientSession) -> AsyncIterator[Caller]:
    async with NetSuiteSim(config()) as sim:
        yield await log_in(http, sim)


async def fulfill(call: Caller, ident: str, *lines: dict[str, Any], **more: Any) -> Reply:
    body = {**({"item": {"items": list(lines)}} if lines else {}), **more}
    return await call("POST", f"/salesOrder/{ident}/!transform/itemFulfillment", body)


async def status(call: Caller, ident: str) -> str:
    return str((await call("GET", f"/salesOrder/{ident}")).body["status"]["id"])


async def test_a_line_that_is_not_mentioned_is_fulfilled_whole(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order(line(quantity=2), line("CD-00002", 3)))).id
    made = await fulfill(call, ident, {"orderLine": 1, "quantity": 1})
    shown = (await call("GET", f"/itemFulfillment/{made.id}?expandSubResources=true")).body
    assert [(entry["orderLine"], entry["quantity"]) for entry in shown["item"]["items"]] == [(1, 1), (2, 3)]
    assert await status(call, ident) == "D"


async def test_item_receive_false_leaves_a_line_out(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order(line(quantity=2), line("CD-00002", 3)))).id
    await fulfill(call, ident, {"orderLine": 2, "itemReceive": False})
    assert await status(call, ident) == "D"
    await fulfill(call, ident)
    assert await status(call, ident) == "F"


async def test_it_is_not_idempotent(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order(line(quantity=2)))).id
    for _ in range(2):
        assert (await fulfill(call, ident, {"orderLine": 1, "quantity": 1})).status == 204
    assert (await call.control("counts"))["item_fulfillments"] == 2
    third = await fulfill(call, ident, {"orderLine": 1, "quantity": 1})
    assert (third.status, third.code) == (400, "INVALID_INITIALIZE_REF")


async def test_an_external_id_stops_the_second_one(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order(line(quantity=2)))).id
    one = {"orderLine": 1, "quantity": 1}
    assert (await fulfill(call, ident, one, externalId="SHP-1")).status == 204
    assert (await fulfill(call, ident, one, externalId="SHP-1")).code == "USER_ERROR"
    assert await status(call, ident) == "D"


async def test_more_than_remains_is_refused(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order(line(quantity=2)))).id
    assert (await fulfill(call, ident, {"orderLine": 1, "quantity": 3})).code == "USER_ERROR"
    assert (await fulfill(call, ident, {"orderLine": 5, "quantity": 1})).code == "INVALID_KEY_OR_REF"
    assert (await fulfill(call, ident, {"orderLine": 1, "itemReceive": False})).code == "USER_ERROR"
    assert (await call.control("counts"))["item_fulfillments"] == 0


async def test_an_order_that_is_not_approved_cannot_be_fulfilled(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order(orderStatus={"id": "A"}))).id
    assert (await fulfill(call, ident)).code == "INVALID_INITIALIZE_REF"
    await call("PATCH", f"/salesOrder/{ident}", {"orderStatus": {"id": "B"}})
    assert (await fulfill(call, ident)).status == 204


async def test_only_shipped_relieves_the_stock(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order(line(quantity=2, location={"id": "1"})))).id
    made = (await fulfill(call, ident)).id
    assert (await call.control("relieved"))["relieved"] == {}
    for _ in range(2):
        await call("PATCH", f"/itemFulfillment/{made}", {"shipStatus": {"id": "C"}})
    assert (await call.control("relieved"))["relieved"] == {"CD-00001@DC-EAST": 2}


async def test_a_fulfilled_line_cannot_be_replaced(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order(line(quantity=2)))).id
    await fulfill(call, ident)
    reply = await call("PATCH", f"/salesOrder/{ident}?replace=item", {"item": {"items": [line("CD-00002")]}})
    assert reply.code == "USER_ERROR"


async def test_tracking_numbers_are_found_by_query(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order())).id
    package = {"items": [{"packageTrackingNumber": "1Z9", "packageWeight": 2.5}]}
    made = (await fulfill(call, ident, package=package, shipStatus={"id": "C"}, externalId="SHP-9")).id
    rows = await call.rows(
        f"SELECT id, externalid, trackingnumberlist, status FROM itemfulfillment WHERE createdfrom = {ident}"
    )
    assert rows == [{"id": made, "externalid": "SHP-9", "trackingnumberlist": "1Z9", "status": "C"}]
