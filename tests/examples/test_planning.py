# SPDX-License-Identifier: Apache-2.0
"""The example of a planning system: CSV files in, through journal and decision; demand and availability out."""

from __future__ import annotations

import csv
import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import msgspec
import pytest

from crossdock.app.planning import AVAILABLE, DEMAND, WholeFile, lines, write_planning
from crossdock.app.prepare import prepare
from crossdock.app.wiring import Wired, wire
from crossdock.canonical.fulfillment import FulfillmentLine, Package, Shipment
from crossdock.canonical.master_data import Product, UnitConversion
from crossdock.canonical.objects import encode
from crossdock.canonical.quantity import Quantity
from crossdock.catalog.accept import accept_products
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsConfig
from crossdock.inventory.allocate import missing_of
from crossdock.inventory.demand import DemandRow, close_day, demand_of, open_days
from crossdock.runtime.postgres import away
from crossdock.triage.edit import edit, editable
from tests.examples.test_stock_files import sent
from tests.orders.making import line, order

ESTATE = Path(__file__).parents[2] / "examples" / "planning" / "estate.yaml"
PLAN = "Plan,Revision,Sku,From,Days,Units\n"
ORDERS = "Order,Revision,Site,Due,Sku,Quantity\n"
DAY = date(2026, 11, 23)


@pytest.fixture
async def wired(database: str) -> Wired:
    found = wire(ESTATE)
    await prepare(database, found)
    return found


async def _periods(pool: asyncpg.Pool) -> list[tuple[str, date, int, Decimal]]:
    rows = await pool.fetch("SELECT sku, starts_on, days, quantity FROM demand_forecast ORDER BY sku, starts_on")
    return [tuple(row) for row in rows]


async def test_a_plan_stands_row_by_row_and_its_revision_replaces_it(
    pool: asyncpg.Pool, wired: Wired, tmp_path: Path
) -> None:
    bad = "BASE,1,NO-SUCH,2026-11-23,7,70\nBASE,1,CD-00002,2026-11-23,7,many\nBASE,1,CD-00002,2026-11-23,0,7\n"
    await sent(pool, wired, "planner.forecasts", tmp_path, PLAN + "BASE,1,CD-00001,2026-11-23,7,700.5\n" + bad)
    assert await _periods(pool) == [("CD-00001", DAY, 7, Decimal("700.5"))]
    cases = await pool.fetch("SELECT id, value FROM triage_case WHERE state = 'open' ORDER BY id")
    assert sorted(case["value"] for case in cases) == ["0", "NO-SUCH", "many"]
    many = next(case["id"] for case in cases if case["value"] == "many")
    for wrong, right in ((b'"many"', b'"lots"'), (b'"lots"', b'"35"')):
        async with pool.acquire() as conn, conn.transaction():
            body = (await editable(conn, many)).body
            assert wrong in body
            await edit(conn, many, body.replace(wrong, right), by="ada", origin="cli")
        await sent(pool, wired, "planner.forecasts", tmp_path)
        many = await pool.fetchval("SELECT id FROM triage_case WHERE state = 'open' AND value = 'lots'")
    assert await _periods(pool) == [("CD-00001", DAY, 7, Decimal("700.5")), ("CD-00002", DAY, 7, Decimal(35))]
    newer, older = "BASE,3,CD-00002,2026-11-24,1,5\n", "BASE,2,CD-00001,2026-11-24,1,9\n"
    await sent(pool, wired, "planner.forecasts", tmp_path, PLAN + newer, PLAN + older)
    assert await _periods(pool) == [("CD-00002", date(2026, 11, 24), 1, Decimal(5))]
    states = await pool.fetch("SELECT version, state FROM document WHERE parent_id IS NULL ORDER BY version")
    assert [tuple(row) for row in states] == [(1, "settled"), (2, "duplicate"), (3, "settled")]


async def test_planned_receipts_are_expected(pool: asyncpg.Pool, wired: Wired, tmp_path: Path) -> None:
    rows = "PO-7,1,01,2026-11-25 08:00,CD-00001,400\nPO-7,1,01,2026-11-25 08:00,NO-SUCH,1\n"
    await sent(pool, wired, "planner.receipts", tmp_path, ORDERS + rows)
    expected = await pool.fetch("SELECT reference, sku, location, quantity FROM expected_stock")
    assert [tuple(row) for row in expected] == [("PO-7", "CD-00001", "MAIN", Decimal(400))]
    assert await pool.fetchval("SELECT value FROM triage_case") == "NO-SUCH"


