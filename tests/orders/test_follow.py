# SPDX-License-Identifier: Apache-2.0
"""Orders are followed to their end: every order of events up to a depth, with a crash before each commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec import Struct

from crossdock.canonical.billing import Invoice, InvoiceLine, Payment
from crossdock.canonical.fulfillment import FulfillmentLine, Package, Shipment
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder
from crossdock.delivery.owe import Obligation, owe
from crossdock.journal.decided import Decided, NewDelivery
from crossdock.orders.follow import SQL as LIFE
from crossdock.orders.follow import Begun, OrderMoved, begin, facts_in, follow
from crossdock.orders.life import STATES, state_of
from crossdock.orders.overdue import tell_overdue
from tests.inventory.deciding import decided_by, rules
from tests.orders.making import NOON, line, order, usd

RULES = rules(governed=False)
KEY = "shop/1"
FIRST = order("1", line(1, "CD-1", "2", "10.00", location="EAST"), line(2, "CD-2", "1", "20.00", location="WEST"))


def changed(version: int, quantity: str = "3") -> SalesOrder:
    return order(
        "1",
        line(1, "CD-1", quantity, "10.00", location="EAST"),
        line(2, "CD-2", "1", "20.00", location="WEST"),
        version=version,
    )


def shipment(number: int, lines: str, sku: str, quantity: str) -> Shipment:
    left = FulfillmentLine(line=lines, sku=sku, quantity=Quantity(Decimal(quantity)))
    return Shipment(
        shipment_id=f"s{number}",
        order_key=KEY,
        fulfillment_reference=f"{KEY}#{number}",
        carrier="UPS",
        shipped_at=NOON,
        packages=(Package(tracking_number=f"1Z{number}", lines=(left,)),),
    )


def invoice(key: str, *lines: tuple[str, str, str, str], **changes: Any) -> Invoice:
    """An invoice of (line, SKU, quantity, total) lines."""
    made = tuple(
        InvoiceLine(line=name, sku=sku, quantity=Quantity(Decimal(quantity)), total=usd(total))
        for name, sku, quantity, total in lines
    )
    given: dict[str, Any] = {
        "invoice_key": f"erp/{key}",
        "number": key,
        "order": KEY,
        "version": 1,
        "issued_at": NOON,
        "currency": "USD",
        "lines": made,
        "total": usd(str(sum((one.total.amount for one in made), Decimal(0)))),
    }
    return Invoice(**{**given, **changes})


def payment(key: str, amount: str, **changes: Any) -> Payment:
    given: dict[str, Any] = {
        "payment_key": f"bank/{key}",
        "order": KEY,
        "version": 1,
        "paid_at": NOON,
        "amount": usd(amount),
    }
    return Payment(**{**given, **changes})


DOCUMENTS: dict[str, Struct] = {
    "order": FIRST,
    "change": changed(2),
    "cancellation": msgspec.structs.replace(FIRST, version=3, status="cancelled"),
    "shipment 1": shipment(1, "1", "CD-1", "2"),
    "shipment 2": shipment(2, "2", "CD-2", "1"),
    "invoice": invoice("I1", ("1", "CD-1", "2", "20.00"), ("2", "CD-2", "1", "20.00")),
    "payment": payment("P1", "40.00"),
}
ANSWERS = {
    "ERP takes it": "sales_order",
    "warehouses take it": "fulfillment_order",
}
DEPTH = 3


@asynccontextmanager
async def undone(conn: asyncpg.Connection) -> AsyncIterator[None]:
    """Whatever is done inside has not been."""
    transaction = conn.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def step(conn: asyncpg.Connection, name: str, document_id: int) -> str:
    """Let it happen; what became of it: accepted, duplicate, or the rule that refused it."""
    if name in ANSWERS:
        await conn.execute(
            "UPDATE delivery SET state = 'delivered' WHERE operation = $1 AND state = 'due'", ANSWERS[name]
        )
        await follow(conn, [KEY])
        return "accepted"
    (decision,) = await decided_by(conn, DOCUMENTS[name], by=RULES, first=document_id, attempts=9)
    await owe(conn, [owed(document_id, one) for one in decision.deliveries])
    return told(decision)


def owed(document_id: int, delivery: NewDelivery) -> Obligation:
    return Obligation(document_id=document_id, interface="x", key=f"order/{KEY}", delivery=delivery)


def told(decision: Decided) -> str:
    if decision.error is not None:
        return decision.error.rule
    return "duplicate" if decision.duplicate else "accepted"


async def state_now(conn: asyncpg.Connection) -> str | None:
    """The state that is kept, which must be the one that the facts make and no other."""
    row = await conn.fetchrow("SELECT state, sequence FROM order_life WHERE order_key = $1", KEY)
    assert await follow(conn, [KEY]) == []
    if row is None:
        return None
    (facts,) = await conn.fetch(LIFE.life_facts, [KEY])
    assert row["state"] == state_of(facts_in(facts))
    return str(row["state"])


async def laws(conn: asyncpg.Connection, way: tuple[str, ...]) -> None:
    """Nothing is doubled, and goods add up."""
    doubled = await conn.fetch(
        "SELECT document_id FROM delivery WHERE operation = 'sales_order' GROUP BY document_id HAVING count(*) > 1"
    )
    assert doubled == []
    asked: dict[str, Decimal] = {}
    for row in await conn.fetch("SELECT state, lines FROM fulfillment_order"):
        for name, kept in msgspec.json.decode(row["lines"]).items():
            assert 0 <= Decimal(kept["shipped"]) <= Decimal(kept["ordered"])
            if row["state"] != "cancelled":
                asked[name] = asked.get(name, Decimal(0)) + Decimal(kept["ordered"])
    row = await conn.fetchrow("SELECT status, version FROM sales_order WHERE order_key = $1", KEY)
    if row is None or (set(way) & {"change", "cancellation"} and set(way) & {"shipment 1", "shipment 2"}):
        # What left after it was withdrawn is counted too; the warehouse's refusal to withdraw it is a person's case.
        return
    assert asked == ({"1": 2 if row["version"] == 1 else 3, "2": 1} if row["status"] == "open" else {})


class Explored:
    """What was found on the way. `ends`: the documents that took effect, with whoever answered → states."""

    def __init__(self) -> None:
        self.ends: dict[tuple[frozenset[str], tuple[str, ...]], set[str | None]] = {}
        self.steps = 0
        self.refusals: set[str] = set()


async def explore(conn: asyncpg.Connection, found: Explored, done: tuple[str, ...], effects: frozenset[str]) -> None:
    for name in (*DOCUMENTS, *ANSWERS):
        if name in done:
            continue
        # Once in vain: the process ends before its commit.
        async with undone(conn):
            await step(conn, name, len(done) + 1)
        async with undone(conn):
            found.steps += 1
            before = await state_now(conn)
            outcome = await step(conn, name, len(done) + 1)
            state = await state_now(conn)
            await laws(conn, (*done, name))
            if outcome not in ("accepted", "duplicate"):
                found.refusals.add(outcome)
            if outcome != "accepted":
                assert state == before, f"{name} was not taken and moved the order"
            after = effects | {name} if outcome == "accepted" else effects
            # Whether an answer reached what it answers to depends on when it came: only the documents are compared.
            answers = tuple(one for one in (*done, name) if one in ANSWERS)
            if not answers:
                found.ends.setdefault((after, answers), set()).add(state)
            # The same once more has no effect.
            if name in DOCUMENTS:
                async with undone(conn):
                    assert await step(conn, name, 99) != "accepted" or name == "order"
                    assert await state_now(conn) == state
            if len(done) + 1 < DEPTH:
                await explore(conn, found, (*done, name), after)


@pytest.mark.parametrize("known", [False, True], ids=["from nothing", "from an order"])
async def test_every_order_of_events_ends_in_the_state_that_is_known(pool: asyncpg.Pool, *, known: bool) -> None:
    found = Explored()
    async with pool.acquire() as conn, undone(conn):
        done: tuple[str, ...] = ()
        if known:
            assert await step(conn, "order", 50) == "accepted"
            done = ("order",)
        await explore(conn, found, done, frozenset(done))
    assert found.steps > 60
    assert {key: states for key, states in found.ends.items() if len(states) > 1} == {}
    assert found.refusals <= {
        "shipment.order_known",
        "invoice.order_known",
        "payment.order_known",
        "fulfillment.not_shipped",
        "shipment.quantity",
        "order.sku_known",
    }


async def test_a_life_is_told_move_by_move(pool: asyncpg.Pool) -> None:
    seen: list[OrderMoved] = []
    script = [
        "order",
        "ERP takes it",
        "warehouses take it",
        "shipment 1",
        "payment",
        "shipment 2",
        "invoice",
    ]
    async with pool.acquire() as conn:
        for number, name in enumerate(script, 1):
            if name in ANSWERS:
                await conn.execute("UPDATE delivery SET state = 'delivered' WHERE operation = $1", ANSWERS[name])
                seen += await follow(conn, [KEY])
                continue
            (decision,) = await decided_by(conn, DOCUMENTS[name], by=RULES, first=number)
            await owe(conn, [owed(number, one) for one in decision.deliveries])
            events = [event for event in decision.events if event.type == "sales_order.state_changed"]
            assert all(event.key == f"order/{KEY}" for event in events)
            seen += [msgspec.json.decode(event.data, type=OrderMoved) for event in events]
    assert [(one.before, one.state, one.sequence) for one in seen] == [
        ("accepted", "acknowledged", 2),
        ("acknowledged", "allocated", 3),
        ("allocated", "partly_shipped", 4),
        ("partly_shipped", "shipped", 5),
        ("shipped", "closed", 6),
    ]
    assert {(one.channel, one.number, one.entity, one.version) for one in seen} == {("shop", "#1", "us", 1)}
    for before, after in [(one.before, one.state) for one in seen]:
        assert after in STATES[before].to


async def test_a_change_must_reach_the_erp_anew(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        for number, name in enumerate(["order", "ERP takes it", "change", "ERP takes it"], 1):
            await step(conn, name, number)
            if name == "change":
                assert await state_now(conn) == "accepted"
        assert await state_now(conn) == "acknowledged"


async def test_a_void_invoice_and_a_reversed_payment_are_taken_back(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        names = ["order", "ERP takes it", "shipment 1", "shipment 2", "invoice", "payment"]
        for number, name in enumerate(names, 1):
            await step(conn, name, number)
        assert await state_now(conn) == "closed"
        back = msgspec.structs.replace(payment("P1", "40.00"), version=2, status="reversed")
        assert told((await decided_by(conn, back, by=RULES, first=20))[0]) == "accepted"
        assert await state_now(conn) == "invoiced"
        void = msgspec.structs.replace(DOCUMENTS["invoice"], version=2, status="void")
        assert told((await decided_by(conn, void, by=RULES, first=21))[0]) == "accepted"
        assert await state_now(conn) == "shipped"


async def test_keys_without_an_order_are_passed_over(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        assert await follow(conn, []) == []
        assert await follow(conn, ["shop/none"]) == []
        await begin(conn, [])
        await begin(conn, [Begun(order("2"), "accepted", 1)])
        assert await follow(conn, ["shop/2"]) == []


async def test_what_stays_too_long_is_told_once_a_stay(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await step(conn, "order", 1)
    within = {"accepted": timedelta(minutes=5), "acknowledged": timedelta(minutes=5)}
    assert await tell_overdue(pool, within) == 0
    await pool.execute("UPDATE order_life SET since = now() - interval '6 minutes'")
    assert await tell_overdue(pool, {"shipped": timedelta(0)}) == 0
    assert await tell_overdue(pool, within) == 1
    assert await tell_overdue(pool, within) == 0
    async with pool.acquire() as conn:
        await step(conn, "ERP takes it", 2)
    await pool.execute("UPDATE order_life SET since = now() - interval '6 minutes'")
    assert await tell_overdue(pool, within) == 1
    rows = await pool.fetch("SELECT key, data FROM event WHERE type = 'sales_order.overdue' ORDER BY id")
    told_of = [msgspec.json.decode(row["data"]) for row in rows]
    assert [(one["state"], one["sequence"], one["within_seconds"]) for one in told_of] == [
        ("accepted", 1, 300.0),
        ("acknowledged", 2, 300.0),
    ]
    assert {row["key"] for row in rows} == {f"order/{KEY}"}
