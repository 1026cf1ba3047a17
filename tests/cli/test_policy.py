# SPDX-License-Identifier: Apache-2.0
"""`crossdock route` and `crossdock policy replay` as commands, on orders that went the usual path."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from typer.testing import CliRunner, Result

from crossdock.app.prepare import prepare
from crossdock.app.wiring import rules_of, wire
from crossdock.canonical.objects import encode
from crossdock.canonical.party import Address
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.cli.main import COMMANDS, build
from crossdock.flow import work
from crossdock.journal.keep import keep
from crossdock.sdk.receiving import Incoming, digest_of
from crossdock.translate import Topic
from tests.orders.making import line, order

ESTATE = """\
estate: routed
owners: {{ops: {{email: ops@example.com}}}}
tiers: {{gold: {{settle_within: 15m}}}}
entities:
  us: {{name: Northstar, currency: USD, erp: warehouse}}
  ca: {{name: Northstar Canada, currency: USD, erp: warehouse}}
systems:
  warehouse:
    connector: warehouse_rest
    owner: ops
    settings: {{url: "http://127.0.0.1:1"}}
    secrets: {{webhook: "file:secret", token: "file:secret"}}
channels: {{shop: {{system: warehouse, entity: us, currency: USD, customer: C-1}}}}
locations:
  DC-EAST: {{system: warehouse, name: East, codes: {{warehouse: DC-EAST}}}}
  DC-WEST: {{system: warehouse, name: West, codes: {{warehouse: DC-WEST}}}}
interfaces:
  warehouse.stock: {{system: warehouse, topics: [stock.movements], object: stock_movements, owner: ops, tier: gold,
                     version: 1, state: active}}
routing:
  default_location: DC-EAST
  rules: [{rules}]
products: {{file: products.csv}}
customers: {{file: customers.csv}}
"""
TO_THE_WEST = "{when: {country: CA}, location: DC-WEST, note: it clears customs}"
TRANSLATIONS = {("shop.orders", "orders"): Topic(translator=None, kind="sales_order")}


def written(folder: Path, name: str, *rules: str) -> Path:
    file = folder / name
    file.write_text(ESTATE.format(rules=", ".join(rules)), "utf-8")
    return file


@pytest_asyncio.fixture
async def estate(database: str, pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An estate with three orders in its journal: two for the US, one for Canada."""
    (tmp_path / "secret").write_text("secret", "utf-8")
    (tmp_path / "products.csv").write_text("sku\nCD-1\nCD-2\n", "utf-8")
    (tmp_path / "customers.csv").write_text("customer_id\nC-1\n", "utf-8")
    file = written(tmp_path, "estate.yaml", TO_THE_WEST)
    wired = wire(file)
    await prepare(database, wired)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("CROSSDOCK_DATA", str(tmp_path / "data"))
    orders = [
        order("1", line(1, "CD-1")),
        order("2", line(1, "CD-1"), line(2, "CD-2"), service="express"),
        order("3", line(1, "CD-2"), ship_to=Address(country="CA")),
    ]
    await keep(pool, [_incoming(one) for one in orders])
    assert await work(pool, rules_of(wired, Catalog()), TRANSLATIONS, 10)
    assert await pool.fetchval("SELECT count(*) FROM sales_order") == 3
    return file


def _incoming(one: SalesOrder) -> Incoming:
    body = encode(one)
    return Incoming(
        interface="shop.orders",
        topic="orders",
        dedup_key=one.number,
        key=f"order/{one.order_key}",
        version=1,
        body=body,
        digest=digest_of(body),
    )


async def crossdock(*words: str | Path) -> Result:
    """Run a command, in a thread because it makes an event loop of its own."""
    app = build([name for name in COMMANDS if name == words[0]] + ["balance"])  # one alone would have no name
    return await asyncio.to_thread(CliRunner().invoke, app, [str(word) for word in words])


