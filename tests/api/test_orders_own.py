# SPDX-License-Identifier: Apache-2.0
"""A caller of the order API has its own channels, customers and keys; what is another's is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from crossdock.estate.consumers import SCOPES
from crossdock.governance.caller import LOCAL, Caller
from crossdock.orders import listing
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
    for query in ("", "customer=ACME", "po_number=PO-1", "sku=CD-1001", "state=accepted"):
        assert {one["id"] for one in (await desk.list(query)).json["items"]} == expected, query
    assert (await desk.list("customer=BETA")).json == {"items": []}
    desk.caller = caller("beta", customers="BETA ACME")
    assert {one["id"] for one in (await desk.list()).json["items"]} == set(ids.values())
    desk.caller = caller("till", channels="till")
    assert [one["id"] for one in (await desk.list()).json["items"]] == [ids["till", "ACME"]]
    desk.caller = LOCAL
    assert await desk.pool.fetchval("SELECT count(*) FROM document WHERE topic = 'orders.cancel'") == 0


async def test_an_id_that_orders_of_two_channels_have_names_none(desk: Desk) -> None:
    keys = []
    for channel, customer in (("portal", "ACME"), ("till", "BETA")):
        answer = await desk.place(channel, an_order(channel=channel, customer={"id": customer}))
        keys.append(answer.json["order_key"])
    await desk.decide()
    for key in keys:
        ours = f"{key.partition('/')[0]}/7"
        await desk.pool.execute("UPDATE sales_order SET order_key = $2 WHERE order_key = $1", key, ours)
        await desk.pool.execute("UPDATE order_life SET order_key = $2 WHERE order_key = $1", key, ours)
        await desk.pool.execute(
            "UPDATE document_version SET body = convert_to(replace(convert_from(body, 'UTF8'), $1, $2), 'UTF8') "
            "WHERE stage = 'canonical'",
            f'"{key}"',
            f'"{ours}"',
        )
    for answer in (await desk.read("7"), await desk.cancel("7")):
        assert problem(answer) == (409, "order.ambiguous", "")
        assert answer.json["detail"] == "2 orders have the id '7': portal/7, till/7"
        assert answer.json["fix"] == "use its order key, CHANNEL/ID"
    for key in ("portal/7", "till/7"):
        assert (await desk.read(key)).json["order_key"] == key
    # Of two the caller sees one.
    for who, key in (
        (caller("portal", channels="portal"), "portal/7"),
        (caller("till", channels="till"), "till/7"),
        (caller("beta", customers="BETA"), "till/7"),
    ):
        desk.caller = who
        assert (await desk.read("7")).json["order_key"] == key


async def test_what_an_order_was_before_it_went_to_another_account_is_not_the_first_ones(desk: Desk) -> None:
    one = (await desk.place()).json["id"]
    await desk.decide()
    await desk.pool.execute(
        "UPDATE document_version SET body = convert_to(replace(convert_from(body, 'UTF8'), '\"ACME\"', '\"BETA\"'), "
        "'UTF8') WHERE stage = 'canonical'"
    )
    desk.caller = caller("acme", customers="ACME")
    assert problem(await desk.read(one))[:2] == (404, "order.unknown")
    desk.caller = caller("beta", customers="BETA")
    assert (await desk.read(one)).status == 200


async def test_lists_of_many_accounts_are_those_of_few(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(9):
        await desk.place(f"k{number}", an_order(customer={"id": ("ACME", "BETA", "WEB")[number % 3]}))
    await desk.decide()
    desk.caller = caller("two", customers="ACME BETA")
    few = (await desk.list()).json
    assert {one["customer"] for one in few["items"]} == {"ACME", "BETA"}
    assert len(few["items"]) == 6
    # One account more than are read one by one.
    names = [f"C-{number}" for number in range(listing.FEW_CUSTOMERS - 1)]
    desk.caller = caller("many", customers=" ".join(["ACME", "BETA", *names]))
    assert (await desk.list()).json == few
    monkeypatch.setattr(listing, "LOOKED_AT", 2)
    seen, cursor = [], ""
    while True:
        page = (await desk.list(f"limit=2&cursor={cursor}")).json
        seen += page["items"]
        cursor = page.get("next", "")
        if not cursor:
            break
    assert seen == few["items"]
