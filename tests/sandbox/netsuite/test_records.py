# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, Client

from crossdock.sandbox.netsuite import NetSuiteSim
from tests.sandbox.netsuite.calling import RECORD, Caller, config, line, log_in, order


@pytest_asyncio.fixture
async def call(http: aiohttp.ClientSession) -> AsyncIterator[Caller]:
    async with NetSuiteSim(config()) as sim:
        yield await log_in(http, sim)


async def lines_of(call: Caller, ident: str) -> list[dict[str, Any]]:
    reply = await call("GET", f"/salesOrder/{ident}?expandSubResources=true")
    items: list[dict[str, Any]] = reply.body["item"]["items"]
    return items


async def test_without_a_token_it_is_invalid_login(call: Caller) -> None:
    call.token = "wrong"
    reply = await call("GET", "/salesOrder")
    assert (reply.status, reply.code) == (401, "INVALID_LOGIN")
    assert set(reply.body) == {"type", "title", "status", "o:errorDetails"}


async def test_tba_over_the_wire(http: aiohttp.ClientSession, call: Caller) -> None:
    settings = call.sim.config
    client = Client(
        settings.consumer_key,
        client_secret=settings.consumer_secret,
        resource_owner_key=settings.token_id,
        resource_owner_secret=settings.token_secret,
        realm=settings.account,
        signature_method=SIGNATURE_HMAC_SHA256,
    )
    url = f"{call.sim.url}{RECORD}/salesOrder?limit=10"
    _, headers, _ = client.sign(url)
    statuses = []
    for _ in range(2):
        async with http.get(url, headers=headers) as answer:
            statuses.append(answer.status)
    assert statuses == [200, 401]


async def test_upsert_creates_once_and_then_updates(call: Caller) -> None:
    first = await call("PUT", "/salesOrder/eid:SHOP-1?replace=item", order())
    again = await call("PUT", "/salesOrder/eid:SHOP-1?replace=item", order())
    assert first.id == again.id
    assert len(await lines_of(call, first.id)) == 1
    counts = await call.control("counts")
    assert (counts["sales_orders"], counts["counters"]["salesOrder.updated"]) == (1, 1)
    assert counts["created_more_than_once_by_external_id"] == 0


async def test_an_upsert_repeated_without_replace_doubles_the_lines(call: Caller) -> None:
    ident = (await call("PUT", "/salesOrder/eid:SHOP-1", order())).id
    await call("PUT", "/salesOrder/eid:SHOP-1", order())
    assert [entry["line"] for entry in await lines_of(call, ident)] == [1, 2]


async def test_patch_adds_lines_changes_keyed_ones_and_replaces_on_request(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order(line(), line("CD-00002")))).id
    await call("PATCH", f"/salesOrder/{ident}", {"item": {"items": [line("CD-00003", 7)]}})
    assert len(await lines_of(call, ident)) == 3
    await call("PATCH", f"/salesOrder/{ident}", {"item": {"items": [{"line": 2, "quantity": 9}]}})
    assert [entry["quantity"] for entry in await lines_of(call, ident)] == [2, 9, 7]
    await call("PATCH", f"/salesOrder/{ident}?replace=item", {"item": {"items": [line("CD-00005", 1)]}})
    assert [entry["item"]["refName"] for entry in await lines_of(call, ident)] == ["CD-00005"]


async def test_the_idempotency_key_does_nothing_on_synchronous_calls(call: Caller) -> None:
    key = {"X_NetSuite_Idempotency_Key": "7b0fd6e2-7a4b-4d9a-93f4-15d5a7f6e001"}
    one = await call("POST", "/salesOrder", order(), **key)
    two = await call("POST", "/salesOrder", order(), **key)
    assert one.id != two.id
    assert (await call.control("counts"))["created_more_than_once_by_other_ref"] == 1
    assert (await call.control("creations"))["by_other_ref"] == {"#1001": [one.id, two.id]}


async def test_a_taken_external_id_is_refused_on_post(call: Caller) -> None:
    await call("POST", "/salesOrder", order(externalId="X"))
    reply = await call("POST", "/salesOrder", order(externalId="X"))
    assert (reply.status, reply.code) == (400, "USER_ERROR")


async def test_a_misspelt_field_is_dropped_in_silence_unless_asked(call: Caller) -> None:
    sent = order(otherRefNumber="#7")
    ident = (await call("POST", "/salesOrder", sent)).id
    assert "otherRefNumber" not in (await call("GET", f"/salesOrder/{ident}")).body
    strict = {"X_NetSuite_PropertyNameValidation": "Error"}
    reply = await call("POST", "/salesOrder", sent, **strict)
    assert (reply.status, reply.code) == (400, "INVALID_CONTENT")
    assert reply.body["o:errorDetails"][0]["o:errorPath"] == "$.otherRefNumber"
    nested = await call("POST", "/salesOrder", order(line(qty=3)), **strict)
    assert nested.body["o:errorDetails"][0]["o:errorPath"] == "$.item.items[0].qty"


