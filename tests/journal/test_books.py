# SPDX-License-Identifier: Apache-2.0
"""The books balance when all is well and do not when a document is lost, doubled or forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest_asyncio

from crossdock.journal.books import Contradiction, Lines, balance, delivery_books, open_documents
from tests.journal.filling import ERP, NOON, ORDERS, STOCK, Filling


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    async with pool.acquire() as conn:
        filling = Filling(conn)
        await filling.interfaces()
        yield filling


async def a_morning(fill: Filling) -> dict[str, int]:
    """One document in each state, two duplicates and a refusal."""
    ids = {}
    for number, state in enumerate(("received", "retry", "settled", "duplicate", "rejected")):
        ids[state] = await fill.document(f"order/shopify-us/{number}", state, items=number + 1)
    ids["case"] = await fill.document("order/shopify-us/8", "case", items=10)
    await fill.case(ids["case"])
    ids["delivering"] = await fill.document("order/shopify-us/9", "delivering", "deliver", open_deliveries=1, items=20)
    await fill.delivery(ids["delivering"], key="order/shopify-us/9")
    for _ in range(2):
        await fill.conn.execute("INSERT INTO duplicate (interface, dedup_key) VALUES ($1, 'm-1')", ORDERS)
    await fill.conn.execute(
        "INSERT INTO rejection (interface, rule, reason, size) VALUES ($1, 'headers', 'no topic', 3)", ORDERS
    )
    return ids


async def test_every_document_is_in_exactly_one_column(fill: Filling) -> None:
    await a_morning(fill)
    orders, stock = await balance(fill.conn)
    assert orders.interface == ORDERS
    assert orders.owner == "shopify-us-team"
    assert (orders.received, orders.duplicate, orders.rejected, orders.settled, orders.open) == (10, 3, 2, 1, 4)
    assert (orders.waiting, orders.retrying, orders.in_case, orders.delivering) == (1, 1, 1, 1)
    assert orders.lines == Lines(received=45, duplicate=4, rejected=5, settled=3, open=33)
    assert orders.contradictions == ()
    assert orders.balanced
    assert (stock.interface, stock.received, stock.balanced) == (STOCK, 0, True)


async def test_a_lost_document_unbalances_the_books(fill: Filling) -> None:
    await a_morning(fill)
    lost = await fill.message()
    orders = (await balance(fill.conn))[0]
    assert not orders.balanced
    assert orders.received - orders.duplicate - orders.rejected - orders.settled - orders.open == 1
    assert orders.contradictions == (Contradiction(what="messages bear no document", number=1, example=lost),)


async def test_a_doubled_document_unbalances_the_books(fill: Filling) -> None:
    message = await fill.message()
    await fill.document(message_id=message, state="settled")
    await fill.document(message_id=message, state="settled")
    orders = (await balance(fill.conn))[0]
    assert (orders.received, orders.settled, orders.balanced) == (1, 2, False)


async def test_a_lost_and_a_doubled_document_do_not_cancel_out(fill: Filling) -> None:
    message = await fill.message()
    await fill.document(message_id=message, state="settled")
    await fill.document(message_id=message, state="settled")
    await fill.message()
    orders = (await balance(fill.conn))[0]
    assert orders.received == orders.settled == 2
    assert not orders.balanced


async def test_a_case_that_nobody_sees_unbalances_the_books(fill: Filling) -> None:
    hidden = await fill.document(state="case")
    orders = (await balance(fill.conn))[0]
    what = "documents wait for a person but no case is open"
    assert orders.contradictions == (Contradiction(what=what, number=1, example=hidden),)
    assert not orders.balanced


async def test_a_stuck_delivery_that_nobody_sees_unbalances_the_books(fill: Filling) -> None:
    document = await fill.document(state="case", step="deliver", open_deliveries=1)
    await fill.case(document)
    await fill.delivery(document, "case")
    books = {book.interface: book for book in await balance(fill.conn)}
    what = "deliveries wait for a person but no case is open"
    assert books[ERP].contradictions == (Contradiction(what=what, number=1, example=document),)
    assert not books[ERP].balanced


async def test_an_obligation_of_a_settled_document_unbalances_the_books(fill: Filling) -> None:
    document = await fill.document(state="settled", step="done")
    await fill.delivery(document)
    found = [c for book in await balance(fill.conn) for c in book.contradictions]
    what = "documents miscount the deliveries they still owe"
    assert found == [Contradiction(what=what, number=1, example=document)]


async def test_a_forgotten_obligation_unbalances_the_books(fill: Filling) -> None:
    document = await fill.document(state="delivering", step="deliver")
    orders = (await balance(fill.conn))[0]
    what = "documents are being delivered but owe nothing"
    assert orders.contradictions == (Contradiction(what=what, number=1, example=document),)


async def test_parts_are_no_extra_receipt(fill: Filling) -> None:
    batch = await fill.document("stock/warehouse/ab", "settled", interface=STOCK)
    message = await fill.conn.fetchval("SELECT message_id FROM document WHERE id = $1", batch)
    part = await fill.document(
        "stock/warehouse/ab/3", "case", "decide", interface=STOCK, message_id=message, parent_id=batch
    )
    await fill.case(part, interface=STOCK)
    stock = (await balance(fill.conn))[1]
    assert (stock.received, stock.settled, stock.open, stock.parts, stock.parts_open) == (1, 1, 0, 1, 1)
    assert stock.balanced


async def test_an_interface_that_left_the_estate_keeps_its_book(fill: Filling) -> None:
    await fill.document(interface="gone.orders", state="settled")
    books = {book.interface: book for book in await balance(fill.conn)}
    assert (books["gone.orders"].received, books["gone.orders"].owner, books["gone.orders"].balanced) == (1, "", True)


async def test_what_systems_are_owed(fill: Filling) -> None:
    document = await fill.document(state="delivering", step="deliver")
    for state in ("due", "sending", "case", "delivered", "delivered", "cancelled"):
        await fill.delivery(document, state)
    await fill.delivery(document, "due", system="warehouse", operation="fulfillment_order")
    erp, warehouse = await delivery_books(fill.conn)
    assert (erp.system, erp.operation, erp.owed, erp.delivered, erp.open, erp.cancelled) == (
        "netsuite", "sales_order", 6, 2, 3, 1,
    )  # fmt: skip
    assert (erp.due, erp.sending, erp.in_case, erp.balanced) == (1, 1, 1, True)
    assert (warehouse.system, warehouse.owed, warehouse.open) == ("warehouse", 1, 1)


async def test_open_documents_come_with_owner_deadline_and_reason(fill: Filling) -> None:
    early = await fill.document("order/shopify-us/1", "retry", received_at=NOON, note="the ERP asked us to wait")
    late = await fill.document("order/shopify-us/2", "case", received_at=NOON + timedelta(minutes=1))
    await fill.case(late, owner="jo", reason="no such SKU")
    waiting = await fill.document("stock/warehouse/1", interface=STOCK, received_at=NOON - timedelta(hours=1))
    await fill.document("order/shopify-us/3", "settled")
    documents = await open_documents(fill.conn, 10)
    assert [d.document_id for d in documents] == [early, late, waiting]
    assert documents[0].deadline == NOON + timedelta(minutes=15)
    assert [(d.owner, d.reason) for d in documents] == [
        ("shopify-us-team", "the ERP asked us to wait"),
        ("jo", "no such SKU"),
        ("warehouse-team", ""),
    ]
    assert [d.document_id for d in await open_documents(fill.conn, 1)] == [early]
    assert [d.document_id for d in await open_documents(fill.conn, 10, interface=STOCK)] == [waiting]
    assert [d.document_id for d in await open_documents(fill.conn, 10, state="case")] == [late]


async def test_an_open_delivery_says_why(fill: Filling) -> None:
    document = await fill.document(state="delivering", step="deliver", open_deliveries=1)
    await fill.delivery(document, last_error="429 from NetSuite")
    (only,) = await open_documents(fill.conn)
    assert only.reason == "429 from NetSuite"
