# SPDX-License-Identifier: Apache-2.0
"""A caller of the order API has its own channels, customers and keys; what is another's is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest_asyncio

from crossdock.estate.consumers import SCOPES
from crossdock.governance.caller import LOCAL, Caller
from tests.api.ordering import Desk, an_order, desk_on, problem


@pytest_asyncio.fixture
async def desk(pool: asyncpg.Pool, database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_on(pool, database, tmp_path) as made:
        yield made


def caller(name: str, channels: str = "", customers: str = "") -> Caller:
    return Caller(
        consumer=name,
        scopes=frozenset(SCOPES),
        channels=frozenset(channels.split()) if channels else None,
        customers=frozenset(customers.split()) if customers else None,
        plan="",
    )


async def test_two_callers_may_use_one_key(desk: Desk) -> None:
    desk.caller = caller("one")
    first = await desk.place("k")
    desk.caller = caller("two")
    second = await desk.place("k", an_order(po_number="another"))
    assert (first.status, second.status) == (201, 201)
    assert first.json["id"] != second.json["id"]
    assert (await desk.place("k", an_order(po_number="another"))).body == second.body
    rows = await desk.pool.fetch("SELECT dedup_key FROM message ORDER BY id")
    assert [row["dedup_key"] for row in rows] == ["one/k", "two/k"]


async def test_another_channel_is_one_that_takes_no_orders(desk: Desk) -> None:
    desk.caller = caller("portal", channels="portal")
    for answer in (await desk.place(body=an_order(channel="till")), await desk.validate(an_order(channel="till"))):
        assert problem(answer) == (422, "order.channel_api", "channel")
        assert answer.json["fix"] == "put one of portal"
    assert (await desk.place()).status == 201


async def test_orders_are_for_own_accounts_only(desk: Desk) -> None:
    desk.caller = caller("acme", customers="ACME")
    assert (await desk.place("k1")).status == 201
    assert (await desk.place("k2", an_order(customer={"id": "their-acme"}))).status == 201
    for body in (
        an_order(customer={"id": "BETA"}),
        # The till has an account for everybody, which is not this caller's.
        an_order(channel="till", customer={"id": ""}),
    ):
        assert problem(await desk.place("k3", body)) == (422, "order.customer_known", "customer.id")
        cart = (await desk.validate(body)).json
        assert (cart["valid"], [one["rule"] for one in cart["failures"]]) == (False, ["order.customer_known"])
        assert "customer" not in cart


async def test_orders_of_others_are_neither_read_nor_listed_nor_cancelled(desk: Desk) -> None:
    ids = {}
    for channel, customer in (("portal", "ACME"), ("portal", "their-acme"), ("portal", "BETA"), ("till", "ACME")):
        answer = await desk.place(f"{channel} {customer}", an_order(channel=channel, customer={"id": customer}))
        ids[channel, customer] = answer.json["id"]
    mine = {("portal", "ACME"), ("portal", "their-acme")}
    for _ in range(2):
        desk.caller = caller("acme", channels="portal", customers="ACME")
        for what, one in ids.items():
            statuses = (await desk.read(one)).status, (await desk.read(f"{what[0]}/{one}")).status
            assert statuses == ((200, 200) if what in mine else (404, 404)), what
            if what not in mine:
                assert problem(await desk.cancel(one))[:2] == (404, "order.unknown")
        desk.caller = LOCAL
        await desk.decide()
    desk.caller = caller("acme", channels="portal", customers="ACME")
    expected = {ids[what] for what in mine}
    for query in ("", "customer=ACME", "po_number=PO-1", "sku=CD-1001", "state=open"):
        assert {one["id"] for one in (await desk.list(query)).json["items"]} == expected, query
    assert (await desk.list("customer=BETA")).json == {"items": []}
    desk.caller = caller("beta", customers="BETA ACME")
    assert {one["id"] for one in (await desk.list()).json["items"]} == set(ids.values())
    desk.caller = caller("till", channels="till")
    assert [one["id"] for one in (await desk.list()).json["items"]] == [ids["till", "ACME"]]
    desk.caller = LOCAL
    assert await desk.pool.fetchval("SELECT count(*) FROM document WHERE topic = 'orders.cancel'") == 0
