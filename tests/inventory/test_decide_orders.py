# SPDX-License-Identifier: Apache-2.0
"""Orders of an estate that governs its stock, end to end through `decide`: rows, levels and laws after every step."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest_asyncio

from crossdock.canonical.fulfillment import FulfillmentOrder
from crossdock.canonical.objects import decode
from crossdock.canonical.quantity import Quantity
from crossdock.decide import decide
from crossdock.errors import NeedsEdit, RetryLater
from crossdock.inventory.withdraw import free_withdrawn
from crossdock.journal.decided import Decided
from crossdock.routing.policy import ChannelFacts, LocationFacts
from tests.inventory.deciding import check_laws, counted, decided, fill_catalog, moved, movements, rules
from tests.orders.making import line, order, translated


@pytest_asyncio.fixture
async def shop(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Pool]:
    """A database with products, 10 of CD-1 at EAST and 4 at WEST, 3 of CD-2 at WEST; its laws hold at the end."""
    async with pool.acquire() as conn:
        await fill_catalog(conn)
    await decided(
        pool,
        movements(
            moved("o1", "10"), moved("o2", "4", location="WEST"), moved("o3", "3", sku="CD-2", location="WEST")
        ),
    )  # fmt: skip
    yield pool
    await check_laws(pool)


async def placed(pool: asyncpg.Pool, *orders: Any, first: int = 100, seconds: float = 0.0) -> list[Decided]:
    """The decisions on orders that came so many seconds ago."""
    came = datetime.now(UTC) - timedelta(seconds=seconds)
    return await decided(pool, *orders, by=rules(hold_for=timedelta(minutes=5)), first=first, received_at=came)


async def levels(pool: asyncpg.Pool) -> dict[tuple[str, str], tuple[int, int, int]]:
    """On hand, allocated and reserved of every level."""
    rows = await pool.fetch("SELECT sku, location, on_hand, allocated, reserved FROM stock_level")
    return {(row[0], row[1]): (int(row[2]), int(row[3]), int(row[4])) for row in rows}


async def held(pool: asyncpg.Pool) -> list[tuple[str, str, str, str, int, int]]:
    """Reference, line, SKU, location, quantity and what of it is freed, of every allocation."""
    rows = await pool.fetch("SELECT * FROM allocation ORDER BY reference, line, sku")
    return [
        (row["reference"], row["line"], row["sku"], row["location"], int(row["quantity"]), int(row["freed"]))
        for row in rows
    ]


async def own_rows(pool: asyncpg.Pool) -> list[tuple[str, str, int, int]]:
    """Our own ledger rows: kind, id, quantity and what they changed of what is allocated."""
    rows = await pool.fetch("SELECT * FROM stock_movement WHERE source = 'crossdock' ORDER BY movement_id")
    return [(row["kind"], row["movement_id"], int(row["quantity"]), int(row["allocated"])) for row in rows]


def to_ship(decision: Decided) -> dict[str, list[tuple[str, str, Decimal]]]:
    """What warehouses are asked to ship: by location, line, SKU and quantity."""
    asked: list[FulfillmentOrder] = [
        decode("fulfillment_order", delivery.body)
        for delivery in decision.deliveries
        if delivery.operation == "fulfillment_order" and delivery.body is not None
    ]
    return {one.location: [(each.line, each.sku, each.quantity.value) for each in one.lines] for one in asked}


async def test_an_accepted_order_is_promised_its_goods(shop: asyncpg.Pool) -> None:
    (decision,) = await placed(shop, order("1", line(1, quantity="2")))
    assert decision.accepted
    assert to_ship(decision) == {"EAST": [("1", "CD-1", 2)]}
    assert await held(shop) == [("shop/1#1", "1", "CD-1", "EAST", 2, 0)]
    assert await own_rows(shop) == [("allocation", "shop/1#1/1/CD-1", 2, 2)]
    assert (await levels(shop))["CD-1", "EAST"] == (10, 2, 0)
    data = await shop.fetchval("SELECT data FROM event WHERE type = 'inventory.level.changed' ORDER BY id DESC LIMIT 1")
    (element,) = msgspec.json.decode(data)
    assert (element["key"], element["data"]["allocated"]) == ("stock/CD-1@EAST", "2")


async def test_what_ships_is_freed_and_no_more_than_was_held(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="4")))
    shipped = movements(
        moved("s1", "-3", "ship", 5, reference="shop/1#1"), moved("s2", "-3", "ship", 6, reference="shop/1#1")
    )
    await decided(shop, shipped, first=2)
    assert (await levels(shop))["CD-1", "EAST"] == (4, 0, 0)
    assert await held(shop) == [("shop/1#1", "1", "CD-1", "EAST", 4, 4)]
    await decided(shop, shipped, first=3)
    assert (await levels(shop))["CD-1", "EAST"] == (4, 0, 0)


async def test_a_shipment_from_before_a_count_frees_and_takes_nothing_off(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="4")))
    await decided(shop, counted("c1", 9, ("CD-1", "6")), first=2)
    await decided(shop, movements(moved("s1", "-4", "ship", 5, reference="shop/1#1")), first=3)
    assert (await levels(shop))["CD-1", "EAST"] == (6, 0, 0)


async def test_an_order_that_came_cancelled_gives_its_reservation_back(shop: asyncpg.Pool) -> None:
    await reserve(shop, 4)
    await placed(shop, order("1", line(1, quantity="3"), reservation="rsv_1", status="cancelled"))
    assert (await levels(shop))["CD-1", "WEST"] == (4, 0, 0)
    assert tuple(await shop.fetchrow("SELECT state, order_key FROM reservation")) == ("released", "shop/1")


async def test_naming_another_channels_reservation_gives_no_right_to_its_goods(shop: asyncpg.Pool) -> None:
    await reserve(shop, 4)
    await shop.execute("UPDATE reservation SET channel = 'portal'")
    (decision,) = await placed(shop, order("1", line(1, quantity="3"), reservation="rsv_1"))
    assert to_ship(decision) == {"EAST": [("1", "CD-1", 3)]}
    assert (await levels(shop))["CD-1", "WEST"] == (4, 0, 4)
    assert await shop.fetchval("SELECT state FROM reservation") == "active"


async def test_a_batch_gives_a_reservation_to_the_channel_that_made_it(shop: asyncpg.Pool) -> None:
    await reserve(shop, 4)
    by = rules()
    portal = ChannelFacts(name="portal", system="shop", entity="us", currency="USD", customer="C-1")
    policy = msgspec.structs.replace(by.policy, channels={**by.policy.channels, "portal": portal})
    by = msgspec.structs.replace(by, policy=policy)
    others, own = (
        order(key, line(1, quantity="3"), reservation="rsv_1", channel=channel)
        for key, channel in (("1", "portal"), ("2", "shop"))
    )
    last = order("3", line(1, quantity="1"), reservation="rsv_1", channel="portal")
    decisions = await decided(shop, others, own, last, by=by, first=100)
    assert [list(to_ship(one)) for one in decisions] == [["EAST"], ["WEST"], ["EAST"]]
    assert tuple(await shop.fetchrow("SELECT state, order_key FROM reservation")) == ("allocated", "shop/2")
    assert (await levels(shop))["CD-1", "WEST"] == (4, 3, 0)


async def test_what_is_freed_names_the_document_that_freed_it(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="4")), order("2", line(1, quantity="2")))
    await placed(
        shop, order("1", line(1, quantity="3"), version=2), order("2", line(1, quantity="1"), version=2), first=200
    )
    rows = await shop.fetch("SELECT reference, document_id FROM stock_movement WHERE kind = 'release' ORDER BY 1")
    assert [tuple(row) for row in rows] == [("shop/1#1", 200), ("shop/2#1", 201)]


async def test_a_cancelled_order_gives_its_goods_back(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="4")))
    (decision,) = await placed(shop, order("1", line(1, quantity="4"), version=2, status="cancelled"))
    assert [(one.system, one.operation) for one in decision.deliveries] == [
        ("erp", "order_cancel"),
        ("wms-east", "fulfillment_cancel"),
    ]
    # Until the warehouse has agreed, it may still ship them.
    assert (await levels(shop))["CD-1", "EAST"] == (10, 4, 0)
    assert await free_withdrawn(shop) == 0
    await shop.execute("INSERT INTO withdrawn_fulfillment (reference) VALUES ('shop/1#1')")
    assert await free_withdrawn(shop) == 1
    assert (await levels(shop))["CD-1", "EAST"] == (10, 0, 0)
    assert [row[:3] for row in await own_rows(shop)] == [
        ("allocation", "shop/1#1/1/CD-1", 4),
        ("release", "shop/1#1/1/CD-1/4", 4),
    ]
    assert await free_withdrawn(shop) == 0


async def test_what_shipped_before_it_could_be_cancelled_is_freed_once(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="4")))
    await placed(shop, order("1", line(1, quantity="4"), version=2, status="cancelled"))
    await decided(shop, movements(moved("s1", "-3", "ship", 5, reference="shop/1#1")), first=3)
    assert (await levels(shop))["CD-1", "EAST"] == (7, 1, 0)
    await shop.execute("INSERT INTO withdrawn_fulfillment (reference) VALUES ('shop/1#1')")
    assert await free_withdrawn(shop) == 1
    assert (await levels(shop))["CD-1", "EAST"] == (7, 0, 0)


async def test_a_smaller_order_holds_what_it_held_until_the_warehouse_agrees(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="4")))
    await placed(shop, order("1", line(1, quantity="3"), version=2), first=101)
    assert (await levels(shop))["CD-1", "EAST"] == (10, 4, 0)
    assert await held(shop) == [("shop/1#1", "1", "CD-1", "EAST", 4, 3), ("shop/1#2", "1", "CD-1", "EAST", 3, 0)]
    await shop.execute("INSERT INTO withdrawn_fulfillment (reference) VALUES ('shop/1#1')")
    await free_withdrawn(shop)
    assert (await levels(shop))["CD-1", "EAST"] == (10, 3, 0)


async def test_a_changed_order_is_allocated_anew(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="9")))
    (decision,) = await placed(shop, order("1", line(1, quantity="10"), version=2), first=101)
    assert to_ship(decision) == {"EAST": [("1", "CD-1", 10)]}
    assert (await levels(shop))["CD-1", "EAST"] == (10, 10, 0)
    assert await held(shop) == [("shop/1#1", "1", "CD-1", "EAST", 9, 9), ("shop/1#2", "1", "CD-1", "EAST", 10, 0)]


async def test_a_line_that_no_location_has_whole_ships_from_two(shop: asyncpg.Pool) -> None:
    (decision,) = await placed(shop, order("1", line(1, quantity="12"), line(2, "CD-2", "1")))
    assert to_ship(decision) == {"EAST": [("1", "CD-1", 10)], "WEST": [("1", "CD-1", 2), ("2", "CD-2", 1)]}
    assert [(row[0], row[3], row[4]) for row in await held(shop)] == [
        ("shop/1#1", "EAST", 10),
        ("shop/1#2", "WEST", 2),
        ("shop/1#2", "WEST", 1),
    ]
    assert (await levels(shop))["CD-1", "WEST"] == (4, 2, 0)


async def test_orders_of_one_batch_do_not_get_the_same_goods(shop: asyncpg.Pool) -> None:
    decisions = await placed(shop, *(order(str(number), line(1, quantity="5")) for number in range(1, 5)))
    assert [decision.error is None for decision in decisions] == [True, True, False, False]
    assert (await levels(shop))["CD-1", "EAST"] == (10, 10, 0)


async def test_an_order_waits_for_stock_then_needs_a_person_and_goes_on_when_it_came(shop: asyncpg.Pool) -> None:
    wanted = order("1", line(1, quantity="15"))
    (early,) = await placed(shop, wanted)
    assert isinstance(early.error, RetryLater)
    assert early.error.reason == "waits for stock: line 1: 1 of 15 EA CD-1 missing"
    (late,) = await placed(shop, wanted, seconds=301)
    assert isinstance(late.error, NeedsEdit)
    assert (late.error.rule, late.error.field, late.error.value) == ("order.stock", "lines[0].quantity", 15)
    assert await shop.fetchval("SELECT count(*) FROM sales_order") == 0
    assert await held(shop) == []
    assert (await levels(shop))["CD-1", "EAST"] == (10, 0, 0)
    await decided(shop, movements(moved("n1", "5", minute=9)), first=2)
    (retried,) = await placed(shop, wanted, seconds=400)
    assert retried.accepted
    assert to_ship(retried) == {"EAST": [("1", "CD-1", 15)]}


async def test_a_line_bound_to_a_location_without_a_system_is_accepted_and_asked_of_nobody(shop: asyncpg.Pool) -> None:
    by = rules()
    policy = msgspec.structs.replace(
        by.policy, locations={**by.policy.locations, "PARTNER": LocationFacts(name="PARTNER", system="")}
    )
    bound = order("1", line(1, quantity="2", location="PARTNER"), line(2, quantity="3"))
    (decision,) = await decided(shop, bound, by=msgspec.structs.replace(by, policy=policy), first=100)
    assert decision.accepted
    assert to_ship(decision) == {"EAST": [("2", "CD-1", 3)]}
    assert (await levels(shop))["CD-1", "EAST"] == (10, 3, 0)


async def test_goods_that_came_in_the_same_batch_are_there_for_its_orders(shop: asyncpg.Pool) -> None:
    async with shop.acquire() as conn, conn.transaction():
        decisions = await decide(
            conn,
            rules(),
            [
                translated(order("1", line(1, quantity="13")), "sales_order", 100),
                translated(movements(moved("n1", "3", minute=9)), "stock_movements", 101),
            ],
        )
    assert [decision.accepted for decision in decisions] == [True, True]


async def reserve(pool: asyncpg.Pool, quantity: int, location: str = "WEST") -> None:
    """A reservation `rsv_1` of CD-1, as the reservations API writes it."""
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(
            "INSERT INTO reservation (id, channel, idempotency_key, digest, expires_at, body)"
            " VALUES ('rsv_1', 'shop', 'k', 1, now() + interval '1 hour', '{}')"
        )
        await conn.execute(
            "INSERT INTO reservation_line VALUES ('rsv_1', '1', 'CD-1', $1, $2)", location, Decimal(quantity)
        )
        await conn.execute(
            "UPDATE stock_level SET reserved = $2 WHERE sku = 'CD-1' AND location = $1", location, Decimal(quantity)
        )


async def test_an_order_takes_its_reservation_over_and_leaves_the_rest_of_it(shop: asyncpg.Pool) -> None:
    await reserve(shop, 4)
    (decision,) = await placed(shop, order("1", line(1, quantity="3"), reservation="rsv_1"))
    assert to_ship(decision) == {"WEST": [("1", "CD-1", 3)]}
    assert (await levels(shop))["CD-1", "WEST"] == (4, 3, 0)
    row = await shop.fetchrow("SELECT state, order_key FROM reservation")
    assert tuple(row) == ("allocated", "shop/1")


async def test_what_is_reserved_is_nobody_elses(shop: asyncpg.Pool) -> None:
    await reserve(shop, 10, "EAST")
    (decision,) = await placed(shop, order("1", line(1, quantity="5")))
    assert isinstance(decision.error, RetryLater)
    (decision,) = await placed(shop, order("2", line(1, quantity="4")), first=101)
    assert to_ship(decision) == {"WEST": [("1", "CD-1", 4)]}


async def test_an_ended_reservation_holds_nothing_and_its_order_is_allocated_all_the_same(shop: asyncpg.Pool) -> None:
    await reserve(shop, 4)
    await shop.execute("UPDATE reservation SET state = 'expired', ended_at = now()")
    await shop.execute("UPDATE stock_level SET reserved = 0")
    (decision,) = await placed(shop, order("1", line(1, quantity="3"), reservation="rsv_1"))
    assert to_ship(decision) == {"EAST": [("1", "CD-1", 3)]}


async def test_a_case_is_allocated_in_eaches(shop: asyncpg.Pool) -> None:
    await decided(shop, movements(moved("n1", "14", minute=9)), first=2)
    case = msgspec.structs.replace(line(1, quantity="1"), quantity=Quantity(Decimal(1), "CS"))
    (decision,) = await placed(shop, order("1", msgspec.structs.replace(case, total=line(1, quantity="1").total)))
    assert decision.accepted
    assert [(row[2], row[4]) for row in await held(shop)] == [("CD-1", 12)]
