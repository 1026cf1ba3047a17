# SPDX-License-Identifier: Apache-2.0
"""Orders read, listed and cancelled over HTTP, through every state they can be in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from crossdock.api.orders import PATH
from crossdock.orders import listing
from crossdock.orders.check_fraud import Fraud
from crossdock.orders.checks import Checks
from crossdock.orders.follow import follow
from tests.api.ordering import ORDER, TOTAL, Desk, an_order, desk_on, problem


@pytest_asyncio.fixture
async def desk(pool: asyncpg.Pool, database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_on(pool, database, tmp_path) as made:
        yield made


async def placed(desk: Desk, key: str = "k", **changes: Any) -> str:
    answer = await desk.place(key, an_order(**changes))
    assert answer.status == 201, answer.body
    one: str = answer.json["id"]
    return one


async def state(desk: Desk, one: str) -> str:
    """The state that is read, after what a test wrote into the tables was followed."""
    async with desk.pool.acquire() as conn, conn.transaction():
        await follow(conn, [f"portal/{one}"])
    answer = await desk.read(one)
    assert answer.status == 200, answer.body
    told: str = answer.json["state"]
    return told


async def test_an_order_is_read_at_once_and_again_when_it_was_decided_on(desk: Desk) -> None:
    one = await placed(desk)
    told = (await desk.read(one)).json
    assert (told["id"], told["order_key"], told["state"], told["total"]) == (one, f"portal/{one}", "received", TOTAL)
    assert (told["customer"], told["entity"], told["ship_to"]) == ({"id": "ACME"}, "", ORDER["ship_to"])
    assert [line["sku"] for line in told["lines"]] == ["CD-1001", "CD-1002"]
    await desk.decide()
    told = (await desk.read(one)).json
    assert (told["state"], told["entity"]) == ("accepted", "us")
    assert [(each["system"], each["operation"], each["state"]) for each in told["deliveries"]] == [
        ("erp", "sales_order", "due"),
        ("portal", "fulfillment_order", "due"),
    ]
    assert told["fulfillments"] == [
        {
            "reference": f"portal/{one}#1",
            "location": "EAST",
            "state": "open",
            "lines": [
                {"line": "1", "sku": "CD-1001", "ordered": "12", "shipped": "0"},
                {"line": "2", "sku": "CD-1002", "ordered": "2", "shipped": "0"},
            ],
        }
    ]
    assert (await desk.read(f"portal/{one}")).json == told


async def test_states_follow_what_the_tables_say(desk: Desk) -> None:
    one = await placed(desk)
    await desk.decide()
    await desk.pool.execute(
        "UPDATE delivery SET state = 'delivered', their_reference = 'SO-1', settled_at = now() WHERE system = 'erp'"
    )
    assert await state(desk, one) == "acknowledged"
    await desk.pool.execute("UPDATE delivery SET state = 'delivered' WHERE operation = 'fulfillment_order'")
    assert await state(desk, one) == "allocated"
    await desk.pool.execute("UPDATE fulfillment_order SET state = 'partly_shipped'")
    assert await state(desk, one) == "partly_shipped"
    await desk.pool.execute("UPDATE fulfillment_order SET state = 'shipped'")
    await desk.pool.execute(
        "INSERT INTO shipment (shipment_key, order_key, fulfillment_reference, location, carrier, tracking, "
        "shipped_at, document_id) VALUES ('F1/S1', $1, 'F1', 'EAST', 'UPS', '{1Z1}', $2, 1)",
        f"portal/{one}",
        datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
    )
    assert await state(desk, one) == "shipped"
    told = (await desk.read(one)).json
    assert told["shipments"] == [
        {
            "shipment": "F1/S1",
            "fulfillment": "F1",
            "location": "EAST",
            "carrier": "UPS",
            "tracking": ["1Z1"],
            "shipped_at": "2026-11-23T12:00:00Z",
        }
    ]
    assert [each["reference"] for each in told["deliveries"]] == ["SO-1", ""]
    assert problem(await desk.cancel(one)) == (409, "order.shipped", "")


async def test_an_order_that_needs_a_person_says_why(desk: Desk) -> None:
    one = await placed(desk)
    await desk.pool.execute("DELETE FROM product WHERE sku = 'CD-1002'")
    await desk.decide()
    told = (await desk.read(one)).json
    assert told["state"] == "held"
    assert [(each["rule"], each["field"]) for each in told["problems"]] == [("order.sku_known", "lines[1].sku")]
    await desk.pool.execute("UPDATE triage_case SET state = 'dismissed'")
    await desk.pool.execute("UPDATE document SET state = 'rejected'")
    assert await state(desk, one) == "rejected"
    assert problem(await desk.cancel(one)) == (409, "order.rejected", "")


async def test_who_placed_an_order_is_not_told_why_it_is_suspicious(desk: Desk) -> None:
    one = await placed(desk)
    limits = Checks(fraud=Fraud(above=Decimal(1)))
    desk._rules = replace(desk._rules, checks={"portal": limits})
    await desk.decide()
    told = (await desk.read(one)).json
    assert told["state"] == "held"
    assert [(each["rule"], each["reason"], each["fix"]) for each in told["problems"]] == [
        ("order.held", "the order is looked at by a person", "wait")
    ]
    case = await desk.pool.fetchrow("SELECT rule, hold FROM triage_case")
    assert tuple(case) == ("order.fraud_above", "fraud")


async def test_an_etag_stands_as_long_as_the_order_does(desk: Desk) -> None:
    one = await placed(desk)
    first = await desk.read(one)
    same = await desk.read(one, if_none_match=first.headers["etag"])
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", first.headers["etag"])
    await desk.decide()
    other = await desk.read(one, if_none_match=first.headers["etag"])
    assert other.status == 200
    assert other.headers["etag"] != first.headers["etag"]


async def test_unknown_orders(desk: Desk) -> None:
    one = await placed(desk)
    for name in (f"{one}0", "ord_", "portal/none", f"shop/{one}", "x" * 5000, "a\x00", "", "/", "%"):
        assert problem(await desk.read(name))[:2] == (404, "order.unknown")
        assert problem(await desk.cancel(name))[:2] == (404, "order.unknown")


async def test_a_cancellation_enters_as_a_document_once(desk: Desk) -> None:
    one = await placed(desk)
    await desk.decide()
    answer = await desk.cancel(one, {"reason": "ordered twice"})
    assert (answer.status, answer.json["state"], answer.headers["location"]) == (202, "cancelling", f"{PATH}/{one}")
    again = await desk.cancel(one)
    assert (again.status, again.json["state"]) == (200, "cancelling")
    assert await desk.decide() == 1
    told = (await desk.read(one)).json
    assert told["state"] == "cancelled"
    assert [(each["operation"], each["state"]) for each in told["deliveries"]] == [
        ("sales_order", "due"),
        ("fulfillment_order", "due"),
        ("order_cancel", "due"),
        ("fulfillment_cancel", "due"),
    ]
    assert (await desk.cancel(one)).json == told
    rows = await desk.pool.fetch("SELECT topic, state FROM document ORDER BY id")
    assert [tuple(row) for row in rows] == [("orders", "delivering"), ("orders.cancel", "delivering")]
    assert desk.counted["cancel", "done"] == 1
    assert desk.counted["cancel", "repeated"] == 2


async def test_an_order_is_cancelled_before_it_was_decided_on_or_while_it_is_held(desk: Desk) -> None:
    one = await placed(desk)
    assert (await desk.cancel(one)).status == 202
    await desk.decide()
    assert await state(desk, one) == "cancelled"
    two = await placed(desk, "k2")
    await desk.pool.execute("DELETE FROM customer WHERE customer_id = 'ACME'")
    await desk.pool.execute("UPDATE catalog_version SET value = value + 1")
    await desk.decide()
    assert await state(desk, two) == "held"
    assert (await desk.cancel(two)).status == 202
    await desk.decide()
    # What it says can still not be booked: a person has it, with the order.
    assert await state(desk, two) == "held"


async def test_a_cancellation_that_came_to_nothing_is_said_to_be_stuck(desk: Desk) -> None:
    one = await placed(desk)
    await desk.decide()
    assert (await desk.cancel(one)).status == 202
    # Before it is decided on goods leave: a person has it.
    await desk.pool.execute("UPDATE fulfillment_order SET state = 'shipped'")
    await desk.decide()
    await desk.pool.execute("UPDATE fulfillment_order SET state = 'open'")
    for given_up in (False, True):
        if given_up:
            await desk.pool.execute("UPDATE triage_case SET state = 'dismissed'")
            await desk.pool.execute("UPDATE document SET state = 'rejected' WHERE topic = 'orders.cancel'")
        answer = await desk.cancel(one)
        assert problem(answer) == (409, "order.cancel_stuck", "")
        assert f"portal/{one}" in answer.json["fix"]
    assert desk.counted["cancel", "refused"] == 2
    assert await desk.pool.fetchval("SELECT count(*) FROM document WHERE topic = 'orders.cancel'") == 1


async def test_orders_of_other_channels_are_read_and_not_cancelled_here(desk: Desk) -> None:
    one = await placed(desk)
    await desk.decide()
    await desk.pool.execute("UPDATE sales_order SET order_key = 'shop/1', channel = 'shop'")
    await desk.pool.execute("UPDATE order_life SET order_key = 'shop/1'")
    await desk.pool.execute(
        "UPDATE document_version SET body = convert_to(replace(convert_from(body, 'UTF8'), "
        "'\"portal/' || $1 || '\"', '\"shop/1\"'), 'UTF8')",
        one,
    )
    await desk.pool.execute(
        "UPDATE document_version SET body = convert_to(replace(convert_from(body, 'UTF8'), "
        '\'"channel":"portal"\', \'"channel":"shop"\'), \'UTF8\')'
    )
    assert (await desk.read("shop/1")).json["channel"] == "shop"
    assert problem(await desk.cancel("shop/1")) == (409, "order.channel_api", "")


async def fill(desk: Desk, count: int) -> list[str]:
    """`count` decided orders, oldest first: of ACME and BETA in turns, every third of PO-3; their ids."""
    ids = []
    for number in range(count):
        lines = [{"sku": f"CD-{1001 + number % 5}", "quantity": 1, "unit_price": "1"}]
        po, who = f"PO-{number % 3}", {"id": ("ACME", "BETA")[number % 2]}
        ids.append(await placed(desk, f"fill {number}", lines=lines, po_number=po, customer=who))
    await desk.decide()
    # Those of a moment have one time: then the key decides.
    at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    for number, one in enumerate(ids):
        moment = at + timedelta(seconds=number // 2)
        await desk.pool.execute("UPDATE sales_order SET placed_at = $2 WHERE order_key = $1", f"portal/{one}", moment)
        await desk.pool.execute("UPDATE order_sku SET placed_at = $2 WHERE order_key = $1", f"portal/{one}", moment)
    return sorted(ids, key=lambda one: (ids.index(one) // 2, one))


async def listed(desk: Desk, query: str) -> list[str]:
    """Every id on every page."""
    found: list[str] = []
    cursor = ""
    while True:
        answer = await desk.list(f"{query}&cursor={cursor}")
        assert answer.status == 200, answer.body
        found += [one["id"] for one in answer.json["items"]]
        cursor = answer.json.get("next", "")
        if not cursor:
            return found


async def test_lists_are_whole_whatever_the_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = await fill(desk, 12)
    newest = ids[::-1]
    order = {one: (await desk.read(one)).json for one in ids}
    for limit in (1, 2, 5, 12, 200):
        assert await listed(desk, f"limit={limit}") == newest
        for query, holds in (
            ("customer=ACME", lambda one: order[one]["customer"]["id"] == "ACME"),
            ("po_number=PO-2", lambda one: order[one]["po_number"] == "PO-2"),
            ("sku=CD-1003", lambda one: order[one]["lines"][0]["sku"] == "CD-1003"),
            ("po_number=PO-0&sku=CD-1001", lambda one: order[one]["po_number"] == "PO-0"
             and order[one]["lines"][0]["sku"] == "CD-1001"),
            ("customer=BETA&sku=CD-1002", lambda one: order[one]["customer"]["id"] == "BETA"
             and order[one]["lines"][0]["sku"] == "CD-1002"),
            ("state=accepted", lambda one: True),
            ("state=cancelled", lambda one: False),
            ("customer=NOBODY", lambda one: False),
        ):  # fmt: skip
            assert await listed(desk, f"{query}&limit={limit}") == [one for one in newest if holds(one)], query
    # A page looks at so many orders and no more; it may be empty and not the last.
    monkeypatch.setattr(listing, "LOOKED_AT", 3)
    acme = [one for one in newest if order[one]["customer"]["id"] == "ACME"]
    assert await listed(desk, "customer=ACME&state=accepted&limit=2") == acme
    await desk.cancel(ids[0])
    await desk.decide()
    first = (await desk.list("state=cancelled")).json
    assert first["items"] == []
    assert first["next"]
    assert await listed(desk, "state=cancelled&limit=1") == [ids[0]]


async def test_a_summary_says_what_an_order_is(desk: Desk) -> None:
    one = await placed(desk, number="1001")
    assert (await desk.list()).json == {"items": []}
    await desk.decide()
    (told,) = (await desk.list()).json["items"]
    row = await desk.pool.fetchrow("SELECT placed_at, changed_at, version FROM sales_order")
    assert Decimal(told.pop("total")) == Decimal(TOTAL)
    for name in ("placed_at", "changed_at"):
        assert datetime.fromisoformat(told.pop(name)) == row[name]
    assert told == {
        "id": one,
        "order_key": f"portal/{one}",
        "channel": "portal",
        "number": "1001",
        "state": "accepted",
        "customer": "ACME",
        "po_number": "PO-1",
        "version": row["version"],
        "currency": "USD",
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("colour=red", (422, "parameter", "colour")),
        ("sku=a&sku=b", (422, "parameter", "sku")),
        ("limit=0", (422, "number", "limit")),
        ("limit=201", (422, "number", "limit")),
        ("limit=%D9%A1", (422, "number", "limit")),
        ("state=melted", (422, "parameter", "state")),
        ("cursor=nonsense", (422, "cursor", "cursor")),
        ("cursor=%F0%9F%98%80", (422, "cursor", "cursor")),
        ("cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwiYSJd", (422, "cursor", "cursor")),
        ("sku=%00", (422, "text", "sku")),
        ("sku=%FF", (400, "encoding", "")),
        ("sku=" + "a" * 9000, (414, "query_size", "")),
    ],
)
async def test_questions_that_are_none(desk: Desk, query: str, expected: tuple[int, str, str]) -> None:
    assert problem(await desk.list(query)) == expected


async def test_lists_look_at_an_index_and_at_no_more_than_they_say(desk: Desk) -> None:
    """The plan of each statement on a table that statistics call large."""
    before = (datetime(9999, 1, 1, tzinfo=UTC), "", None, 51, 2000, None, None)
    async with desk.pool.acquire() as conn:
        await conn.execute("SET enable_seqscan = off")
        for statement, given in (
            (listing.SQL.newest_orders, before),
            (listing.SQL.orders_of_customers, (*before[:-1], ["ACME"])),
            (listing.SQL.orders_of_po, (*before, "PO-1", None)),
            (listing.SQL.orders_of_sku, (*before, "CD-1001")),
        ):
            rows = await conn.fetch(f"EXPLAIN {statement}", *given)
            plan = "\n".join(row[0] for row in rows)
            assert "Seq Scan" not in plan, plan
            assert "Index" in plan
