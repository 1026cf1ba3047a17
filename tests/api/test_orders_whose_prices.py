# SPDX-License-Identifier: Apache-2.0
"""Orders over HTTP take their prices from the customer's lists, and are checked as their channel says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio

from crossdock.canonical.master_data import Customer
from crossdock.canonical.party import Address
from crossdock.catalog.accept import accept_customers
from crossdock.catalog.accept_prices import accept_price_lists
from crossdock.governance.caller import Caller
from tests.api.ordering import Desk, an_order, desk_on
from tests.catalog.pricing import entry, stated

CHECKS = "pricing: {percent: 2}\nchecks: {portal: {price: true, terms: true, ship_to: true}}\n"
HOME = Address(street="Elm St 9", city="Boise", region="ID", postal_code="83702", country="US")
LISTS = (
    stated("BASE", entry("10.00", "CD-1001", b10="9.00")),
    stated("ACME", entry("8.00", "CD-1001"), customer="ACME"),
    stated("TRADE", entry("7.50", "CD-1001"), group="trade"),
)

BETA = Caller(consumer="portal", scopes=frozenset(), channels=None, customers=frozenset({"BETA"}), plan="gold")


@pytest_asyncio.fixture
async def desk(pool: asyncpg.Pool, database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk_on(pool, database, tmp_path, CHECKS) as made:
        async with pool.acquire() as conn, conn.transaction():
            await accept_price_lists(conn, [(None, one) for one in LISTS])
            accounts = [
                Customer(customer_id="ACME", terms="NET30"),
                Customer(customer_id="BETA", terms="NET30", price_group="trade"),
            ]
            await accept_customers(conn, [(None, one) for one in accounts])
        await made.orders.memory.look()
        yield made


def cart(customer: str, quantity: str, **line: Any) -> dict[str, Any]:
    lines = [{"sku": "their-1001", "quantity": quantity, **line}]
    return an_order(customer={"id": customer}, lines=lines, charges=None)


async def unit_price(desk: Desk, customer: str, quantity: str = "1") -> tuple[bool, str]:
    told = (await desk.validate(cart(customer, quantity))).json
    return told["valid"], told["lines"][0]["unit_price"]


async def test_a_line_without_a_price_gets_what_the_customers_lists_say(desk: Desk) -> None:
    assert await unit_price(desk, "ACME") == (True, "8.00")
    assert await unit_price(desk, "their-acme") == (True, "8.00")
    assert await unit_price(desk, "BETA") == (True, "7.50")
    placed = await desk.place(body=cart("ACME", "3"))
    assert (placed.status, placed.json["total"]) == (201, "24.00")


async def test_whose_orders_are_not_the_callers_has_no_contract_for_it(desk: Desk) -> None:
    desk.caller = BETA
    told = (await desk.validate(cart("ACME", "10"))).json
    assert not told["valid"]
    assert "8.00" not in str(told)
    assert await unit_price(desk, "BETA", "10") == (True, "7.50")


async def test_what_is_checked_against_a_foreign_account_is_not_told(desk: Desk) -> None:
    async with desk.pool.acquire() as conn, conn.transaction():
        await accept_customers(conn, [(None, Customer(customer_id="ACME", terms="NET30", addresses=(HOME,)))])
    await desk.orders.memory.look()
    wrong = {**cart("ACME", "2", unit_price="3.33"), "terms": "COD"}
    everything = ["order.contract_price", "order.terms", "order.ship_to_known"]
    assert [one["rule"] for one in (await desk.validate(wrong)).json["failures"]] == everything
    desk.caller = BETA
    for customer in ("ACME", "their-acme", "NOBODY"):
        body = {**wrong, "customer": {"id": customer}}
        for told in ((await desk.validate(body)).json["failures"], (await desk.place(body=body)).json["errors"]):
            assert [one["rule"] for one in told] == ["order.customer_known"], customer
            assert told[0]["reason"] == f"customer {customer} has no account that this caller orders for"
            assert told[0]["fix"] == "put an account of your own"


async def test_what_is_refused_at_the_door_is_what_the_channel_checks(desk: Desk) -> None:
    answer = await desk.place(body={**cart("ACME", "2", unit_price="7.00"), "terms": "COD"})
    assert answer.status == 422
    assert [(one["rule"], one["field"], one["fix"]) for one in answer.json["errors"]] == [
        ("order.contract_price", "lines[0].unit_price", "put 7.84 or more, or change what it is compared with"),
        ("order.terms", "terms", "put NET30 or leave terms out, or give the account COD"),
    ]
    assert (await desk.place(body={**cart("ACME", "2", unit_price="7.84"), "terms": "NET30"})).status == 201
    assert Decimal((await desk.place(key="k2", body=cart("ACME", "2"))).json["total"]) == 16