async def _document(conn: asyncpg.Connection, kind: str, body: bytes, state: str = "settled") -> int:
    message = await conn.fetchval(
        "INSERT INTO message (interface, topic, dedup_key, body)"
        " VALUES ('shop', 't', gen_random_uuid()::text, $1) RETURNING id",
        body,
    )
    number: int = await conn.fetchval(
        "INSERT INTO document (message_id, interface, topic, kind, key, digest, state)"
        " VALUES ($1, 'shop', 't', $2, 'k', 1, $3) RETURNING id",
        message,
        kind,
        state,
    )
    await conn.execute(
        "INSERT INTO document_version (document_id, number, stage, body) VALUES ($1, 1, 'canonical', $2)", number, body
    )
    return number


async def _sold(
    pool: asyncpg.Pool, number: int, quantity: str, placed: datetime, status: str = "open", unit: str = "EA"
) -> str:
    first = line(1, "CD-00001", quantity)
    first = msgspec.structs.replace(first, quantity=Quantity(first.quantity.value, unit))
    document = order(str(number), first, line(2, "CD-00002", "1"))
    async with pool.acquire() as conn:
        document_id = await _document(conn, "sales_order", encode(document))
        await conn.execute(
            "INSERT INTO sales_order (order_key, number, channel, entity, customer_id, status, version, currency,"
            " total, document_id, content, erp, placed_at, changed_at, decision)"
            " VALUES ($1, $1, 'shop', 'us', 'C', $2, 1, 'USD', 1, $3, 1, 'erp', $4, $5, '')",
            document.order_key,
            status,
            document_id,
            placed,
            placed + timedelta(hours=1),
        )
    return document.order_key


async def _shipped(pool: asyncpg.Pool, key: str, quantity: int, at: datetime, unit: str = "EA") -> None:
    goods = FulfillmentLine(line="1", sku="CD-00001", quantity=Quantity(Decimal(quantity), unit))
    shipment = Shipment(
        shipment_id=f"s-{key}",
        order_key=key,
        fulfillment_reference=f"{key}#1",
        shipped_at=at,
        packages=(Package(lines=(goods,)),),
    )
    async with pool.acquire() as conn:
        document_id = await _document(conn, "shipment", encode(shipment))
        await conn.execute(
            "INSERT INTO shipment (shipment_key, order_key, fulfillment_reference, location, carrier, tracking,"
            " shipped_at, document_id) VALUES ($1, $1, $1, 'MAIN', 'UPS', '{}', $2, $3)",
            key,
            at,
            document_id,
        )
        shipped = {"1": {"sku": "CD-00001", "ordered": "9", "shipped": str(quantity)}}
        await conn.execute(
            "INSERT INTO fulfillment_order (reference, order_key, location, document_id, lines)"
            " VALUES ($1, $2, 'MAIN', 1, $3::jsonb)",
            f"{key}#1",
            key,
            msgspec.json.encode(shipped).decode(),
        )


async def test_demand_of_a_day_is_what_was_ordered_shipped_cancelled_and_lost(
    pool: asyncpg.Pool, wired: Wired, tmp_path: Path
) -> None:
    at = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
    await _sold(pool, 1, "5", at)
    await _sold(pool, 2, "7", at - timedelta(microseconds=1))
    cancelled = await _sold(pool, 3, "9", at + timedelta(hours=22), "cancelled")
    await _shipped(pool, cancelled, 4, at + timedelta(hours=23, minutes=59))
    reason = "not enough stock: line 1: 3 of 8 EA CD-00001 missing; line 2: 1 of 1 EA CD-00002 missing"
    async with pool.acquire() as conn:
        short = await _document(conn, "sales_order", encode(order("4", line(1, "CD-00001", "8"))), "case")
        await conn.execute(
            "INSERT INTO triage_case (document_id, interface, key, step, class, rule, reason, opened_at)"
            " VALUES ($1, 'shop', 'k', 'decide', 'needs_edit', 'order.stock', $2, $3)",
            short,
            reason,
            at + timedelta(hours=3),
        )
        catalog = Catalog()
        await catalog.refresh(conn)
        rows = await demand_of(conn, DAY, catalog)
    assert [(row.sku, row.channel, row.ordered, row.shipped, row.cancelled, row.lost) for row in rows] == [
        ("CD-00001", "shop", 14, 4, 5, 3),
        ("CD-00002", "shop", 2, 0, 1, 1),
    ]
    folder = tmp_path / "out"
    files = await write_planning(pool, wired, folder, DAY + timedelta(days=1))
    assert [file.name for file in files] == ["demand-2026-11-22.csv", "demand-2026-11-23.csv", "availability.csv"]
    with (folder / "demand-2026-11-23.csv").open(encoding="utf-8", newline="") as stream:
        written = list(csv.reader(stream))
    assert written == [
        list(DEMAND),
        ["2026-11-23", "CD-00001", "shop", "14", "4", "5", "3"],
        ["2026-11-23", "CD-00002", "shop", "2", "0", "1", "1"],
    ]
    assert (folder / "availability.csv").read_bytes() == ",".join(AVAILABLE).encode() + b"\r\n"
    again = await write_planning(pool, wired, folder, DAY + timedelta(days=1))
    assert [file.name for file in again] == ["availability.csv"]
    events = await pool.fetch("SELECT data FROM event WHERE type = 'demand.day_closed' ORDER BY id")
    assert [msgspec.json.decode(row["data"]) for row in events][1] == {
        "day": "2026-11-23", "skus": 2, "ordered": "16", "shipped": "4", "cancelled": "6", "lost": "4",
    }  # fmt: skip


