# SPDX-License-Identifier: Apache-2.0
"""The example of a warehouse that exports CSV files: a list through file drop, journal and decision into levels."""

from __future__ import annotations

from pathlib import Path

import asyncpg

from crossdock.app.prepare import prepare
from crossdock.app.send import send_file, target_of
from crossdock.app.wiring import Wired, rules_of, translations_of, wire
from crossdock.catalog.cache import Catalog
from crossdock.flow import work

ESTATE = Path(__file__).parents[2] / "examples" / "stock_files" / "estate.yaml"
COUNTS = "List,Site,CountedAt,Complete,Sku,Quantity,Unit,Lot\n"
LIST = """\
L-1,01,2026-11-23 06:00,yes,CD-00001,30,EA,A6
L-1,01,2026-11-23 06:00,yes,CD-00001,8,EA,A7
L-1,01,2026-11-23 06:00,yes,CD-00002,many,EA,
"""
OLDER = "L-0,01,2026-11-22 06:00,yes,CD-00001,77,EA,\n"


async def sent(pool: asyncpg.Pool, wired: Wired, interface: str, folder: Path, *texts: str) -> None:
    """Send the files and take what came through translate and decide."""
    for number, text in enumerate(texts):
        file = folder / f"{number}.csv"
        file.write_text(text, "utf-8")
        report = await send_file(pool, wired, target_of(wired, interface, ""), file, lambda _: None)
        assert report.refused == ""
    catalog = Catalog()
    rules, translations = rules_of(wired, catalog), translations_of(wired, catalog)
    while await work(pool, rules, translations, 100):
        pass


async def test_a_stock_list_becomes_levels_and_an_older_one_changes_nothing(
    pool: asyncpg.Pool, database: str, tmp_path: Path
) -> None:
    wired = wire(ESTATE)
    await prepare(database, wired)
    await sent(pool, wired, "old-wms.counts", tmp_path, COUNTS + LIST)
    await sent(pool, wired, "old-wms.counts", tmp_path, COUNTS + OLDER)
    levels = await pool.fetch("SELECT sku, location, on_hand, counted_at FROM stock_level WHERE on_hand <> 0")
    assert [(row[0], row[1], row[2], row[3].isoformat()) for row in levels] == [
        ("CD-00001", "MAIN", 38, "2026-11-23T05:00:00+00:00")
    ]
    states = await pool.fetch("SELECT key, state, note FROM document WHERE parent_id IS NULL ORDER BY key")
    assert [tuple(row)[:2] for row in states] == [("count/old-wms/L-0", "duplicate"), ("count/old-wms/L-1", "settled")]
    assert states[0]["note"] == "stale: every SKU of it was counted later"
    (case,) = await pool.fetch("SELECT field, value FROM triage_case")
    assert tuple(case) == ("rows[0].Quantity", "many")


async def test_a_purchase_order_is_expected_and_its_revision_replaces_it(
    pool: asyncpg.Pool, database: str, tmp_path: Path
) -> None:
    wired = wire(ESTATE)
    await prepare(database, wired)
    head = "Order,Revision,Site,Due,Sku,Quantity,Unit\n"
    first = "PO-7,1,01,2026-11-25 08:00,CD-00001,400,EA\nPO-7,1,01,2026-11-25 08:00,CD-00002,10,EA\n"
    second = "PO-7,2,01,2026-11-26 08:00,CD-00001,380,EA\n"
    await sent(pool, wired, "old-wms.inbound", tmp_path, head + second, head + first)
    rows = await pool.fetch("SELECT sku, quantity, due_at, version, status FROM expected_stock")
    assert [(row[0], row[1], row[2].isoformat(), row[3], row[4]) for row in rows] == [
        ("CD-00001", 380, "2026-11-26T07:00:00+00:00", 2, "open")
    ]
