# SPDX-License-Identifier: Apache-2.0
"""`crossdock policy replay` of an estate that keeps stock: by what was there then, with shipments and their cost."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from crossdock.app.prepare import prepare
from crossdock.app.wiring import rules_of, wire
from crossdock.catalog.cache import Catalog
from crossdock.flow import work
from crossdock.journal.keep import keep
from tests.cli.test_policy import ESTATE, TRANSLATIONS, _incoming, crossdock
from tests.orders.making import line, order

STOCK = "inventory: {channels: {shop: {locations: [DC-EAST, DC-WEST], publish: false}}}\n"
CHEAPEST = """\
  policy:
    prefer: lowest_cost
    currency: USD
    costs: [{location: DC-EAST, to: US, shipment: 9, unit: 0.5}, {location: DC-WEST, shipment: 4, unit: 0.5}]
"""


async def test_shipments_and_their_cost_are_summed_as_they_were_and_as_they_would_be(
    database: str, pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("secret", "utf-8")
    (tmp_path / "products.csv").write_text("sku\nCD-1\nCD-2\n", "utf-8")
    (tmp_path / "customers.csv").write_text("customer_id\nC-1\n", "utf-8")
    text = ESTATE.format(rules="") + STOCK
    file, new = tmp_path / "estate.yaml", tmp_path / "new.yaml"
    file.write_text(text, "utf-8")
    new.write_text(text.replace("products:", f"{CHEAPEST}products:"), "utf-8")
    wired = wire(file)
    await prepare(database, wired)
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("CROSSDOCK_DATA", str(tmp_path / "data"))
    there = [("CD-1", "DC-EAST", 10), ("CD-1", "DC-WEST", 3), ("CD-2", "DC-WEST", 5)]
    await pool.executemany(
        "INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at) VALUES ($1, $2, $3, 1, now())",
        [(sku, place, Decimal(number)) for sku, place, number in there],
    )
    orders = [
        order("1", line(1, "CD-1", "2")),
        order("2", line(1, "CD-1", "1"), line(2, "CD-2", "1")),
        order("3", line(1, "CD-1", "6")),
    ]
    await keep(pool, [_incoming(one) for one in orders])
    assert await work(pool, rules_of(wired, Catalog()), TRANSLATIONS, 10)
    assert await pool.fetchval("SELECT count(*) FROM sales_order") == 3
    # What is there now decides nothing: it is what was there then.
    await pool.execute("UPDATE stock_level SET on_hand = allocated")

    same = await crossdock("policy", "replay", "--rules", file, "--since", "2020-01-01")
    assert (same.exit_code, "3 orders, 0 would go otherwise" in same.stdout) == (0, True)
    done = await crossdock("policy", "replay", "--rules", new, "--since", "2020-01-01", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["orders"], report["moved"], report["unseen"]) == (1, 3, 2, 0)
    assert [(one["before"], one["after"], one["orders"], one["amount"]) for one in report["sums"]] == [
        ("DC-EAST", "DC-WEST", 2, "30.00")
    ]
    # Before: 10 + (9.5 + 4.5) + 12; after: 5 + 5 + 12, which only DC-EAST has whole.
    assert report["shipping"] == {
        "orders": 3,
        "shipments_before": 4,
        "shipments_after": 3,
        "unpriced": 0,
        "cost_before": "36.0",
        "cost_after": "22.0",
        "currency": "USD",
    }
    shown = await crossdock("policy", "replay", "--rules", new, "--since", "2020-01-01")
    assert "shipments: 4 as it was, 3 by the new rules" in shown.stdout
    assert "36.0 USD as it was, 22.0 USD by the new rules" in " ".join(shown.stdout.split())
    told = await crossdock("route", "shop/2", "-e", new, "--explain")
    assert "location DC-WEST for 2 line(s): lowest cost of" in told.stdout