async def test_an_order_is_routed_without_effect_and_explained(estate: Path, tmp_path: Path) -> None:
    done = await crossdock("route", "shop/3", "-e", estate, "--explain")
    assert done.exit_code == 0, done.stderr
    assert "location DC-WEST for 1 line(s): rule 1 (ships to CA: it clears customs)" in done.stdout
    file = tmp_path / "order.json"
    file.write_bytes(encode(order("9", line(1, "CD-1"))))
    said = json.loads((await crossdock("route", file, "-e", estate, "--json")).stdout)
    assert said["locations"] == {"DC-EAST": ["1"]}
    assert said["passed"]["DC-EAST"] == [
        {"name": "DC-WEST", "why_not": "rule 1 names it, and it ships to US", "would_change": "it ships to CA"}
    ]


async def test_a_recorded_order_belongs_to_the_entity_that_the_rules_name_now(estate: Path, tmp_path: Path) -> None:
    new = written(tmp_path, "new.yaml", "{when: {country: CA}, entity: ca}")
    done = await crossdock("route", "shop/3", "-e", new, "--explain", "--json")
    said = json.loads(done.stdout)
    assert said["why"][0] == "entity ca: rule 1 (ships to CA); ERP warehouse: the ERP of ca"
    assert said["entity_passed"] == [
        {
            "name": "us",
            "why_not": "it is the entity of channel shop, and rule 1 decides before that",
            "would_change": "without rule 1",
        }
    ]
    shown = await crossdock("route", "shop/3", "-e", new, "--explain")
    assert "it is the entity of channel shop" in " ".join(shown.stdout.split())


async def test_what_is_no_order_is_told(estate: Path, tmp_path: Path) -> None:
    nobody = await crossdock("route", "shop/99", "-e", estate)
    assert (nobody.exit_code, "there is no order 'shop/99'" in nobody.stderr) == (1, True)
    (tmp_path / "bad.json").write_text('{"number": 1}', "utf-8")
    bad = await crossdock("route", tmp_path / "bad.json", "-e", estate)
    assert (bad.exit_code, "is no canonical sales order" in " ".join(bad.stderr.split())) == (1, True)


async def test_recorded_orders_are_decided_again_by_new_rules(estate: Path, pool: asyncpg.Pool, tmp_path: Path) -> None:
    same = await crossdock("policy", "replay", "--rules", estate, "--since", "2020-01-01")
    assert (same.exit_code, same.stdout.strip()) == (0, "3 orders, 0 would go otherwise")
    before = await pool.fetch("SELECT order_key, decision FROM sales_order ORDER BY 1")
    new = written(
        tmp_path, "new.yaml", "{when: {service: express}, location: DC-WEST}", "{when: {country: CA}, entity: ca}"
    )
    done = await crossdock("policy", "replay", "--rules", new, "--since", "2020-01-01", "--json")
    assert done.exit_code == 1, done.stderr
    report = json.loads(done.stdout)
    assert (report["orders"], report["moved"], report["undecided"]) == (3, 2, 0)
    two, three = order("2", line(1, "CD-1"), line(2, "CD-2")), order("3", line(1, "CD-2"))
    assert [(one["kind"], one["before"], one["after"], one["orders"], one["amount"]) for one in report["sums"]] == [
        ("entity", "us", "ca", 1, str(three.total.amount)),
        ("location", "DC-EAST", "DC-WEST", 1, str(sum(one.total.amount for one in two.lines))),
        ("location", "DC-WEST", "DC-EAST", 1, str(three.lines[0].total.amount)),
    ]
    assert await pool.fetch("SELECT order_key, decision FROM sales_order ORDER BY 1") == before
    shown = await crossdock("policy", "replay", "--rules", new, "--since", "2020-01-01")
    assert "3 orders, 2 would go otherwise" in shown.stdout


async def test_wrong_usage_is_told(estate: Path, tmp_path: Path) -> None:
    late = await crossdock("policy", "replay", "--rules", estate, "--since", "1h", "--until", "2h")
    assert late.exit_code == 2
    broken = written(tmp_path, "broken.yaml", "{when: {country: CA}, location: MOON}")
    assert (await crossdock("policy", "replay", "--rules", broken, "--since", "1h")).exit_code == 2
