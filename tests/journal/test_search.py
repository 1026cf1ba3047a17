# SPDX-License-Identifier: Apache-2.0
"""One box finds everything, through indexes, whatever is typed into it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.errors import Refused
from crossdock.journal.search import Hit, search
from tests.journal.filling import NOON, STOCK, Filling

ORDER_KEY = "order/shopify-us/5001"


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    async with pool.acquire() as conn:
        filling = Filling(conn)
        await filling.interfaces()
        yield filling


@pytest_asyncio.fixture
async def document(fill: Filling) -> int:
    """An order with everything that names it."""
    number = await fill.document(ORDER_KEY, "delivering", "deliver", dedup_key="webhook-77aa")
    await fill.order(number)
    await fill.conn.execute(
        """INSERT INTO fulfillment_order (reference, order_key, location, document_id, lines)
           VALUES ('shopify-us/5001#1', 'shopify-us/5001', 'WH-EAST', $1, '{}')""",
        number,
    )
    await fill.conn.execute(
        """INSERT INTO shipment (shipment_key, order_key, fulfillment_reference, location, carrier, tracking,
                                 shipped_at, document_id)
           VALUES ('warehouse/S-9', 'shopify-us/5001', 'shopify-us/5001#1', 'WH-EAST', 'UPS', '{1Z999,1Z998}',
                   $1, $2)""",
        NOON,
        number,
    )
    return number


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("#1001", "order"),
        ("1001", "order"),
        ("#10", "order"),
        ("shopify-us/5001", "order"),
        (ORDER_KEY, "order"),
        ("5001", "order"),
        ("PO-5001", "order"),
        ("po-5001", "order"),
        ("C-204", "order"),
        ("  #1001  ", "order"),
        ("1Z998", "shipment"),
        ("warehouse/S-9", "shipment"),
        ("shopify-us/5001#1", "fulfillment_order"),
        ("webhook-77", "message"),
    ],
)
async def test_every_name_of_an_order_finds_it(fill: Filling, document: int, text: str, kind: str) -> None:
    first = (await search(fill.conn, text))[0]
    assert (first.kind, first.key, first.document_id) == (kind, ORDER_KEY, document)


async def test_an_order_hit_says_what_it_is(fill: Filling, document: int) -> None:
    assert (await search(fill.conn, "#1001"))[0] == Hit(
        kind="order",
        title="Order #1001 · 41.50 USD · customer C-204 · PO PO-5001",
        key=ORDER_KEY,
        document_id=document,
        state="delivering",
        at=NOON,
    )


async def test_a_document_is_found_by_its_id_and_key(fill: Filling) -> None:
    number = await fill.document("stock/warehouse/ab12", interface=STOCK)
    for text in (str(number), "stock/warehouse/ab12", "stock/ware"):
        assert [(hit.kind, hit.document_id) for hit in await search(fill.conn, text)] == [("document", number)]


async def test_sku_product_and_customer_are_found_by_their_beginning(fill: Filling) -> None:
    await fill.conn.execute("INSERT INTO stock_level VALUES ('CD-1001', 'WH-EAST', 40, 1, $1)", NOON)
    await fill.conn.execute("INSERT INTO product (sku, unit, body) VALUES ('CD-1001', 'EA', '')")
    await fill.conn.execute("INSERT INTO customer (customer_id, name, body) VALUES ('CD-CO', 'Harbor', '')")
    hits = {(hit.kind, hit.title) for hit in await search(fill.conn, "CD-")}
    assert hits == {
        ("sku", "CD-1001 at WH-EAST · 40 on hand"),
        ("product", "Product CD-1001"),
        ("customer", "Customer CD-CO Harbor"),
    }


async def test_a_cancellation_is_found_by_its_number(fill: Filling) -> None:
    number = await fill.document("cancellation/feed/C536379", "settled")
    await fill.conn.execute(
        """INSERT INTO cancellation (cancellation_key, number, channel, of_order, customer_id, currency, total,
                                     document_id, cancelled_at)
           VALUES ('feed/C536379', 'C536379', 'feed', '', '14527', 'GBP', 27.50, $1, $2)""",
        number,
        NOON,
    )
    (hit,) = await search(fill.conn, "c536379")
    assert (hit.kind, hit.title, hit.document_id) == ("cancellation", "Cancellation C536379 · 27.50 GBP", number)


async def test_exact_hits_come_first_and_the_limit_holds(fill: Filling) -> None:
    for number in range(10, 30):
        await fill.order(await fill.document(f"order/shopify-us/{number}"), str(number), f"#{number}")
    await fill.order(await fill.document("order/shopify-us/2"), "2", "#2")
    hits = await search(fill.conn, "#2", 5)
    assert len(hits) == 5
    assert hits[0].key == "order/shopify-us/2"


@pytest.mark.parametrize("text", ["", "   ", "x" * 201, "a\x00b"])
async def test_what_cannot_be_searched_is_refused(fill: Filling, text: str) -> None:
    with pytest.raises(Refused, match="search for 1 to 200 characters"):
        await search(fill.conn, text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=40))
async def test_nothing_typed_is_an_error(fill: Filling, document: int, text: str) -> None:
    if text.strip():
        assert all(isinstance(hit, Hit) for hit in await search(fill.conn, text))


async def test_no_big_table_is_scanned(fill: Filling) -> None:
    from_million = {"document": "key", "sales_order": "order_key", "message": "dedup_key", "shipment": "tracking"}
    await fill.conn.execute(
        """INSERT INTO message (interface, topic, dedup_key, body)
           SELECT 'shopify-us.orders', 't', 'w-' || n, '{}' FROM generate_series(1, 20000) n"""
    )
    await fill.conn.execute(
        """INSERT INTO document (message_id, interface, topic, key, digest)
           SELECT id, interface, topic, 'order/shopify-us/' || id, id FROM message"""
    )
    await fill.conn.execute(
        """INSERT INTO sales_order SELECT 'shopify-us/' || id, '#' || id, 'shopify-us', 'us', 'C-' || id % 500,
               'PO' || id, 'open', 1, 'USD', 1, id, 1, '', now(), now(), '' FROM document"""
    )
    await fill.conn.execute(
        """INSERT INTO shipment SELECT 'w/' || id, 'shopify-us/' || id, 'r', 'l', 'c', ARRAY['1Z' || id], now(), id
           FROM document"""
    )
    await fill.conn.execute("ANALYZE")
    before = await _scans(fill, list(from_million))
    for text in ("#123", "PO77", "1Z55", "C-7", "order/shopify-us/44", "shopify-us/9", "12345"):
        assert await search(fill.conn, text)
    after = await _scans(fill, list(from_million))
    assert after == before


async def _scans(fill: Filling, tables: list[str]) -> dict[str, int]:
    # Statistics of this very backend, not those it will report a moment later.
    await fill.conn.execute("SELECT pg_stat_force_next_flush()")
    await fill.conn.execute("SELECT pg_stat_clear_snapshot()")
    rows = await fill.conn.fetch(
        "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY($1::text[])", tables
    )
    return {row["relname"]: row["seq_scan"] for row in rows}
