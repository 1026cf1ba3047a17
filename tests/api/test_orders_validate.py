# SPDX-License-Identifier: Apache-2.0
"""Carts validated over HTTP: what the order would be, from memory and with its age, whatever is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from msgspec.structs import replace

from crossdock.canonical.master_data import Customer
from crossdock.catalog.accept import accept_crosswalks, accept_customers
from crossdock.inventory.level import Level
from crossdock.routing.policy import RouteRule
from tests.api.asking import NOON
from tests.api.ordering import GOVERNED, TOTAL, Desk, an_order, desk_on, problem


@pytest_asyncio.fixture
async def desk(pool: asyncpg.Pool, database: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """Stock is governed on the channel; 20 of CD-1001 in two places, 1 of CD-1002."""
    async with desk_on(pool, database, tmp_path, GOVERNED) as made:
        made.stock.view.apply(
            [
                Level("CD-1001", "EAST", Decimal(15), sequence=1),
                Level("CD-1001", "WEST", Decimal(5), sequence=1),
                Level("CD-1002", "EAST", Decimal(1), sequence=1),
            ]
        )
        made.stock.memory.fresh_at = NOON
        yield made


async def nothing_written(pool: asyncpg.Pool) -> bool:
    tables = ("message", "document", "rejection", "duplicate", "sales_order", "reservation")
    return not any([await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables])


async def test_a_cart_in_one_call(desk: Desk) -> None:
    answer = await desk.validate(an_order(customer={"id": "their-acme"}))
    assert answer.status == 200, answer.body
    told = answer.json
    assert told["catalog"].pop("age_seconds") < 60
    assert told["stock"].pop("age_seconds") > 0
    assert told == {
        "valid": True,
        "channel": "portal",
        "entity": "us",
        "currency": "USD",
        "customer": {"id": "ACME"},
        "lines": [
            {
                "line": "1",
                "sku": "CD-1001",
                "quantity": {"value": "12", "unit": "EA"},
                "unit_price": "19.90",
                "total": "238.80",
                "available": "20",
            },
            {
                "line": "2",
                "sku": "CD-1002",
                "quantity": {"value": "2", "unit": "EA"},
                "unit_price": "5.25",
                "total": "10.00",
                "available": "1",
            },
        ],
        "total": TOTAL,
        "warnings": [
            {
                "field": "lines[1].quantity",
                "reason": "2 EA of CD-1002 wanted, 1 available now",
                "rule": "order.stock",
                "value": "2",
                "fix": "put what 1 EA hold, or order all the same: it waits for goods",
            }
        ],
        "catalog": {"stale": False},
        "stock": {"stale": True},
    }
    assert await nothing_written(desk.pool)
    assert desk.counted == {("validate", "done"): 1}


TAXED = """\
tax: {rules: [{percent: 0, code: EXEMPT, sku_prefix: CD-1002}, {percent: 6, code: US-ID, entity: us, country: US}]}
checks: {portal: {tax: true, address: true, fraud: {above: 1}}}
"""


async def test_a_cart_shows_what_we_know_besides(pool: asyncpg.Pool, database: str, tmp_path: Path) -> None:
    """Terms of the account, the carrier service in our words, tax with its codes; and not what is suspicious."""
    async with desk_on(pool, database, tmp_path, TAXED) as desk:
        async with pool.acquire() as conn, conn.transaction():
            await accept_customers(conn, [(None, Customer(customer_id="ACME", terms="NET30"))])
            rows = [("service", "portal", "Next Day Air", "express")]
            await accept_crosswalks(conn, rows, by="test", origin="cli", reason="test")
        await desk.orders.memory.look()
        told = (await desk.validate(an_order(service="Next Day Air"))).json
        # 238.80 and 9.00 of shipping at 6 %.
        assert (told["terms"], told["service"], told["tax"]) == ("NET30", "express", "14.87")
        assert [line["tax_code"] for line in told["lines"]] == ["US-ID", "EXEMPT"]
        assert [(one["field"], one["rule"], one["fix"]) for one in told["failures"]] == [
            ("tax", "order.tax", "put 14.87 and a total of 272.67")
        ]
        taxed = (await desk.validate(an_order(tax="14.87"))).json
        assert (taxed["valid"], taxed["total"]) == (True, "272.67")
        assert "service" not in taxed


async def test_the_tax_is_of_the_company_that_sells(pool: asyncpg.Pool, database: str, tmp_path: Path) -> None:
    """Routing gives orders to Germany to another entity than the channel's own."""
    german = (
        "tax: {rules: [{percent: 6, code: US, entity: us}, {percent: 19, code: DE-19}]}\n"
        "checks: {portal: {tax: true}}\n"
    )
    async with desk_on(pool, database, tmp_path, german) as desk:
        policy = desk.orders.handler._door.rules.policy
        rule = RouteRule(location="EAST", entity="de", country="DE")
        desk.orders.handler._door.rules = replace(
            desk.orders.handler._door.rules,
            policy=replace(policy, rules=(rule,), erp_of={"us": "erp", "de": "erp"}),
        )
        ship_to = {"street": "Allee 1", "city": "Berlin", "postal_code": "10115", "country": "DE"}
        told = (await desk.validate(an_order(ship_to=ship_to))).json
        assert (told["entity"], told["tax"]) == ("de", "48.98")
        assert {line["tax_code"] for line in told["lines"]} == {"DE-19"}
        assert (await desk.validate(an_order(ship_to=ship_to, tax="48.98"))).json["valid"]
        assert not (await desk.validate(an_order(tax="48.98"))).json["valid"]