@pytest.mark.parametrize(
    ("sent", "code", "path"),
    [
        (order(entity={"externalId": "NOBODY"}), "INVALID_KEY_OR_REF", "$.entity"),
        (order(entity={"refName": "CUST-00001"}), "INVALID_KEY_OR_REF", "$.entity"),
        (order(currency={"id": "99"}), "INVALID_KEY_OR_REF", "$.currency"),
        (order(line("NO-SUCH")), "INVALID_KEY_OR_REF", "$.item.items[0].item"),
        (order(line(location={"id": "9"})), "INVALID_KEY_OR_REF", "$.item.items[0].location"),
        (order(line(quantity="2")), "INVALID_CONTENT", "$.item.items[0].quantity"),
        (order(line(quantity=0)), "USER_ERROR", "$.item.items[0].quantity"),
        (order(tranDate="23.11.2026"), "INVALID_CONTENT", "$.tranDate"),
        (order(orderStatus={"id": "Z"}), "INVALID_CONTENT", "$.orderStatus"),
        (order(item={"items": []}), "USER_ERROR", "$.item"),
        (order(item=[line()]), "INVALID_CONTENT", "$.item"),
        (order(entity=None), "USER_ERROR", "$.entity"),
    ],
)
async def test_what_an_order_is_refused_for(call: Caller, sent: dict[str, Any], code: str, path: str) -> None:
    reply = await call("POST", "/salesOrder", sent)
    assert (reply.status, reply.code, reply.body["o:errorDetails"][0].get("o:errorPath")) == (400, code, path)
    assert (await call.control("counts"))["sales_orders"] == 0


async def test_show_with_links_and_expanded(call: Caller) -> None:
    made = await call("POST", "/salesOrder", order(externalId="X"))
    assert made.body is None
    shown = (await call("GET", "/salesOrder/eid:X")).body
    assert shown["status"] == {"id": "B", "refName": "Pending Fulfillment"}
    assert set(shown["item"]) == {"links"}
    assert shown["entity"]["refName"] == "CUST-00001"
    few = (await call("GET", "/salesOrder/eid:X?fields=otherRefNum")).body
    assert set(few) == {"links", "id", "otherRefNum"}
    missing = await call("GET", "/salesOrder/eid:Y")
    assert (missing.status, missing.code) == (404, "NONEXISTENT_ID")


async def test_lists_have_ids_only_and_pages(call: Caller) -> None:
    for _ in range(3):
        await call("POST", "/salesOrder", order())
    page = (await call("GET", "/salesOrder?limit=2&offset=2")).body
    assert (page["count"], page["totalResults"], page["hasMore"]) == (1, 3, False)
    assert set(page["items"][0]) == {"links", "id"}
    assert (await call("GET", "/salesOrder?limit=2&offset=1")).code == "INVALID_PARAMETER"


async def test_delete_and_master_data(call: Caller) -> None:
    ident = (await call("POST", "/salesOrder", order())).id
    assert (await call("DELETE", f"/salesOrder/{ident}")).status == 204
    assert (await call("GET", f"/salesOrder/{ident}")).status == 404
    made = await call("PUT", "/customer/eid:NEW-1", {"companyName": "New Inc."})
    assert (await call("PUT", "/customer/eid:NEW-1", {"email": "x@example.com"})).id == made.id
    assert (await call("POST", "/salesOrder", order(entity={"id": made.id}))).status == 204
    assert (await call("PUT", "/inventoryItem/eid:SKU-1", {"itemId": "SKU-1"})).status == 204
    assert (await call("POST", "/vendorBill", {})).status == 404


async def test_over_the_concurrency_limit_it_is_429(http: aiohttp.ClientSession) -> None:
    async with NetSuiteSim(config(concurrency=2, latency=0.2)) as sim:
        call = await log_in(http, sim)
        replies = await asyncio.gather(*(call("POST", "/salesOrder", order()) for _ in range(5)))
        assert sorted(reply.status for reply in replies) == [204, 204, 429, 429, 429]
        refused = next(reply for reply in replies if reply.status == 429)
        assert refused.code == "CONCURRENCY_LIMIT_EXCEEDED"
        counts = await call.control("counts")
        assert (counts["sales_orders"], counts["most_calls_at_once"]) == (2, 2)
        limits = (await call("GET", "/services/rest/system/v1/governanceLimits")).body
        assert limits["accountConcurrencyLimit"] == 2


async def test_an_error_after_the_work_has_done_the_work(http: aiohttp.ClientSession, call: Caller) -> None:
    async with http.post(
        f"{call.sim.url}/_sim/faults", json={"kind": "error_after", "count": 1, "match": "salesOrder"}
    ) as answer:
        assert answer.status == 200
    reply = await call("PUT", "/salesOrder/eid:SHOP-1", order())
    assert (reply.status, reply.code) == (500, "UNEXPECTED_ERROR")
    assert (await call.control("counts"))["sales_orders"] == 1
    assert len(await call.rows("SELECT id FROM transaction WHERE externalid = 'SHOP-1'")) == 1


async def test_a_restarted_account_still_has_its_orders(http: aiohttp.ClientSession, tmp_path: object) -> None:
    settings = config(state=f"{tmp_path}/ns.jsonl")
    async with NetSuiteSim(settings) as sim:
        first = (await (await log_in(http, sim))("PUT", "/salesOrder/eid:A", order())).id
    async with NetSuiteSim(settings) as sim:
        call = await log_in(http, sim)
        assert (await call("PUT", "/salesOrder/eid:A?replace=item", order())).id == first
        assert (await call.control("counts"))["counters"]["salesOrder.created"] == 1