def _shown(head: str) -> str:
    """The CSV block of the example's README that begins with `head`."""
    blocks = (ESTATE.parent / "README.md").read_text("utf-8").split("```csv\n")[1:]
    return next(text for block in blocks if (text := block.partition("```")[0]).startswith(head))


async def test_the_example_yields_the_demand_that_its_readme_shows(
    pool: asyncpg.Pool, wired: Wired, tmp_path: Path
) -> None:
    await sent(pool, wired, "shop.orders", tmp_path, _shown("Order,Placed"))
    assert [tuple(row) for row in await pool.fetch("SELECT rule, reason FROM triage_case")] == []
    files = await write_planning(pool, wired, tmp_path / "out", DAY + timedelta(days=1))
    assert [file.name for file in files] == ["demand-2026-11-23.csv", "availability.csv"]
    assert files[0].read_text("utf-8") == _shown("day,sku")


async def test_a_day_is_closed_once_and_missing_days_are_made_up_for(pool: asyncpg.Pool, wired: Wired) -> None:
    async with pool.acquire() as conn:
        assert await open_days(conn, DAY) == []
        await _sold(pool, 1, "5", datetime(2026, 11, 20, 12, tzinfo=UTC))
        assert await open_days(conn, DAY) == [date(2026, 11, number) for number in (20, 21, 22)]
        assert await close_day(conn, date(2026, 11, 21), [])
        assert not await close_day(conn, date(2026, 11, 21), [])
        assert await open_days(conn, DAY) == [date(2026, 11, 22)]


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a" / "demand.csv"
    with WholeFile(path) as file:
        file.write("one\n")
        assert not path.exists()
    with pytest.raises(UnicodeEncodeError), WholeFile(path) as file:
        file.write("\ud800")
    assert [one.name for one in path.parent.iterdir()] == ["demand.csv"]
    assert path.read_text() == "one\n"


def test_a_file_that_cannot_be_written_is_no_absent_database(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for name, reason in (("file/a.csv", "File exists"), ("folder", "Is a directory")):
        with pytest.raises(NeedsConfig, match=rf"/{name} cannot be written: {reason}"), away():
            _write(tmp_path / name)
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["file", "folder"]


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    (tmp_path / f".a.csv.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(NeedsConfig, match=r"/a\.csv cannot be written: No space left on device"), away():
        _write(path)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a.csv", "old")]


def _write(path: Path) -> None:
    with WholeFile(path) as file:
        file.write("new")


async def test_what_was_cancelled_is_told_in_the_base_unit(pool: asyncpg.Pool, wired: Wired) -> None:
    at = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    case = Product(sku="CD-00001", units=(UnitConversion(unit="CS", factor=Decimal(12)),))
    async with pool.acquire() as conn:
        await accept_products(conn, [(None, case)])
    key = await _sold(pool, 1, "3", at, "cancelled", unit="CS")
    await _shipped(pool, key, 2, at, unit="CS")
    other = await _sold(pool, 2, "1", at, "cancelled", unit="PK")
    await _shipped(pool, other, 1, at, unit="PK")
    async with pool.acquire() as conn:
        catalog = Catalog()
        await catalog.refresh(conn)
        rows = await demand_of(conn, DAY, catalog)
    found = [(row.sku, row.ordered, row.shipped, row.cancelled) for row in rows]
    assert found == [("CD-00001", 36, 24, 12), ("CD-00002", 2, 0, 2)], "the product has no PK"


def test_what_a_refusal_says_is_missing_can_be_read_again() -> None:
    said = "not enough stock: line 1: 3 of 8 EA A B-1 missing; line L/2: 0.5 of 1 KGM X missing"
    assert missing_of(said) == [("A B-1", Quantity(Decimal(3))), ("X", Quantity(Decimal("0.5"), "KGM"))]
    assert missing_of("something else") == []


def test_a_cell_runs_nowhere() -> None:
    row = DemandRow(day=DAY, sku="=1+1", channel="shop")
    assert lines([row], DEMAND, "csv") == "2026-11-23,'=1+1,shop,0,0,0,0\r\n"
    assert msgspec.json.decode(lines([row], DEMAND, "jsonl"))["sku"] == "=1+1"