async def test_lines_of_one_sku_are_short_together(desk: Desk) -> None:
    line = {"sku": "CD-1001", "quantity": "9", "unit_price": "1"}
    told = (await desk.validate(an_order(lines=[line, line, line]))).json
    assert [(one["field"], one["reason"]) for one in told["warnings"]] == [
        ("lines[2].quantity", "9 EA of CD-1001 wanted, 2 available now")
    ]


async def test_what_would_be_refused_is_told_as_it_would_be(desk: Desk) -> None:
    bad = an_order(customer={"id": "NOBODY"}, total="1", lines=[{"sku": "NOPE", "quantity": "1", "unit_price": "1"}])
    told = (await desk.validate(bad)).json
    refused = await desk.place(body=bad)
    assert refused.status == 422
    assert told["valid"] is False
    assert told["failures"] == refused.json["errors"]
    assert [one["rule"] for one in told["failures"]] == ["order.sku_known", "order.total", "order.customer_known"]
    assert "customer" not in told
    assert desk.counted["validate", "refused"] == 1


async def test_a_cart_that_nothing_can_be_made_of(desk: Desk) -> None:
    told = (await desk.validate(an_order(lines=[{"sku": "CD-1001", "quantity": "NaN", "unit_price": "1"}]))).json
    assert told["valid"] is False
    assert [(one["field"], one["rule"]) for one in told["failures"]] == [("lines[0].quantity", "order.number")]
    assert "lines" not in told


async def test_every_failure_of_a_large_cart_is_told(desk: Desk) -> None:
    told = (await desk.validate(an_order(lines=[{"sku": "NOPE", "quantity": "1", "unit_price": "1"}] * 300))).json
    assert len(told["failures"]) == 300


async def test_a_channel_without_governed_stock_says_nothing_of_it(desk: Desk) -> None:
    told = (await desk.validate(an_order(channel="till"))).json
    assert (told["valid"], told["left_out"]) == (True, "stock is not governed on channel till")
    assert "stock" not in told


async def test_with_the_database_away_carts_are_validated_from_memory_and_orders_are_put_off(desk: Desk) -> None:
    desk.pool.terminate()
    answer = await desk.validate(an_order())
    assert (answer.status, answer.json["valid"], answer.headers["age"].isdecimal()) == (200, True, True)
    placed = await desk.place()
    assert problem(placed)[0] == 503
    assert placed.headers["retry-after"]
    assert problem(await desk.read("ord_1"))[0] == 503
    # Of what is wrong it cannot be known whether it was taken in before.
    assert problem(await desk.place(body=an_order(customer=None)))[0] == 503
    assert desk.counted["place", "away"] == 2


async def test_what_is_too_old_is_said_to_be_and_in_the_end_not_answered_from(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ages = iter([61.0, 61.0, 3_601.0, 14_401.0])
    monkeypatch.setattr(desk.handler._door, "_age", lambda: next(ages))
    told = (await desk.validate(an_order())).json
    assert told["catalog"] == {"age_seconds": 61.0, "stale": True}
    # The till's estate says an hour, the portal's the four that are usual.
    assert problem(await desk.validate(an_order(channel="till")))[:2] == (503, "engine_away")
    assert problem(await desk.place())[:2] == (503, "engine_away")
