# SPDX-License-Identifier: Apache-2.0
"""One timeline of a business key across systems; one document side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
import pytest_asyncio

from crossdock.errors import Refused
from crossdock.journal.history import document_view, trace
from tests.journal.filling import ERP, NOON, Filling, canonical_order

KEY = "order/shopify-us/5001"


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    async with pool.acquire() as conn:
        filling = Filling(conn)
        await filling.interfaces()
        yield filling


@pytest_asyncio.fixture
async def document(fill: Filling) -> int:
    """An order that was received, translated, decided, failed once, became a case, was retried and delivered."""
    number = await fill.document(
        KEY, "settled", "done", kind="sales_order", dedup_key="webhook-1", received_at=NOON - timedelta(seconds=9),
        decided_at=NOON, settled_at=NOON + timedelta(seconds=31), made_by="shopify.order/1",
    )  # fmt: skip
    await fill.version(number, canonical_order())
    await fill.conn.execute("UPDATE document_version SET created_at = $1", NOON - timedelta(seconds=8))
    await fill.order(number)
    delivery = await fill.delivery(
        number, "delivered", their_reference="4711", created_at=NOON, settled_at=NOON + timedelta(seconds=30)
    )
    await fill.attempt(delivery, 1, "needs_edit", status=400, error="no such item")
    await fill.attempt(delivery, 2, "delivered", status=204)
    case = await fill.case(
        number, delivery, step="deliver", state="resolved", opened_at=NOON + timedelta(seconds=1, milliseconds=500),
        closed_at=NOON + timedelta(seconds=30), closed_by="crossdock", close_reason="delivered", field="item",
    )  # fmt: skip
    await fill.conn.execute(
        "INSERT INTO audit (at, who, action, what, reason) VALUES ($1, 'jo', 'case.retry', $2, 'item made')",
        NOON + timedelta(seconds=1, milliseconds=900),
        f"case/{case}",
    )
    await fill.conn.execute(
        "INSERT INTO event (at, type, key, document_id, data) VALUES ($1, 'order.accepted', $2, $3, '{}')",
        NOON, KEY, number,
    )  # fmt: skip
    return number


async def test_the_timeline_tells_it_in_order(fill: Filling, document: int) -> None:
    result = await trace(fill.conn, KEY)
    assert [entry.kind for entry in result.timeline] == [
        "received", "translated", "decided", "event", "owed", "attempt", "case", "action", "attempt", "delivered",
        "closed", "settled",
    ]  # fmt: skip
    told = {entry.kind: entry for entry in result.timeline}
    message = result.documents[0].message_id
    assert told["received"].title == "received orders/create from shopify-us.orders"
    assert told["received"].detail == f"message {message}, 12 bytes, id webhook-1"
    assert told["attempt"].title == "netsuite sales_order try 2: delivered"
    assert told["attempt"].detail == "PUT https://erp/orders → 204"
    assert told["attempt"].seconds == 0.25
    assert told["case"].detail == "item: SKU XX-1 is not known"
    assert (told["action"].who, told["action"].detail) == ("jo", "item made")
    assert told["delivered"].detail == "they call it 4711"
    assert told["settled"].seconds == 40.0


async def test_an_order_is_traced_with_its_returns_and_a_return_is_found_by_its_number(
    fill: Filling, document: int
) -> None:
    back = await fill.document("return/shopify-us/R-1", "delivering", "deliver", kind="goods_return", dedup_key="r-1")
    # What the ERP is told of a return goes after what it is told of the order.
    owed = await fill.delivery(back, "due", operation="return_authorization", object="goods_return")
    await fill.conn.execute("UPDATE delivery SET key = $1 WHERE id = $2", KEY, owed)
    await fill.conn.execute(
        "INSERT INTO goods_return (return_key, order_key, number, channel, state, version, resolution, location, "
        "lines, refund, fee, currency, document_id, requested_at) VALUES ('shopify-us/R-1', 'shopify-us/5001', "
        "'RMA-17', 'shopify-us', 'approved', 1, 'refund', 'EAST', '{}', 0, 0, 'USD', $1, $2)",
        back,
        NOON,
    )
    order = await trace(fill.conn, KEY)
    assert [one.key for one in order.documents] == [KEY, "return/shopify-us/R-1"]
    assert "return_authorization" in {one.operation for one in order.deliveries}
    for text in ("RMA-17", "shopify-us/R-1", "RMA"):
        found = await trace(fill.conn, text)
        assert (found.key, [one.id for one in found.deliveries]) == ("return/shopify-us/R-1", [owed])


async def test_the_trace_holds_the_decision_and_every_attempt(fill: Filling, document: int) -> None:
    result = await trace(fill.conn, KEY)
    assert result.title == "Order #1001 · 41.50 USD · customer C-204"
    assert result.order is not None
    assert bytes(result.order.decision) == b'{"entity": "us", "why": ["channel shopify-us belongs to us"]}'
    (delivery,) = result.deliveries
    assert [(a.number, a.outcome, a.status, a.error) for a in delivery.attempts] == [
        (1, "needs_edit", 400, "no such item"),
        (2, "delivered", 204, ""),
    ]
    assert not result.truncated


@pytest.mark.parametrize("name", ["#1001", "1001", "shopify-us/5001", "PO-5001", "webhook-1", KEY])
async def test_any_name_leads_to_the_key(fill: Filling, document: int, name: str) -> None:
    assert (await trace(fill.conn, name)).key == KEY


async def test_a_document_id_leads_to_its_key(fill: Filling, document: int) -> None:
    other = await fill.document("stock/warehouse/ab")
    assert (await trace(fill.conn, str(other))).key == "stock/warehouse/ab"


async def test_an_order_number_is_meant_before_a_document_id(fill: Filling) -> None:
    other = await fill.document("stock/warehouse/ab")
    await fill.order(await fill.document(KEY), number=str(other))
    assert (await trace(fill.conn, str(other))).key == KEY


async def test_two_things_of_one_name_are_not_guessed(fill: Filling) -> None:
    for order_id in ("5001", "5002"):
        await fill.order(await fill.document(f"order/shopify-us/{order_id}"), order_id)
    with pytest.raises(Refused) as caught:
        await trace(fill.conn, "#1001")
    assert caught.value.status == 409
    assert caught.value.reason == "'#1001' names 2 things: order/shopify-us/5001, order/shopify-us/5002"


async def test_an_unknown_name_is_404(fill: Filling) -> None:
    with pytest.raises(Refused) as caught:
        await trace(fill.conn, "nothing-like-it")
    assert (caught.value.status, caught.value.rule) == (404, "not_found")


async def test_parts_belong_to_the_trace_of_their_batch(fill: Filling) -> None:
    batch = await fill.document("stock/warehouse/ab", "settled")
    part = await fill.document("stock/warehouse/ab/2", "case", "decide", parent_id=batch)
    assert [d.id for d in (await trace(fill.conn, "stock/warehouse/ab")).documents] == [batch, part]


async def test_a_sku_tells_its_movements_levels_and_channels(fill: Filling) -> None:
    document = await fill.document("stock/warehouse/ab", "settled")
    await fill.conn.execute(
        """INSERT INTO stock_movement VALUES
           ('warehouse', 'm1', 'receipt', 'CD-1', 'WH-EAST', 40, 'EA', $1, $1, $2, ''),
           ('warehouse', 'm2', 'ship', 'CD-1', 'WH-EAST', -3, 'EA', $3, $1, $2, 'F1')""",
        NOON, document, NOON + timedelta(minutes=1),
    )  # fmt: skip
    await fill.conn.execute("INSERT INTO stock_level VALUES ('CD-1', 'WH-EAST', 37, 2, $1)", NOON)
    await fill.conn.execute(
        """INSERT INTO channel_stock (system, sku, location, told, told_sequence, told_at, problem)
           VALUES ('shopify-us', 'CD-1', 'WH-EAST', 40, 7, $1, 'not listed')""",
        NOON + timedelta(seconds=30),
    )  # fmt: skip
    result = await trace(fill.conn, "CD-1")
    assert result.title == "SKU CD-1 · 37 at WH-EAST"
    assert [entry.title for entry in result.timeline] == [
        "receipt +40 EA at WH-EAST",
        "shopify-us told 40 at WH-EAST",
        "ship -3 EA at WH-EAST",
    ]
    (channel,) = result.channels
    assert (channel.system, channel.told, channel.told_sequence, channel.problem) == ("shopify-us", 40, 7, "not listed")


async def test_a_document_side_by_side(fill: Filling, document: int) -> None:
    view = await document_view(fill.conn, document)
    assert view.received.text == '{"id": 5001}'
    assert view.headers == {"x-topic": "orders/create", "x-hmac": "(not shown)"}
    assert view.canonical is not None
    assert view.canonical.body.text == canonical_order().decode()
    assert view.edited_source is None
    assert [(e.number, e.sent.text, e.status, e.answered.text) for e in view.exchanges] == [
        (2, '{"sent": 1}', 204, '{"answered": 1}'),
        (1, '{"sent": 1}', 400, '{"answered": 1}'),
    ]
    assert [case.state for case in view.cases] == ["resolved"]


async def test_large_and_undecodable_bodies_are_shown_in_part(fill: Filling) -> None:
    number = await fill.document(body=b"\xff" + b"x" * 300_000)
    view = await document_view(fill.conn, number)
    assert (view.received.size, view.received.truncated, len(view.received.text)) == (300_001, True, 262_144)
    assert view.received.text.startswith("\ufffdx")


async def test_no_such_document(fill: Filling) -> None:
    with pytest.raises(Refused, match="there is no document 99"):
        await document_view(fill.conn, 99)


async def test_the_next_try_of_what_is_owed_is_told(fill: Filling) -> None:
    number = await fill.document(KEY, "delivering", "deliver", open_deliveries=1)
    await fill.delivery(number, "due", next_at=NOON, last_error="503")
    (owed,) = (await trace(fill.conn, KEY)).deliveries
    assert (owed.interface, owed.state, owed.next_at, owed.last_error) == (ERP, "due", NOON, "503")
