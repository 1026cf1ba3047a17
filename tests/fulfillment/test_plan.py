# SPDX-License-Identifier: Apache-2.0
"""One fulfillment order per location; a changed order's open ones are cancelled and replaced under new numbers."""

from __future__ import annotations

from decimal import Decimal

import asyncpg
from msgspec.structs import replace

from crossdock.canonical.objects import decode
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.fulfillment.lines import load
from crossdock.fulfillment.plan import Plan, Wanted, left_already, plan
from crossdock.journal.decided import Split
from tests.orders.making import line, order

SYSTEMS = {"EAST": "warehouse", "WEST": "3pl"}
PRODUCTS = {"CD-1": ProductFacts("EA", "", True, True, {"CS": Decimal(12)})}
EAST, WEST = (
    Split(location="EAST", system="warehouse", lines=(0,)),
    Split(location="WEST", system="3pl", lines=(1,)),
)
TWO_LINES = order("1", line(1), line(2, "CD-2", "5", "1.00"))


async def planned(pool: asyncpg.Pool, *wanted: tuple[SalesOrder, tuple[Split, ...], bool]) -> list[Plan]:
    batch = [
        Wanted(document_id=number, order=given, splits=splits, known=known)
        for number, (given, splits, known) in enumerate(wanted, 1)
    ]
    async with pool.acquire() as conn, conn.transaction():
        return await plan(conn, batch, SYSTEMS, PRODUCTS)


def shown(made: Plan) -> list[tuple[str, str, str]]:
    return [(one.system, one.operation, one.reference) for one in made.deliveries]


async def states(pool: asyncpg.Pool) -> list[tuple[str, str, str]]:
    rows = await pool.fetch("SELECT reference, location, state FROM fulfillment_order ORDER BY reference")
    return [tuple(row) for row in rows]


async def test_each_location_is_asked_for_its_lines(pool: asyncpg.Pool) -> None:
    (made,) = await planned(pool, (TWO_LINES, (EAST, WEST), False))
    assert shown(made) == [
        ("warehouse", "fulfillment_order", "shop/1#1"),
        ("3pl", "fulfillment_order", "shop/1#2"),
    ]
    asked = [decode("fulfillment_order", one.body or b"") for one in made.deliveries]
    assert [[(entry.line, entry.sku, entry.quantity.value) for entry in one.lines] for one in asked] == [
        [("1", "CD-1", 2)],
        [("2", "CD-2", 5)],
    ]
    assert {(one.order_key, one.order_number, one.ship_to.city) for one in asked} == {("shop/1", "#1", "Boise")}
    assert await states(pool) == [("shop/1#1", "EAST", "open"), ("shop/1#2", "WEST", "open")]


async def test_goods_are_asked_for_in_the_unit_they_are_kept_in(pool: asyncpg.Pool) -> None:
    cases = order("1", replace(line(1), quantity=Quantity(Decimal(2), "CS")), line(2, "CD-2", "5", "1.00"))
    parts = replace(EAST, quantities=(Quantity(Decimal(12)),)), replace(WEST, lines=(0, 1))
    (made,) = await planned(pool, (cases, parts, False))
    asked = [decode("fulfillment_order", one.body or b"") for one in made.deliveries]
    assert [[one.quantity for one in each.lines] for each in asked] == [
        [Quantity(Decimal(12))],
        [Quantity(Decimal(24)), Quantity(Decimal(5))],
    ]
    rows = await pool.fetch("SELECT lines FROM fulfillment_order ORDER BY reference")
    assert [[(one.ordered, one.unit, one.of_order) for one in load(row["lines"]).values()] for row in rows] == [
        [(12, "EA", Quantity(Decimal(1), "CS"))],
        [(24, "EA", Quantity(Decimal(2), "CS")), (5, "EA", None)],
    ]


async def test_a_unit_the_catalog_does_not_know_is_asked_for_as_it_is(pool: asyncpg.Pool) -> None:
    boxes = order("1", replace(line(1), quantity=Quantity(Decimal(2), "BX")))
    (made,) = await planned(pool, (boxes, (EAST,), False))
    (asked,) = (decode("fulfillment_order", one.body or b"") for one in made.deliveries)
    assert asked.lines[0].quantity == Quantity(Decimal(2), "BX")


async def test_a_changed_order_cancels_first_and_asks_under_new_numbers(pool: asyncpg.Pool) -> None:
    await planned(pool, (TWO_LINES, (EAST, WEST), False))
    (made,) = await planned(pool, (TWO_LINES, (EAST,), True))
    assert shown(made) == [
        ("warehouse", "fulfillment_cancel", "shop/1#1"),
        ("3pl", "fulfillment_cancel", "shop/1#2"),
        ("warehouse", "fulfillment_order", "shop/1#3"),
    ]
    (again,) = await planned(pool, (TWO_LINES, (WEST,), True))
    assert shown(again) == [("warehouse", "fulfillment_cancel", "shop/1#3"), ("3pl", "fulfillment_order", "shop/1#4")]
    assert [state for *_, state in await states(pool)] == ["cancelled", "cancelled", "cancelled", "open"]


async def test_a_cancelled_order_asks_for_nothing(pool: asyncpg.Pool) -> None:
    await planned(pool, (TWO_LINES, (EAST,), False), (order("2"), (EAST,), False))
    cancelled, untouched = await planned(pool, (TWO_LINES, (), True), (order("3"), (), False))
    assert shown(cancelled) == [("warehouse", "fulfillment_cancel", "shop/1#1")]
    assert shown(untouched) == []
    assert await states(pool) == [("shop/1#1", "EAST", "cancelled"), ("shop/2#1", "EAST", "open")]


async def test_orders_of_which_goods_have_left_are_named(pool: asyncpg.Pool) -> None:
    await planned(pool, (TWO_LINES, (EAST, WEST), False), (order("2"), (EAST,), False))
    await pool.execute("UPDATE fulfillment_order SET state = 'shipped' WHERE reference = 'shop/1#1'")
    await pool.execute("UPDATE fulfillment_order SET state = 'partly_shipped' WHERE reference = 'shop/1#2'")
    async with pool.acquire() as conn:
        left = await left_already(conn, ["shop/1", "shop/2", "shop/3"])
    assert list(left) == ["shop/1"]
    assert (left["shop/1"].rule, left["shop/1"].value) == ("fulfillment.not_shipped", "shop/1#1, shop/1#2")
