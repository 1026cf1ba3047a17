# SPDX-License-Identifier: Apache-2.0
"""Replay brings back what the ledger lost and doubles nothing, however often it runs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from crossdock.app.prepare import prepare
from crossdock.app.replay import Report, Wish, replay
from crossdock.app.wiring import Wired, rules_of, translations_of, wire
from crossdock.catalog.cache import Catalog
from crossdock.cli.main import build
from crossdock.flow import work
from crossdock.journal.keep import keep
from crossdock.sdk.receiving import Incoming, digest_of
from crossdock.triage.edit import edit, editable
from tests.inventory.deciding import check_laws

ESTATE = """\
estate: replayed
owners: {wh: {email: wh@example.com}}
tiers: {gold: {settle_within: 15m}}
systems:
  wms: {connector: warehouse_rest, owner: wh, settings: {url: "http://127.0.0.1:9"},
        secrets: {webhook: "env:NONE", token: "env:NONE"}}
locations: {EAST: {system: wms, codes: {wms: EAST}}, WEST: {system: wms, codes: {wms: WEST}}}
interfaces:
  wms.stock: {system: wms, topics: [stock.movements], object: stock_movements, owner: wh, tier: gold, version: 1,
              state: active}
  wms.counts: {system: wms, topics: [stock.counted], object: stock_count, owner: wh, tier: gold, version: 1,
               state: active}
