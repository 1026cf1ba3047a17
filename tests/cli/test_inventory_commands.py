# SPDX-License-Identifier: Apache-2.0
"""`crossdock reconcile`, `kpi` and `export` as commands: what they print, what they write, their exit codes."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.canonical.master_data import Product
from crossdock.catalog.accept import accept_products
from crossdock.cli.main import COMMANDS, build
from crossdock.sandbox.warehouse.opening import OpeningRequest, receive_opening
from crossdock.sandbox.warehouse.simulator import WarehouseConfig, WarehouseSim
from tests.flow.staging import MASTER

ESTATE = """\
estate: compared
owners: {{wh: {{email: wh@example.com}}}}
tiers: {{gold: {{settle_within: 15m}}}}
entities: {{us: {{name: Northstar, currency: USD, erp: warehouse}}}}
systems:
  warehouse:
    connector: warehouse_rest
    owner: wh
    settings: {{url: "{url}"}}
    secrets: {{webhook: "file:warehouse.secret", token: "file:warehouse.token"}}
channels: {{shop: {{system: warehouse, entity: us, currency: USD, customer: C}}}}
locations:
  DC-EAST: {{system: warehouse, name: East, codes: {{warehouse: DC-EAST}}}}
  DC-WEST: {{system: warehouse, name: West, codes: {{warehouse: DC-WEST}}}}
interfaces:
  warehouse.stock: {{system: warehouse, topics: [stock.movements], object: stock_movements, owner: wh, tier: gold,
                     version: 1, state: active}}
routing: {{default_location: DC-EAST}}
products: {{file: products.csv}}
inventory:
  channels: {{shop: {{locations: [DC-EAST], safety: 1, publish: false}}}}
  reconcile: {{late_within: 1s, look_again_after: 1s, heal_up_to: 3, truth: {{DC-EAST: warehouse}}}}
"""


@pytest_asyncio.fixture
async def warehouse() -> AsyncIterator[WarehouseSim]:
    async with WarehouseSim(WarehouseConfig(catalog=MASTER, rate=1000, burst=1000)) as running:
        yield running


@pytest_asyncio.fixture
async def estate(warehouse: WarehouseSim, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An estate of one warehouse that has two SKUs and told nobody."""
    (tmp_path / "warehouse.secret").write_text(warehouse.config.secret, "utf-8")
    (tmp_path / "warehouse.token").write_text(warehouse.config.token, "utf-8")
    skus = "".join(f"{product.sku}\n" for product in warehouse.catalog.products)
    (tmp_path / "products.csv").write_text(f"sku\n{skus}", "utf-8")
    file = tmp_path / "estate.yaml"
    file.write_text(ESTATE.format(url=warehouse.url), "utf-8")
    await prepare(database, wire(file))
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("CROSSDOCK_DATA", str(tmp_path / "data"))
    return file


async def crossdock(*words: str | Path) -> Result:
    """Run a command, in a thread because it makes an event loop of its own."""
    app = build([name for name in COMMANDS if name == words[0]] + ["balance"])  # one alone would have no name
    return await asyncio.to_thread(CliRunner().invoke, app, [str(word) for word in words])


async def stock(pool: asyncpg.Pool, *levels: tuple[str, str, int]) -> None:
    await pool.executemany(
        "INSERT INTO stock_level (sku, location, sequence, on_hand, changed_at)"
        " VALUES ($1, $2, 1, $3, now() - interval '1 hour')",
        levels,
    )


