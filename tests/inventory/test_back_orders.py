# SPDX-License-Identifier: Apache-2.0
"""What is there ships, the rest when it has come: in the order of waiting, never twice, and not if it is cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from crossdock.canonical.fulfillment import BackOrder, FulfillmentOrder, Shipment
from crossdock.canonical.objects import decode, encode
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.decide_orders import Rules
from crossdock.inventory.allocate import Granted, allocate
from crossdock.inventory.back_orders import interface_of, look_for_goods
from crossdock.inventory.level import Level, Levels
from crossdock.inventory.needs import Owed, Wish
from crossdock.journal.decided import Decided, Routed
from tests.inventory.deciding import check_laws, decided, fill_catalog, moved, movements, rules
from tests.orders.making import line, order


def splitting() -> Rules:
    """An estate whose shop splits orders."""
    by = rules()
    channels = {name: msgspec.structs.replace(one, when_short="split") for name, one in by.policy.channels.items()}
    return msgspec.structs.replace(by, policy=msgspec.structs.replace(by.policy, channels=channels))


@pytest_asyncio.fixture
async def shop(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.Pool]:
    """A database with 10 of CD-1 at EAST; its laws hold at the end, and no order is promised more than it asks for."""
    async with pool.acquire() as conn:
        await fill_catalog(conn)
    await decided(pool, movements(moved("o1", "10")))
    yield pool
    await check_laws(pool)


async def placed(pool: asyncpg.Pool, *orders: SalesOrder, first: int = 100) -> list[Decided]:
    """Decide on orders and keep their bodies as the flow does."""
    decisions = await decided(pool, *orders, by=splitting(), first=first, received_at=datetime.now(UTC))
    for number, decision in enumerate(decisions, first):
        if decision.body:
            await _document(pool, number, decision.body)
    return decisions


async def _document(pool: asyncpg.Pool, number: int, body: bytes) -> None:
    await pool.execute(
        "INSERT INTO document_version (document_id, number, stage, body, made_by) VALUES ($1, 1, 'canonical', $2, 't')",
        number,
        body,
    )


async def came(pool: asyncpg.Pool, number: int, quantity: str, location: str = "EAST") -> None:
    await decided(pool, movements(moved(f"n{number}", quantity, minute=number, location=location)), first=number)


async def look(pool: asyncpg.Pool) -> list[BackOrder]:
    """What is kept because goods may have come, in its order."""
    before = await pool.fetchval("SELECT coalesce(max(id), 0) FROM message")
    await look_for_goods(pool, lambda channel: channel == "shop")
    rows = await pool.fetch(
        "SELECT body FROM message WHERE id > $1 AND interface = $2 ORDER BY id", before, interface_of("shop")
    )
    return [decode("back_order", row["body"]) for row in rows]


async def fill(pool: asyncpg.Pool, first: int) -> list[Decided]:
    return await decided(pool, *await look(pool), by=splitting(), first=first)


def asked(decision: Decided) -> list[tuple[str, str, list[tuple[str, Decimal]]]]:
    """Reference, location and lines of every fulfillment order."""
    orders: list[FulfillmentOrder] = [
        decode("fulfillment_order", one.body)
        for one in decision.deliveries
        if one.operation == "fulfillment_order" and one.body is not None
    ]
    return [(one.reference, one.location, [(each.line, each.quantity.value) for each in one.lines]) for one in orders]


async def waiting(pool: asyncpg.Pool) -> list[tuple[str, str, int]]:
    rows = await pool.fetch("SELECT order_key, line, quantity FROM back_order ORDER BY since, order_key, line")
    return [(row[0], row[1], int(row[2])) for row in rows]


async def state(pool: asyncpg.Pool, key: str = "shop/1") -> str:
    found: str = await pool.fetchval("SELECT state FROM order_life WHERE order_key = $1", key)
    return found


async def test_what_is_there_ships_and_the_rest_when_it_has_come(shop: asyncpg.Pool) -> None:
    (decision,) = await placed(shop, order("1", line(1, quantity="8"), line(2, quantity="5")))
    assert decision.accepted
    assert asked(decision) == [("shop/1#1", "EAST", [("1", 8), ("2", 2)])]
    assert await waiting(shop) == [("shop/1", "2", 3)]
    why = msgspec.json.decode(await shop.fetchval("SELECT decision FROM sales_order"))["why"]
    assert why[-1] == "back-ordered: 3 EA of CD-1 (line 2) ships when goods have come"
    assert await look(shop) == []
    await came(shop, 2, "2", "WEST")
    (part,) = await fill(shop, 200)
    assert asked(part) == [("shop/1#2", "WEST", [("2", 2)])]
    assert part.note == "goods have come: 2 EA of CD-1 from WEST; 1 line(s) still wait"
    assert await waiting(shop) == [("shop/1", "2", 1)]
    await came(shop, 3, "7")
    (rest,) = await fill(shop, 201)
    assert asked(rest) == [("shop/1#3", "EAST", [("2", 1)])]
    assert await waiting(shop) == []
    assert await look(shop) == []
    states = await shop.fetch("SELECT reference, state FROM fulfillment_order ORDER BY 1")
    assert [tuple(row) for row in states] == [(f"shop/1#{number}", "open") for number in (1, 2, 3)]


async def test_an_order_of_which_nothing_is_there_is_accepted_and_waits(shop: asyncpg.Pool) -> None:
    (decision,) = await placed(shop, order("1", line(1, "CD-2", "5")))
    assert (decision.accepted, asked(decision)) == (True, [])
    assert [one.operation for one in decision.deliveries] == ["sales_order"]
    assert await waiting(shop) == [("shop/1", "1", 5)]


async def test_who_waits_longer_is_served_first_also_before_new_orders(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="14")), first=100)
    await placed(shop, order("2", line(1, quantity="3")), first=101)
    assert await waiting(shop) == [("shop/1", "1", 4), ("shop/2", "1", 3)]
    await came(shop, 2, "5")
    (new,) = await placed(shop, order("3", line(1, quantity="1")), first=102)
    assert asked(new) == []
    notices = await look(shop)
    decisions = await decided(shop, *reversed(notices), by=splitting(), first=200)
    assert [asked(one) for one in reversed(decisions)] == [
        [("shop/1#2", "EAST", [("1", 4)])],
        [("shop/2#1", "EAST", [("1", 1)])],
        [],
    ]
    assert await waiting(shop) == [("shop/2", "1", 2), ("shop/3", "1", 1)]
    await came(shop, 3, "9")
    await fill(shop, 300)
    assert await waiting(shop) == []
    assert await shop.fetchval("SELECT on_hand - allocated FROM stock_level WHERE location = 'EAST'") == 6


async def test_the_same_notice_twice_promises_nothing_twice(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="12")))
    await came(shop, 2, "9")
    notices = await look(shop)
    assert await look(shop) == []
    await decided(shop, *notices, by=splitting(), first=200)
    (again,) = await decided(shop, *notices, by=splitting(), first=201)
    assert (again.deliveries, again.note) == ((), "nothing of the order waits for goods any more")
    assert await shop.fetchval("SELECT sum(quantity) FROM allocation") == 12


async def test_a_cancelled_order_waits_for_nothing_and_a_changed_one_for_what_it_asks_now(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="12")), order("2", line(1, quantity="4")))
    assert await waiting(shop) == [("shop/1", "1", 2), ("shop/2", "1", 4)]
    await placed(shop, order("1", line(1, quantity="12"), version=2, status="cancelled"), first=110)
    assert await waiting(shop) == [("shop/2", "1", 4)]
    await placed(shop, order("2", line(1, quantity="6"), version=2), first=111)
    assert await waiting(shop) == [("shop/2", "1", 6)]
    await came(shop, 2, "1")
    (decision,) = await fill(shop, 200)
    assert asked(decision) == [("shop/2#1", "EAST", [("1", 1)])]


async def test_an_order_is_shipped_when_nothing_of_it_waits_any_more(shop: asyncpg.Pool) -> None:
    await placed(shop, order("1", line(1, quantity="12")))
    await _shipped(shop, "shop/1#1", 10, 150)
    assert await state(shop) == "partly_shipped"
    await came(shop, 2, "2")
    await fill(shop, 200)
    assert await state(shop) == "partly_shipped"
    await _shipped(shop, "shop/1#2", 2, 250)
    assert await state(shop) == "shipped"


async def _shipped(pool: asyncpg.Pool, reference: str, quantity: int, first: int) -> None:
    shipment = msgspec.convert(
        {
            "shipment_id": f"S{first}",
            "order_key": "shop/1",
            "fulfillment_reference": reference,
            "shipped_at": "2026-11-23T13:00:00Z",
            "packages": [{"lines": [{"line": "1", "sku": "CD-1", "quantity": {"value": quantity}}]}],
        },
        Shipment,
        strict=False,
    )
    assert encode(shipment)
    left = movements(moved(f"s{first}", f"-{quantity}", "ship", first, reference=reference))
    decisions = await decided(pool, shipment, left, by=splitting(), first=first)
    assert all(one.error is None for one in decisions)


PRODUCTS = {"A": ProductFacts("EA", "", True, True)}
PLACES = ("EAST", "NORTH", "WEST")


@given(
    st.lists(st.integers(0, 6), min_size=3, max_size=3),
    st.lists(st.tuples(st.lists(st.sampled_from(PLACES), min_size=1, unique=True), st.integers(1, 5)), max_size=4),
    st.integers(1, 12),
)
def test_what_is_taken_and_what_waits_come_to_what_is_asked_and_others_keep_theirs(
    there: list[int], owed: list[tuple[list[str], int]], quantity: int
) -> None:
    levels = Levels(
        [Level("A", place, Decimal(number)) for place, number in zip(PLACES, there, strict=True)],
        [("A", place) for place in PLACES],
    )
    given_: dict[str, Any] = {"entity": "us", "erp": "erp", "splits": (), "record": b"{}", "rules": "r/1"}
    wish = Wish(
        order=order("1", line(1, "A", str(quantity))),
        routed=Routed(**given_),
        locations=PLACES,
        system_of=dict.fromkeys(PLACES, "wms"),
        held={},
        before=(),
        waited=0.0,
        when_short="split",
        owed=[Owed("A", places, Decimal(number)) for places, number in owed],
    )
    result = allocate(wish, PRODUCTS, levels, 60.0)
    assert isinstance(result, Granted)
    taken = sum((one.quantity for one in result.taken), Decimal(0))
    assert taken + sum((need.quantity for need in result.waiting), Decimal(0)) == quantity
    assert taken == min(quantity, max(sum(there) - _served(there, owed), 0))


def _served(there: list[int], owed: list[tuple[list[str], int]]) -> int:
    """How much of what is there is left to the others, each served in turn from its places in their order."""
    left = dict(zip(PLACES, there, strict=True))
    for places, number in owed:
        for place in places:
            some = min(left[place], number)
            left[place] -= some
            number -= some
    return sum(there) - sum(left.values())
