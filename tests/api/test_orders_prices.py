# SPDX-License-Identifier: Apache-2.0
"""A line that comes without a price has the one its buyer is quoted; and what prices are checked for is told at the
door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio

from crossdock.canonical.master_data import Product
from crossdock.canonical.money import Money
from crossdock.canonical.objects import decode
from crossdock.canonical.price_list import PriceEntry, PriceList, QuantityBreak
from crossdock.catalog.accept import accept_products
from crossdock.catalog.accept_prices import accept_price_lists
from tests.api.ordering import Desk, an_order, desk_on, problem

CHECKS = "checks: {till: {price: true}}\n"


@pytest_asyncio.fixture
async def desk(pool: asyncpg.Pool, database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """ACME has a contract for CD-1001, everybody a list; CD-1003 has a price of its own."""
    breaks = (QuantityBreak(from_quantity=Decimal(10), price=Decimal("8.50")),)
    acme = PriceEntry(sku="CD-1001", price=Decimal("9.00"), breaks=breaks)
    anybody = PriceEntry(sku="CD-1001", price=Decimal("12.00"))
    lists = [
        PriceList(price_list_id="acme", currency="USD", customer="ACME", entries=(acme,)),
        PriceList(price_list_id="base", currency="USD", entries=(anybody,)),
    ]
    async with desk_on(pool, database, tmp_path, CHECKS) as made:
        async with pool.acquire() as conn, conn.transaction():
            await accept_products(conn, [(None, Product(sku="CD-1003", price=Money(Decimal("4.00"), "USD")))])
            await accept_price_lists(conn, [(None, one) for one in lists])
        await made.orders.memory.look()
        yield made


def line(sku: str, quantity: str, **more: str) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, **more}


async def test_what_comes_without_a_price_has_the_one_its_buyer_is_quoted(desk: Desk) -> None:
    lines = [line("CD-1001", "2"), line("their-1001", "12"), line("CD-1003", "3"), line("CD-1001", "1", unit_price="7")]
    for customer, total in (("their-acme", "148.00"), ("BETA", "196.00")):
        body = an_order(customer={"id": customer}, lines=lines)
        cart = (await desk.validate(body)).json
        assert cart["valid"] is True, cart["failures"]
        assert cart["total"] == total
        placed = await desk.place(customer, body)
        assert (placed.status, placed.json["total"]) == (201, total)
    body = await desk.pool.fetchval("SELECT body FROM message ORDER BY id LIMIT 1")
    assert [one.unit_price.amount for one in decode("sales_order", body).lines] == [
        Decimal("9.00"),
        Decimal("8.50"),
        Decimal("4.00"),
        Decimal("7"),
    ]


async def test_where_no_price_is_known_it_must_be_given(desk: Desk) -> None:
    answer = await desk.place(body=an_order(lines=[line("CD-1002", "1")]))
    assert problem(answer) == (422, "order.price_known", "lines[0].unit_price")
    answer = await desk.place(body=an_order(lines=[line("CD-1001", "-1"), line("NOPE", "1")]))
    told = [(one["field"], one["rule"]) for one in answer.json["errors"]]
    assert told == [("lines[0].quantity", "order.quantity"), ("lines[1].sku", "order.sku_known")]


async def test_a_price_below_the_contract_is_refused_at_the_door_of_a_channel_that_checks(desk: Desk) -> None:
    cheap = [line("CD-1001", "1", unit_price="1.00")]
    refused = await desk.place(body=an_order(channel="till", lines=cheap))
    assert refused.status == 422
    assert refused.json["field"] == "lines[0].unit_price"
    cart = (await desk.validate(an_order(channel="till", lines=cheap))).json
    assert cart["failures"] == refused.json["errors"]
    # The portal does not check.
    assert (await desk.place("k2", an_order(lines=cheap))).status == 201
