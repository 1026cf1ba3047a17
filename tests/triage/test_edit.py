# SPDX-License-Identifier: Apache-2.0
"""An edited document is checked, kept beside the old form, and goes on from where it stopped."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from crossdock.canonical.objects import decode
from crossdock.errors import NeedsEdit, Refused
from crossdock.triage.dismiss import dismiss
from crossdock.triage.edit import Editable, edit, editable
from tests.journal.filling import Filling, canonical_order


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    async with pool.acquire() as conn:
        filling = Filling(conn)
        await filling.interfaces()
        yield filling


async def versions(fill: Filling) -> list[tuple[int, str, bytes, str, str]]:
    rows = await fill.conn.fetch("SELECT number, stage, body, author, reason FROM document_version ORDER BY number")
    return [tuple(row) for row in rows]


async def decided_case(fill: Filling) -> tuple[int, int]:
    """A document that was translated but could not be decided, and its case."""
    document = await fill.document(state="case", step="decide", kind="sales_order")
    await fill.version(document, canonical_order(sku="XX-1"))
    return document, await fill.case(document, step="decide")


async def test_a_source_edit_replaces_the_message_and_goes_on(fill: Filling) -> None:
    document = await fill.document(state="case", body=b'{"sku": "XX-1"}')
    case = await fill.case(document)
    assert await editable(fill.conn, case) == Editable(
        stage="source", object="", body=b'{"sku": "XX-1"}', delivery=False
    )
    await edit(fill.conn, case, b'{"sku":  "CD-1"}', by="jo", origin="cli", reason="typo")
    assert await versions(fill) == [(1, "source", b'{"sku":  "CD-1"}', "jo", "typo")]
    assert await fill.state(document) == ("received", "translate", 0)
    assert (await editable(fill.conn, case)).body == b'{"sku":  "CD-1"}'
    row = await fill.conn.fetchrow("SELECT who, action, before, after, reason FROM audit")
    assert tuple(row) == ("jo", "case.edit", '{"sku": "XX-1"}', '{"sku":  "CD-1"}', "typo")


async def test_a_canonical_edit_is_a_new_version(fill: Filling) -> None:
    document, case = await decided_case(fill)
    await edit(fill.conn, case, canonical_order(sku="CD-7"), by="jo", origin="cli")
    (_, _, old, _, _), (number, stage, body, author, _) = await versions(fill)
    assert b"XX-1" in old
    assert (number, stage, author) == (2, "canonical", "jo")
    assert decode("sales_order", body).lines[0].sku == "CD-7"
    assert await fill.state(document) == ("received", "decide", 0)


async def test_a_delivery_without_its_own_body_edits_the_document(fill: Filling) -> None:
    document = await fill.document(state="case", step="deliver", kind="sales_order", open_deliveries=1)
    await fill.version(document, canonical_order())
    delivery = await fill.delivery(document, "case")
    await edit(fill.conn, await fill.case(document, delivery), canonical_order(sku="CD-7"), by="jo", origin="cli")
    assert [v[0] for v in await versions(fill)] == [1, 2]
    assert await fill.conn.fetchval("SELECT state FROM delivery WHERE id = $1", delivery) == "due"
    assert await fill.state(document) == ("delivering", "deliver", 1)


async def test_a_delivery_with_its_own_body_is_edited_alone(fill: Filling) -> None:
    document = await fill.document(state="case", step="deliver", kind="sales_order", open_deliveries=1)
    await fill.version(document, canonical_order())
    delivery = await fill.delivery(document, "case", body=canonical_order(sku="XX-1"))
    case = await fill.case(document, delivery)
    assert (await editable(fill.conn, case)).delivery
    await edit(fill.conn, case, canonical_order(sku="CD-7"), by="jo", origin="cli")
    assert len(await versions(fill)) == 1
    body = await fill.conn.fetchval("SELECT body FROM delivery WHERE id = $1", delivery)
    assert decode("sales_order", body).lines[0].sku == "CD-7"


@pytest.mark.parametrize(
    ("body", "field", "reason"),
    [
        (b'{"order_key": "a"}', "", "Object missing required field `number`"),
        (canonical_order().replace(b'"USD"', b'"dollars"', 1), "currency", "matching regex"),
        (canonical_order().replace(b'"value": "1"', b'"value": "NaN"'), "lines[0].quantity", "finite decimal"),
        (canonical_order().replace(b'"value": "1"', b'"value": "1.5"'), "lines[0].quantity", "must be whole"),
        (canonical_order()[:-1], "", "not JSON: Input data was truncated"),
        (b"\xff\xfe", "", "not JSON"),
    ],
)
async def test_a_bad_canonical_edit_names_the_field_and_changes_nothing(
    fill: Filling, body: bytes, field: str, reason: str
) -> None:
    document, case = await decided_case(fill)
    with pytest.raises(NeedsEdit, match=reason) as caught:
        await edit(fill.conn, case, body, by="jo", origin="cli")
    assert caught.value.field == field
    assert len(await versions(fill)) == 1
    assert await fill.state(document) == ("case", "decide", 0)


@pytest.mark.parametrize("body", [b"", b"{", b"{'a': 1}", b'{"a": NaN}', b'{"a": "\xff"}'])
async def test_a_source_edit_must_be_json(fill: Filling, body: bytes) -> None:
    case = await fill.case(await fill.document(state="case"))
    with pytest.raises(NeedsEdit, match="not JSON"):
        await edit(fill.conn, case, body, by="jo", origin="cli")
    assert await versions(fill) == []


async def test_an_edit_cannot_turn_one_order_into_another(fill: Filling) -> None:
    _, case = await decided_case(fill)
    with pytest.raises(NeedsEdit, match="an edit cannot turn shopify-us/5001 into shopify-us/6") as caught:
        await edit(fill.conn, case, canonical_order("6"), by="jo", origin="cli")
    assert caught.value.field == "order_key"


async def test_a_closed_case_cannot_be_edited(fill: Filling) -> None:
    _, case = await decided_case(fill)
    await dismiss(fill.conn, [case], by="jo", origin="cli", reason="no")
    with pytest.raises(Refused, match="is closed or already under way again") as caught:
        await edit(fill.conn, case, canonical_order(), by="jo", origin="cli")
    assert caught.value.status == 409


async def test_an_edit_that_came_second_is_refused(fill: Filling) -> None:
    _, case = await decided_case(fill)
    async with fill.conn.transaction():
        await edit(fill.conn, case, canonical_order(sku="CD-7"), by="jo", origin="cli")
    with pytest.raises(Refused, match="already under way"):
        async with fill.conn.transaction():
            await edit(fill.conn, case, canonical_order(sku="CD-8"), by="ann", origin="cli")
    assert [v[3] for v in await versions(fill)] == ["", "jo"]


async def test_too_large_an_edit_is_refused(fill: Filling) -> None:
    case = await fill.case(await fill.document(state="case"))
    with pytest.raises(Refused) as caught:
        await edit(fill.conn, case, json.dumps("x" * 5_000_001).encode(), by="jo", origin="cli")
    assert caught.value.status == 413


async def test_a_part_of_a_batch_is_edited_on_its_own(fill: Filling) -> None:
    movement = {
        "movement_id": "m3",
        "kind": "receipt",
        "sku": "XX-1",
        "location": "WH-EAST",
        "quantity": {"value": "4", "unit": "EA"},
        "occurred_at": "2026-11-23T12:00:00Z",
    }
    batch = await fill.document("stock/warehouse/ab", "settled")
    part = await fill.document("stock/warehouse/ab/1", "case", "decide", kind="stock_movement", parent_id=batch)
    await fill.version(part, json.dumps(movement).encode())
    case = await fill.case(part, step="decide")
    await edit(fill.conn, case, json.dumps({**movement, "sku": "CD-1"}).encode(), by="jo", origin="cli")
    assert decode("stock_movement", (await versions(fill))[1][2]).sku == "CD-1"