async def test_reconcile_says_what_it_would_do_and_does_it(
    pool: asyncpg.Pool, estate: Path, warehouse: WarehouseSim
) -> None:
    receive_opening(warehouse.warehouse, OpeningRequest(quantity=50, skus=2))
    first, second = (product.sku for product in warehouse.catalog.products[:2])
    # The warehouse says it changed its figures just now, which is no lateness once a second has passed.
    await asyncio.sleep(1.1)
    await stock(pool, (first, "DC-EAST", 52), (first, "DC-WEST", 50), (second, "DC-EAST", 50), (second, "DC-WEST", 9))
    tried = await crossdock("reconcile", "inventory", "-e", estate, "--dry-run", "--json")
    assert tried.exit_code == 0, tried.stderr
    said = json.loads(tried.stdout)
    assert (said["id"], said["compared"], said["equal"]) == (0, 80, 78)
    found = [[one[name] for name in ("sku", "location", "ours", "theirs", "amount", "class", "action")]
             for one in said["systems"][0]["differences"]]  # fmt: skip
    assert found == [
        [first, "DC-EAST", "52", "50", "-2", "phantom", "counted"],
        [second, "DC-WEST", "9", "50", "41", "phantom", "case"],
    ]
    assert await pool.fetchval("SELECT count(*) FROM reconciliation") == 0
    done = await crossdock("reconcile", "inventory", "-e", estate, "--system", "warehouse", "--sku", first)
    assert done.exit_code == 0, done.stderr
    assert [word in done.stdout for word in (first, "counted", second, "dry run")] == [True, True, False, False]
    rows = await pool.fetch("SELECT asked_by <> '' AS said, compared, equal, healed, cases FROM reconciliation")
    assert [tuple(row) for row in rows] == [(True, 2, 1, 1, 0)]
    acts = await pool.fetch("SELECT action, what, origin, after FROM audit WHERE origin <> 'estate'")
    wish = json.dumps({"system": "warehouse", "skus": [first]}, separators=(",", ":"))
    assert [tuple(row) for row in acts] == [("reconciliation.run", "reconciliation/1", "cli", wish)]
    assert await pool.fetchval("SELECT count(*) FROM kpi") == 0, "a part says nothing of the whole"


async def test_reconcile_tells_what_could_not_be_asked(estate: Path, warehouse: WarehouseSim) -> None:
    wrong = await crossdock("reconcile", "inventory", "-e", estate, "--system", "nobody")
    assert (wrong.exit_code, "'nobody' cannot be asked for its stock" in wrong.stderr) == (3, True)
    (estate.parent / "warehouse.token").write_text("wrong", "utf-8")
    refused = await crossdock("reconcile", "inventory", "-e", estate)
    assert refused.exit_code == 1
    assert "warehouse: could not be asked" in refused.stdout


async def test_kpi_prints_a_figure_with_its_history(pool: asyncpg.Pool, estate: Path) -> None:
    nothing = await crossdock("kpi", "inventory_accuracy")
    assert (nothing.exit_code, "there is no figure 'inventory_accuracy' yet" in nothing.stderr) == (1, True)
    assert (await crossdock("reconcile", "inventory", "-e", estate)).exit_code == 0
    told = await crossdock("kpi", "inventory_accuracy", "--json")
    assert [(one["dimension"], one["value"]) for one in json.loads(told.stdout)] == [
        ("", 1.0), ("warehouse", 1.0), ("warehouse/DC-EAST", 1.0), ("warehouse/DC-WEST", 1.0)
    ]  # fmt: skip
    await pool.execute("INSERT INTO kpi SELECT name, dimension, at - interval '1 hour', 0.25 FROM kpi")
    shown = await crossdock("kpi", "inventory_accuracy", "--dimension", "warehouse")
    assert [line.split()[2:] for line in shown.stdout.splitlines()[1:]] == [
        ["warehouse", "1.0000"],
        ["warehouse", "0.2500"],
    ]
    assert len(json.loads((await crossdock("kpi", "inventory_accuracy", "--limit", "3", "--json")).stdout)) == 3


