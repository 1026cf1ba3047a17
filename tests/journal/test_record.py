# SPDX-License-Identifier: Apache-2.0
"""What was decided is written for a whole batch; obligations come off their documents one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest
import pytest_asyncio

from crossdock.journal.record import (
    Event,
    Part,
    Recorded,
    Version,
    record_decided,
    record_events,
    record_parts,
    record_versions,
    settle_documents,
)
from tests.journal.filling import Filling


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    async with pool.acquire() as conn:
        yield Filling(conn)


async def test_states_of_a_batch_are_written(fill: Filling) -> None:
    ids = [await fill.document(f"order/shop/{number}") for number in range(4)]
    before = datetime.now(UTC)
    await record_decided(
        fill.conn,
        [
            Recorded(
                id=ids[0], key="order/shop/0", state="delivering", step="deliver", kind="sales_order", version=7,
                open_deliveries=2, made_by="m/1",
            ),
            Recorded(
                id=ids[1], key="order/shop/1", state="retry", step="decide", kind="shipment", version=0,
                note="not here yet", wait=3600,
            ),
            Recorded(id=ids[2], key="order/shop/2", state="duplicate", step="done", kind="sales_order", version=1),
        ],
    )  # fmt: skip
    rows = await fill.conn.fetch(
        "SELECT state, step, kind, version, open_deliveries, made_by, note, attempts, settled_at IS NOT NULL AS settled"
        " FROM document ORDER BY id"
    )
    assert [tuple(row) for row in rows] == [
        ("delivering", "deliver", "sales_order", 7, 2, "m/1", "", 1, False),
        ("retry", "decide", "shipment", 0, 0, "", "not here yet", 1, False),
        ("duplicate", "done", "sales_order", 1, 0, "", "", 1, True),
        ("received", "translate", "", 0, 0, "", "", 0, False),
    ]
    due = await fill.conn.fetchval("SELECT next_at FROM document WHERE id = $1", ids[1])
    assert 3500 < (due - before).total_seconds() < 3700


async def test_what_text_cannot_hold_is_replaced(fill: Filling) -> None:
    document = await fill.document()
    note = "sku \x00 and \ud800 " + "x" * 5000
    await record_decided(
        fill.conn, [Recorded(id=document, key="order/1", state="retry", step="decide", kind="", version=0, note=note)]
    )
    assert (await fill.conn.fetchval("SELECT note FROM document")).startswith("sku \ufffd and ? x")


async def test_versions_and_events_are_kept(fill: Filling) -> None:
    document = await fill.document()
    await record_versions(fill.conn, [])
    await record_events(fill.conn, [])
    await record_versions(
        fill.conn, [Version(document_id=document, number=1, stage="canonical", body=b"{}", made_by="shop.order/1")]
    )
    with pytest.raises(asyncpg.UniqueViolationError):
        await record_versions(
            fill.conn, [Version(document_id=document, number=1, stage="canonical", body=b"{}", made_by="again")]
        )
    await record_events(fill.conn, [Event(type="a.b", key="k", document_id=document, data=b"{}")] * 2)
    rows = await fill.conn.fetch("SELECT type, key, data FROM event ORDER BY id")
    assert [tuple(row) for row in rows] == [("a.b", "k", b"{}")] * 2


async def test_parts_are_documents_of_their_own(fill: Filling) -> None:
    assert await record_parts(fill.conn, []) == {}
    parents = [await fill.document(f"stock/w/{name}", "settled", "done", kind="stock_movements") for name in "ab"]
    ids = await record_parts(
        fill.conn,
        [
            Part(parent_id=parents[1], ordinal=3, kind="stock_movements", stage="source", body=b"3"),
            Part(parent_id=parents[0], ordinal=1, kind="stock_movements", stage="canonical", body=b"1"),
            Part(parent_id=parents[1], ordinal=1, kind="stock_movements", stage="canonical", body=b"2"),
        ],
    )
    rows = await fill.conn.fetch(
        "SELECT d.id, parent_id, key, state, step, v.stage, v.body FROM document d"
        " JOIN document_version v ON v.document_id = d.id ORDER BY d.id"
    )
    assert [tuple(row)[1:] for row in rows] == [
        (parents[0], "stock/w/a/1", "case", "decide", "canonical", b"1"),
        (parents[1], "stock/w/b/1", "case", "decide", "canonical", b"2"),
        (parents[1], "stock/w/b/3", "case", "translate", "source", b"3"),
    ]
    assert ids == {(row["parent_id"], int(row["key"][-1])): row["id"] for row in rows}


async def test_a_document_is_settled_with_its_last_obligation(fill: Filling) -> None:
    one = await fill.document("order/shop/1", "delivering", "deliver", open_deliveries=3)
    other = await fill.document("order/shop/2", "delivering", "deliver", open_deliveries=1)
    assert await settle_documents(fill.conn, []) == {}
    states = await settle_documents(fill.conn, [(other, 1), (one, 1), (one, 1)])
    assert states == {one: "delivering", other: "settled"}
    assert await fill.state(one) == ("delivering", "deliver", 1)
    assert await fill.state(other) == ("settled", "done", 0)
    assert await settle_documents(fill.conn, [(one, 1)]) == {one: "settled"}


async def test_a_document_with_a_stuck_obligation_is_a_case_until_that_is_gone(fill: Filling) -> None:
    document = await fill.document(state="delivering", step="deliver", open_deliveries=2)
    stuck = await fill.delivery(document, "case")
    assert await settle_documents(fill.conn, [(document, 0)]) == {document: "case"}
    assert await settle_documents(fill.conn, [(document, 1)]) == {document: "case"}
    assert await fill.state(document) == ("case", "deliver", 1)
    await fill.conn.execute("UPDATE delivery SET state = 'due' WHERE id = $1", stuck)
    assert await settle_documents(fill.conn, [(document, 0)]) == {document: "delivering"}
    await fill.conn.execute("UPDATE delivery SET state = 'delivered' WHERE id = $1", stuck)
    assert await settle_documents(fill.conn, [(document, 1)]) == {document: "settled"}


async def test_two_systems_that_end_at_once_leave_a_case_where_one_is_stuck(fill: Filling, pool: asyncpg.Pool) -> None:
    """The statement that waited for the other's lock must not judge by what was there before."""
    document = await fill.document(state="delivering", step="deliver", open_deliveries=2)
    stuck, good = await fill.delivery(document), await fill.delivery(document)
    async with pool.acquire() as other:
        first = other.transaction()
        await first.start()
        await other.execute("UPDATE delivery SET state = 'case' WHERE id = $1", stuck)
        assert await settle_documents(other, [(document, 0)], anew=False) == {document: "case"}
        async with fill.conn.transaction():
            await fill.conn.execute("UPDATE delivery SET state = 'delivered' WHERE id = $1", good)
            waiting = asyncio.create_task(settle_documents(fill.conn, [(document, 1)], anew=False))
            # Only the database knows when it has come to wait.
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            await first.commit()
            assert await waiting == {document: "case"}
    assert await fill.state(document) == ("case", "deliver", 1)
