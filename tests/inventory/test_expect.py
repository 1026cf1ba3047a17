# SPDX-License-Identifier: Apache-2.0
"""Goods on their way: expected once, counted as they come, also when they come before their notice."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from crossdock.canonical.objects import decode
from crossdock.canonical.stock import ExpectedLine, InboundReceipt
from crossdock.errors import NeedsEdit
from crossdock.runtime.migrate import revisions
from crossdock.runtime.migrate_apply import apply
from crossdock.runtime.postgres import connect
from tests.inventory.deciding import check_laws, decided, moved, movements, quantity
from tests.orders.making import NOON


def notice(version: int = 1, *lines: tuple[str, str], **changes: Any) -> InboundReceipt:
    values: dict[str, Any] = {
        "reference": "PO-7",
        "source": "erp",
        "location": "EAST",
        "due_at": NOON + timedelta(days=2),
        "version": version,
        "lines": tuple(ExpectedLine(sku=sku, quantity=quantity(text)) for sku, text in lines),
    }
    return InboundReceipt(**{**values, **changes})


async def expected(conn: Any) -> list[tuple[str, str, int, int, str, int]]:
    """SKU, location, quantity, received, status and version of every row."""
    rows = await conn.fetch("SELECT * FROM expected_stock ORDER BY sku, location")
    return [
        (row["sku"], row["location"], int(row["quantity"]), int(row["received"]), row["status"], row["version"])
        for row in rows
    ]


async def test_what_comes_counts_against_what_is_expected(pool: asyncpg.Pool) -> None:
    (decision,) = await decided(pool, notice(1, ("CD-1", "3 CS"), ("CD-1", "4"), ("CD-2", "10")))
    assert (decision.accepted, decision.note, decision.events[0].type) == (True, "", "inbound_receipt.accepted")
    assert await expected(pool) == [("CD-1", "EAST", 40, 0, "open", 1), ("CD-2", "EAST", 10, 0, "open", 1)]
    await decided(pool, movements(moved("m1", "15", reference="PO-7"), moved("m2", "1", reference="PO-8")), first=2)
    assert (await expected(pool))[0] == ("CD-1", "EAST", 40, 15, "open", 1)
    await check_laws(pool)


async def test_goods_before_after_and_beside_their_notice_count_once_in_every_order(pool: asyncpg.Pool) -> None:
    documents = [
        notice(1, ("CD-1", "20")),
        movements(moved("m1", "5", reference="PO-7")),
        movements(moved("m1", "5", reference="PO-7"), moved("m2", "3", reference="PO-7", minute=3)),
        notice(2, ("CD-1", "21")),
    ]
    for order in itertools.permutations(range(4)):
        await pool.execute("TRUNCATE expected_stock, stock_movement, stock_level")
        for number, place in enumerate(order, 1):
            await decided(pool, documents[place], first=number)
        assert (order, await expected(pool)) == (order, [("CD-1", "EAST", 21, 8, "open", 2)])
    await pool.execute("TRUNCATE expected_stock, stock_movement, stock_level")
    await decided(pool, *documents[:3])
    assert await expected(pool) == [("CD-1", "EAST", 20, 8, "open", 1)]


async def test_an_equal_or_older_version_is_a_duplicate(pool: asyncpg.Pool) -> None:
    await decided(pool, notice(3, ("CD-1", "20")))
    for version in (2, 3):
        (decision,) = await decided(pool, notice(version, ("CD-1", "99")), first=2)
        assert (decision.duplicate, decision.note) == (True, "an equal or newer version of the notice is here already")
    assert await expected(pool) == [("CD-1", "EAST", 20, 0, "open", 3)]


async def test_a_source_without_versions_is_believed_the_last_time(pool: asyncpg.Pool) -> None:
    await decided(pool, notice(0, ("CD-1", "20")))
    await decided(pool, notice(0, ("CD-1", "12")), first=2)
    assert await expected(pool) == [("CD-1", "EAST", 12, 0, "open", 0)]


async def test_what_a_newer_version_does_not_name_is_not_to_come(pool: asyncpg.Pool) -> None:
    await decided(pool, notice(1, ("CD-1", "20"), ("CD-2", "5")))
    await decided(pool, notice(2, ("CD-1", "18"), location="WEST"), first=2)
    assert await expected(pool) == [
        ("CD-1", "EAST", 20, 0, "cancelled", 2),
        ("CD-1", "WEST", 18, 0, "open", 2),
        ("CD-2", "EAST", 5, 0, "cancelled", 2),
    ]


@pytest.mark.parametrize("status", ["closed", "cancelled"])
async def test_of_a_closed_notice_nothing_more_is_to_come(pool: asyncpg.Pool, status: str) -> None:
    await decided(pool, notice(1, ("CD-1", "20")), movements(moved("m1", "5", reference="PO-7")))
    (decision,) = await decided(pool, notice(2, ("CD-1", "20"), status=status), first=3)
    assert decision.note == f"{status}: nothing more is to come"
    assert await expected(pool) == [("CD-1", "EAST", 20, 5, status, 2)]


async def test_a_bad_line_is_a_part_and_its_mended_form_is_added(pool: asyncpg.Pool) -> None:
    (decision,) = await decided(pool, notice(4, ("CD-1", "20"), ("XX", "5"), ("CD-2", "-1")))
    assert [(part.error.rule, part.error.field) for part in decision.parts if isinstance(part.error, NeedsEdit)] == [
        ("stock.sku_known", "lines[0].sku"),
        ("stock.sign", "lines[0].quantity.value"),
    ]
    part = decode("inbound_receipt", decision.parts[0].body)
    mended = replace(part, lines=(replace(part.lines[0], sku="CD-2"),))
    (again,) = await decided(pool, mended, first=2, parent_id=1)
    assert again.accepted
    assert await expected(pool) == [("CD-1", "EAST", 20, 0, "open", 4), ("CD-2", "EAST", 5, 0, "open", 4)]
    (late,) = await decided(pool, replace(mended, version=3), first=3, parent_id=1)
    assert late.duplicate


async def test_a_mended_part_of_a_notice_without_versions_adds_to_what_it_came_with_and_to_no_newer_one(
    pool: asyncpg.Pool,
) -> None:
    await decided(pool, notice(0, ("CD-1", "20"), ("XX", "5")))
    await decided(pool, notice(0, ("CD-2", "12"), ("YY", "1"), ("ZZ", "1")), first=2)
    stands = [("CD-1", "EAST", 20, 0, "cancelled", 0), ("CD-2", "EAST", 12, 0, "open", 0)]
    assert await expected(pool) == stands
    for number, sku in enumerate(("CD-1", "CD-2"), 3):
        (late,) = await decided(pool, notice(0, (sku, "5")), first=number, parent_id=1)
        assert late.duplicate
        assert await expected(pool) == stands
    for number, sku in enumerate(("CD-1", "OIL"), 5):
        (mended,) = await decided(pool, notice(0, (sku, "1 LTR" if sku == "OIL" else "1")), first=number, parent_id=2)
        assert mended.accepted, "every part of what stands is added"
    (late,) = await decided(pool, notice(0, ("CD-1", "5")), first=7, parent_id=1)
    assert late.duplicate
    assert await expected(pool) == [
        ("CD-1", "EAST", 1, 0, "open", 0),
        ("CD-2", "EAST", 12, 0, "open", 0),
        ("OIL", "EAST", 1, 0, "open", 0),
    ]


async def test_goods_expected_of_a_part_that_was_mended_before_its_notice_was_named_name_it(
    empty_database: str,
) -> None:
    steps = revisions()
    place = next(at for at, one in enumerate(steps) if one.name.endswith("_notices.sql"))
    await apply(empty_database, steps[:place])
    conn = await connect(empty_database)
    try:
        await conn.execute(
            "INSERT INTO document (id, message_id, parent_id, interface, topic, key, digest) OVERRIDING SYSTEM VALUE"
            " SELECT id, 1, parent, 'erp', 'asn', 'PO-7', 0"
            " FROM (VALUES (1, NULL), (2, 1), (3, 2), (4, 9)) d (id, parent)"
        )
        await conn.execute(
            "INSERT INTO expected_stock"
            " (reference, sku, location, source, quantity, due_at, version, status, document_id)"
            " SELECT 'PO-7', id::text, 'EAST', 'erp', 1, now(), 1, 'open', id FROM generate_series(1, 4) id"
        )
        await apply(empty_database, steps[: place + 1])
        rows = await conn.fetch("SELECT sku, document_id FROM expected_stock ORDER BY sku")
    finally:
        await conn.close()
    # The notice of the last is not kept any more.
    assert [tuple(row) for row in rows] == [("1", 1), ("2", 1), ("3", 1), ("4", 4)]


async def test_a_bad_line_takes_the_others_of_its_sku_with_it(pool: asyncpg.Pool) -> None:
    (decision,) = await decided(pool, notice(1, ("CD-1", "20"), ("CD-2", "4"), ("CD-1", "1 BX"), ("CD-1", "1 PK")))
    assert await expected(pool) == [("CD-2", "EAST", 4, 0, "open", 1)]
    (part,) = decision.parts
    assert isinstance(part.error, NeedsEdit)
    assert (part.ordinal, part.error.rule, part.error.field) == (1, "stock.unit", "lines[1].quantity.unit")
    refused = decode("inbound_receipt", part.body)
    assert [(line.sku, line.quantity) for line in refused.lines] == [
        ("CD-1", quantity("20")),
        ("CD-1", quantity("1 BX")),
        ("CD-1", quantity("1 PK")),
    ]
    lines = (refused.lines[0], *(replace(line, quantity=quantity("1 CS")) for line in refused.lines[1:]))
    await decided(pool, replace(refused, lines=lines), first=2, parent_id=1)
    assert await expected(pool) == [("CD-1", "EAST", 44, 0, "open", 1), ("CD-2", "EAST", 4, 0, "open", 1)]


async def test_notices_of_one_batch_do_not_touch_each_others_goods(pool: asyncpg.Pool) -> None:
    await decided(pool, notice(1, ("CD-1", "1"), ("CD-2", "1")), notice(1, ("CD-1", "2"), reference="PO-8"))
    await decided(
        pool,
        notice(2, ("CD-1", "3")),
        notice(2, ("CD-2", "4"), reference="PO-8"),
        notice(1, ("CD-2", "5"), reference="PO-9", status="closed"),
        first=3,
    )
    rows = await pool.fetch("SELECT reference, sku, quantity, status FROM expected_stock ORDER BY reference, sku")
    assert [tuple(row) for row in rows] == [
        ("PO-7", "CD-1", 3, "open"),
        ("PO-7", "CD-2", 1, "cancelled"),
        ("PO-8", "CD-1", 2, "cancelled"),
        ("PO-8", "CD-2", 4, "open"),
        ("PO-9", "CD-2", 5, "closed"),
    ]


async def test_of_two_statements_of_one_notice_in_a_batch_the_later_holds(pool: asyncpg.Pool) -> None:
    await decided(pool, notice(0, ("CD-1", "1"), ("CD-2", "1")), notice(0, ("CD-1", "3")))
    assert await expected(pool) == [("CD-1", "EAST", 3, 0, "open", 0), ("CD-2", "EAST", 1, 0, "cancelled", 0)]


async def test_a_notice_for_nowhere_is_a_case(pool: asyncpg.Pool) -> None:
    (decision,) = await decided(pool, notice(1, ("CD-1", "20"), location="MOON"))
    assert isinstance(decision.error, NeedsEdit)
    assert (decision.error.rule, decision.error.field) == ("stock.location_known", "location")