async def test_export_availability(pool: asyncpg.Pool, estate: Path, warehouse: WarehouseSim, tmp_path: Path) -> None:
    sku = warehouse.catalog.products[0].sku
    await stock(pool, (sku, "DC-EAST", 5), (sku, "DC-WEST", 100))
    async with pool.acquire() as conn:
        await accept_products(conn, [(None, Product(sku=sku, unit="LTR"))])
    shown = await crossdock("export", "availability", "-e", estate)
    assert shown.exit_code == 0, shown.stderr
    (row,) = csv.DictReader(io.StringIO(shown.stdout))
    assert {name: row[name] for name in ("channel", "sku", "available", "unit")} == {
        "channel": "shop", "sku": sku, "available": "4", "unit": "LTR"
    }  # fmt: skip
    out = tmp_path / "new" / "availability.jsonl"
    assert (await crossdock("export", "availability", "-e", estate, "--format", "jsonl", "--out", out)).exit_code == 0
    assert json.loads(out.read_text("utf-8"))["available"] == "4"
    assert [one.name for one in out.parent.iterdir()] == ["availability.jsonl"]


async def test_export_demand(pool: asyncpg.Pool, estate: Path, tmp_path: Path) -> None:
    shown = await crossdock("export", "demand", "--since", "2026-11-01", "--until", "2026-11-03")
    assert (shown.exit_code, shown.stdout) == (0, "day,sku,channel,ordered,shipped,cancelled,lost\n")
    await _order(pool, datetime(2026, 11, 2, 23, 59, tzinfo=UTC))
    out = tmp_path / "demand.csv"
    done = await crossdock("export", "demand", "--since", "2026-11-01", "--until", "2026-11-03", "--out", out)
    assert (done.exit_code, done.stdout) == (0, "")
    assert out.read_bytes() == (
        b"day,sku,channel,ordered,shipped,cancelled,lost\r\n2026-11-02,CD-00001,shop,3,0,0,0\r\n"
    )
    before = await crossdock("export", "demand", "--since", "2026-11-01", "--until", "2026-11-02", "--format", "jsonl")
    assert (before.exit_code, before.stdout) == (0, "")


@pytest.mark.parametrize("until", ["2026-11-01", "2031-11-01"])
async def test_export_demand_of_no_span_is_wrong_usage(estate: Path, until: str) -> None:
    wrong = await crossdock("export", "demand", "--since", "2026-11-01", "--until", until)
    assert (wrong.exit_code, "is no span of 1 to 1100 days" in wrong.stderr) == (2, True)


async def test_a_file_that_cannot_be_written_is_said(estate: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for words in (("demand", "--since", "2026-11-01", "--until", "2026-11-02"), ("availability", "-e", str(estate))):
        told = await crossdock("export", *words, "--out", tmp_path / "file" / "out.csv")
        assert told.exit_code == 3
        assert "cannot be written" in told.stderr
        assert "PostgreSQL" not in told.stderr


async def _order(pool: asyncpg.Pool, placed: datetime) -> None:
    body = (
        b'{"order_key": "shop/1", "number": "1", "channel": "shop", "version": 1, "placed_at": "2026-11-02T23:59:00Z",'
        b' "currency": "USD", "customer": {"id": "C"}, "total": {"amount": "3", "currency": "USD"}, "lines": [{"line":'
        b' "1", "sku": "CD-00001", "quantity": {"value": "3", "unit": "EA"}, "unit_price": {"amount": "1", "currency":'
        b' "USD"}, "total": {"amount": "3", "currency": "USD"}}]}'
    )
    message = await pool.fetchval(
        "INSERT INTO message (interface, topic, dedup_key, body) VALUES ('shop', 't', 'd', $1) RETURNING id", body
    )
    document = await pool.fetchval(
        "INSERT INTO document (message_id, interface, topic, kind, key, digest, state)"
        " VALUES ($1, 'shop', 't', 'sales_order', 'order/shop/1', 1, 'settled') RETURNING id",
        message,
    )
    await pool.execute(
        "INSERT INTO sales_order (order_key, number, channel, entity, customer_id, status, version, currency,"
        " total, document_id, content, erp, placed_at, changed_at, decision)"
        " VALUES ('shop/1', '1', 'shop', 'us', 'C', 'open', 1, 'USD', 3, $1, 1, 'erp', $2, $3, '')",
        document,
        placed,
        placed + timedelta(seconds=1),
    )