products: {file: products.csv}
"""
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Warehouse:
    """Sends events as the warehouse does and lets them be decided."""

    def __init__(self, pool: asyncpg.Pool, wired: Wired) -> None:
        self.pool, self.wired, self._sent = pool, wired, 0
        catalog = Catalog()
        self._rules, self._translations = rules_of(wired, catalog), translations_of(wired, catalog)

    async def event(self, interface: str, topic: str, data: dict[str, Any]) -> None:
        self._sent += 1
        body = msgspec.json.encode({"type": topic, "id": f"e{self._sent}", "data": data})
        incoming = Incoming(
            interface=interface,
            topic=topic,
            dedup_key=f"e{self._sent}",
            key=f"stock/wms/{self._sent}",
            body=body,
            digest=digest_of(body),
        )
        await keep(self.pool, [incoming])
        await self.work()

    async def work(self) -> None:
        while await work(self.pool, self._rules, self._translations, 50):
            pass

    async def moved(self, *moves: tuple[str, str, int], **changes: Any) -> None:
        """Adjustments (id, quantity, minute) of CD-1 at EAST in one event."""
        await self.event(
            "wms.stock",
            "stock.movements",
            {
                "movements": [
                    {"id": ident, "type": "adjustment", "sku": "CD-1", "location": "EAST", "quantity": quantity}
                    | {"unit": "EA", "occurred_at": minute(at), "reference": None, "lot": None}
                    | changes
                    for ident, quantity, at in moves
                ]
            },
        )

    async def counted(self, count_id: str, at: int, *, complete: bool = False, **skus: int) -> None:
        """A count at EAST of CD_1=…, CD_2=…"""
        entries = [
            {"sku": sku.replace("_", "-"), "quantity": str(number), "unit": "EA"} for sku, number in skus.items()
        ]
        count = {"id": count_id, "location": "EAST", "as_of": minute(at), "complete": complete, "entries": entries}
        await self.event("wms.counts", "stock.counted", {"count": count})

    async def replayed(self, **wish: Any) -> Report:
        wanted = Wish(**{"since": LONG_AGO, "until": datetime.now(UTC) + timedelta(hours=1), **wish})
        async with self.pool.acquire() as conn:
            return await replay(conn, self.wired, wanted, lambda *_: None)

    async def rows(self) -> list[tuple[Any, ...]]:
        """The ledger, without our own ids and times."""
        return [
            tuple(row)
            for row in await self.pool.fetch(
                "SELECT source, movement_id, kind, sku, location, quantity, on_hand, late FROM stock_movement"
                " ORDER BY source, movement_id"
            )
        ]

    async def on_hand(self) -> int:
        return int(await self.pool.fetchval("SELECT on_hand FROM stock_level WHERE sku = 'CD-1' AND location = 'EAST'"))


def minute(number: int) -> str:
    return (START + timedelta(minutes=number)).isoformat()


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    (tmp_path / "products.csv").write_text("sku,description,price,currency\nCD-1,,1,USD\nCD-2,,1,USD\n", "utf-8")
    path = tmp_path / "estate.yaml"
    path.write_text(ESTATE, "utf-8")
    return path


@pytest_asyncio.fixture
async def warehouse(pool: asyncpg.Pool, database: str, estate: Path) -> AsyncIterator[Warehouse]:
    wired = wire(estate)
    await prepare(database, wired)
    yield Warehouse(pool, wired)


async def test_a_movement_lost_from_the_ledger_is_brought_back_once(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1), ("m2", "-3", 2))
    await warehouse.moved(("m3", "4", 3))
    before = await warehouse.rows()
    await warehouse.pool.execute("DELETE FROM stock_movement WHERE movement_id = 'm2'")
    dry = await warehouse.replayed(dry_run=True)
    assert (dry.documents, dry.known, dry.entered, dry.left) == (2, 2, 1, True)
    assert [(one.sku, one.location, one.on_hand, one.ledger_on_hand) for one in dry.drifts] == [
        ("CD-1", "EAST", 11, 14)
    ]
    assert len(await warehouse.rows()) == 2
    done = await warehouse.replayed()
    assert (done.documents, done.known, done.entered, done.drifted, done.left) == (2, 2, 1, 0, False)
    assert await warehouse.rows() == before
    # The level had it already: only the ledger had lost it.
    assert (await warehouse.on_hand(), done.changes) == (11, [])
    again = await warehouse.replayed()
    assert (again.known, again.entered, again.left) == (3, 0, False)
    assert await warehouse.rows() == before
    await check_laws(warehouse.pool)


async def test_what_ledger_and_level_both_lost_comes_back_to_both(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1), ("m2", "-3", 2))
    await warehouse.pool.execute("DELETE FROM stock_movement WHERE movement_id = 'm2'")
    await warehouse.pool.execute("UPDATE stock_level SET on_hand = 10")
    dry = await warehouse.replayed(dry_run=True)
    assert [(one.sku, one.location, one.on_hand) for one in dry.changes] == [("CD-1", "EAST", -3)]
    assert await warehouse.on_hand() == 10
    done = await warehouse.replayed()
    assert [(one.sku, one.location, one.on_hand) for one in done.changes] == [("CD-1", "EAST", -3)]
    assert await warehouse.on_hand() == 7
    told = await warehouse.pool.fetchval(
        "SELECT convert_from(data, 'UTF8') FROM event WHERE type = 'inventory.level.changed' ORDER BY id DESC LIMIT 1"
    )
    assert json.loads(told)[-1]["data"]["on_hand"] == "7"
    await check_laws(warehouse.pool)


async def test_what_was_counted_stays_whatever_was_lost_before_it(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1), ("m2", "5", 2))
    await warehouse.counted("c1", 5, CD_1=20)
    await warehouse.moved(("m3", "-2", 6), ("m4", "1", 3))
    for lost in ("m2", "c1/CD-1", "m3", "m4"):
        await warehouse.pool.execute("DELETE FROM stock_movement WHERE movement_id = $1", lost)
        await warehouse.replayed(heal=True)
        assert (lost, await warehouse.on_hand()) == (lost, 18)
        await check_laws(warehouse.pool)
    done = await warehouse.replayed()
    assert (done.entered, done.left) == (0, False)


async def test_a_count_that_was_lost_whole_is_taken_again(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1))
    await warehouse.counted("c1", 5, CD_1=8, CD_2=3)
    await warehouse.pool.execute("TRUNCATE stock_count, counted_stock")
    await warehouse.pool.execute("DELETE FROM stock_movement WHERE kind = 'count'")
    await warehouse.pool.execute("UPDATE stock_level SET on_hand = 10, counted_at = NULL WHERE sku = 'CD-1'")
    await warehouse.pool.execute("DELETE FROM stock_level WHERE sku = 'CD-2'")
    done = await warehouse.replayed()
    assert (done.entered, done.left) == (2, False)
    assert [(one.sku, one.on_hand) for one in done.changes] == [("CD-1", -2), ("CD-2", 3)]
    await check_laws(warehouse.pool)
    assert (await warehouse.replayed()).entered == 0


async def test_what_a_complete_count_did_not_find_is_among_the_changes(warehouse: Warehouse) -> None:
    await warehouse.moved(("n1", "4", 1), sku="CD-2")
    await warehouse.counted("c1", 5, complete=True, CD_1=8)
    await warehouse.pool.execute("TRUNCATE stock_count, counted_stock")
    await warehouse.pool.execute("DELETE FROM stock_movement WHERE kind = 'count'")
    await warehouse.pool.execute(
        "UPDATE stock_level SET counted_at = NULL, on_hand = CASE sku WHEN 'CD-2' THEN 4 ELSE 0 END"
    )
    done = await warehouse.replayed()
    assert [(one.sku, one.on_hand) for one in done.changes] == [("CD-1", 8), ("CD-2", -4)]
    await check_laws(warehouse.pool)


async def test_what_cannot_enter_any_more_makes_no_level(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1), ("m2", "-7", 2), type="receipt")
    (case,) = await warehouse.pool.fetch("SELECT id FROM triage_case WHERE state = 'open'")
    async with warehouse.pool.acquire() as conn:
        body = (await editable(conn, case["id"])).body.replace(b"-7", b"7").replace(b"CD-1", b"CD-2")
        async with conn.transaction():
            await edit(conn, case["id"], body, by="jo", origin="cli")
    await warehouse.work()
    await warehouse.pool.execute("TRUNCATE stock_movement, stock_level")
    await warehouse.pool.execute("DELETE FROM product WHERE sku = 'CD-2'")
    done = await warehouse.replayed()
    assert (done.entered, done.refused) == (1, 1)
    rows = await warehouse.pool.fetch("SELECT sku, on_hand FROM stock_level")
    assert [tuple(row) for row in rows] == [("CD-1", 10)]


async def test_a_count_that_came_twice_is_entered_once(warehouse: Warehouse) -> None:
    await warehouse.counted("c1", 5, CD_1=8)
    await warehouse.counted("c1", 5, CD_1=8, CD_2=3)
    await warehouse.pool.execute("TRUNCATE stock_movement, stock_level, stock_count, counted_stock")
    dry, done = await warehouse.replayed(dry_run=True), await warehouse.replayed()
    assert [(one.entered, one.known) for one in (dry, done)] == [(2, 1), (2, 1)]
    await check_laws(warehouse.pool)


async def test_other_content_under_the_same_id_is_listed_and_not_applied(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1), ("m2", "2", 2))
    await warehouse.moved(("m1", "99", 1))
    done = await warehouse.replayed()
    assert (done.differing, done.entered, done.left) == (1, 0, True)
    (one,) = done.differences
    assert (one.source, one.movement_id, one.field, one.ledger, one.document) == ("wms", "m1", "quantity", "10", "99")
    assert await warehouse.on_hand() == 12


async def test_levels_that_differ_are_told_and_healed_when_asked(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1))
    await warehouse.moved(("n1", "4", 1), sku="CD-2")
    await warehouse.pool.execute("UPDATE stock_level SET on_hand = 55, reserved = 2 WHERE sku = 'CD-1'")
    await warehouse.pool.execute("DELETE FROM stock_level WHERE sku = 'CD-2'")
    told = await warehouse.replayed()
    assert (told.drifted, told.healed, told.left) == (2, 0, True)
    assert [(one.sku, one.on_hand, one.ledger_on_hand, one.reserved) for one in told.drifts] == [
        ("CD-1", 55, 10, 2),
        ("CD-2", 0, 4, 0),
    ]
    dry = await warehouse.replayed(heal=True, dry_run=True)
    assert (dry.drifted, dry.healed, await warehouse.on_hand()) == (2, 0, 55)
    other = await warehouse.replayed(heal=True, sku="CD-2")
    assert (other.drifted, other.healed, await warehouse.on_hand()) == (1, 1, 55)
    done = await warehouse.replayed(heal=True)
    assert (done.drifted, done.healed, done.left, await warehouse.on_hand()) == (1, 1, False, 10)
    await check_laws(warehouse.pool)


async def test_only_what_is_asked_for_is_replayed(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1))
    await warehouse.moved(("n1", "4", 1), sku="CD-2")
    await warehouse.pool.execute("DELETE FROM stock_movement")
    await warehouse.pool.execute("UPDATE stock_level SET on_hand = 0")
    late = datetime.now(UTC) + timedelta(minutes=5)
    assert (await warehouse.replayed(since=late)).documents == 0
    assert (await warehouse.replayed(source="somebody")).entered == 0
    assert (await warehouse.replayed(sku="CD-2")).entered == 1
    assert [row[1] for row in await warehouse.rows()] == ["n1"]


async def test_a_part_that_was_mended_is_replayed_as_mended_and_a_dismissed_one_not(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1), ("m2", "-7", 2), ("m3", "1", 3), type="receipt")
    (case,) = await warehouse.pool.fetch("SELECT id FROM triage_case WHERE state = 'open'")
    async with warehouse.pool.acquire() as conn:
        body = (await editable(conn, case["id"])).body.replace(b"-7", b"7")
        async with conn.transaction():
            await edit(conn, case["id"], body, by="jo", origin="cli")
    await warehouse.work()
    assert await warehouse.on_hand() == 18
    await warehouse.moved(("b1", "-5", 4), ("b2", "2", 5), type="receipt")
    await warehouse.pool.execute("UPDATE document SET state = 'rejected' WHERE state = 'case'")
    before = await warehouse.rows()
    await warehouse.pool.execute("DELETE FROM stock_movement")
    await warehouse.pool.execute("UPDATE stock_level SET on_hand = 0")
    done = await warehouse.replayed()
    assert (done.entered, done.differing, done.refused) == (4, 0, 0)
    assert await warehouse.rows() == before
    assert await warehouse.on_hand() == 20


async def test_many_documents_are_replayed_page_by_page(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossdock.app.replay.PAGE", 2)
    monkeypatch.setattr("crossdock.app.replay.LEVELS", 1)
    for number in range(5):
        await warehouse.moved((f"m{number}", "1", number), (f"x{number // 2}", "1", 1))
    await warehouse.moved(("n1", "4", 1), sku="CD-2")
    await warehouse.pool.execute("DELETE FROM stock_movement")
    dry, done = await warehouse.replayed(dry_run=True), await warehouse.replayed()
    assert (dry.documents, dry.entered, done.entered, done.drifted) == (6, 9, 9, 0)
    assert await warehouse.on_hand() == 8
    await check_laws(warehouse.pool)


def test_the_command_says_by_its_exit_code_whether_anything_is_left(database: str, estate: Path) -> None:
    run, environment = CliRunner(), {"DATABASE_URL": database}
    words = ["replay", "inventory", "-e", str(estate)]
    app = build(["replay"])
    done = run.invoke(app, [*words, "--since", "2d", "--json"], env=environment)
    assert (done.exit_code, json.loads(done.output)["documents"]) == (0, 0)
    shown = run.invoke(app, [*words, "--since", "2d"], env=environment)
    assert "0 documents: 0 known, 0 entered" in shown.output
    assert run.invoke(app, [*words, "--since", "soon"], env=environment).exit_code == 2
    assert run.invoke(app, [*words, "--since", "1h", "--until", "2h"], env=environment).exit_code == 2


async def test_a_replay_is_in_the_audit_and_a_dry_run_is_not(warehouse: Warehouse) -> None:
    await warehouse.moved(("m1", "10", 1))
    await warehouse.replayed(dry_run=True)
    assert await warehouse.pool.fetchval("SELECT count(*) FROM audit WHERE origin <> 'estate'") == 0
    await warehouse.replayed(heal=True, by="jo", reason="the scanner was offline")
    (row,) = await warehouse.pool.fetch("SELECT who, origin, action, reason, after FROM audit WHERE origin <> 'estate'")
    assert tuple(row)[:4] == ("jo", "cli", "inventory.replay", "the scanner was offline")
    assert '"heal":true' in row["after"]
