# SPDX-License-Identifier: Apache-2.0
"""`crossdock reconcile prices` as a command: what it prints, what it does, its exit codes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from crossdock.app.prepare import prepare
from crossdock.app.wiring import wire
from crossdock.sandbox.catalog import CatalogConfig
from crossdock.sandbox.market import MarketConfig, MarketSim
from tests.cli.test_inventory_commands import crossdock

ESTATE = """\
estate: priced
owners: {{web: {{email: web@example.com}}}}
tiers: {{gold: {{settle_within: 15m}}}}
entities: {{us: {{name: Northstar, currency: USD, erp: portal}}}}
systems:
  portal:
    connector: channel_rest
    owner: web
    settings: {{url: "{url}"}}
    secrets: {{webhook: "file:portal.secret", token: "file:portal.token"}}
channels: {{portal: {{system: portal, entity: us, currency: USD}}}}
price_publication: {{portal: {{}}}}
pricing: {{reconcile: {{look_again_after: 1s}}}}
products: {{file: products.csv}}
"""


@pytest_asyncio.fixture
async def market() -> AsyncIterator[MarketSim]:
    async with MarketSim(MarketConfig(catalog=CatalogConfig(products=5), rate=1000, burst=1000)) as running:
        yield running


@pytest_asyncio.fixture
async def estate(
    market: MarketSim, pool: asyncpg.Pool, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A portal of five SKUs that was told 10.00 of each an hour ago, and shows it."""
    (tmp_path / "portal.secret").write_text(market.config.secret, "utf-8")
    (tmp_path / "portal.token").write_text(market.config.token, "utf-8")
    skus = [product.sku for product in market.catalog.products]
    (tmp_path / "products.csv").write_text("sku,price,currency\n" + "".join(f"{sku},10,USD\n" for sku in skus), "utf-8")
    file = tmp_path / "estate.yaml"
    file.write_text(ESTATE.format(url=market.url), "utf-8")
    await prepare(database, wire(file))
    await pool.execute("INSERT INTO price_publication (channel, system) VALUES ('portal', 'portal')")
    await pool.execute(
        "INSERT INTO channel_price (channel, sku, wanted, currency, unit, wanted_at, told, told_at) "
        "SELECT 'portal', sku, 10, 'USD', 'EA', now() - interval '1 hour', 10, now() - interval '1 hour' "
        "FROM unnest($1::text[]) AS t (sku)",
        skus,
    )
    for sku in skus:
        market.market.misprice(sku, "10.00")
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("CROSSDOCK_DATA", str(tmp_path / "data"))
    return file


async def test_it_says_what_it_would_do_and_does_it(pool: asyncpg.Pool, estate: Path, market: MarketSim) -> None:
    market.market.misprice("CD-00002", "9.50")
    tried = await crossdock("reconcile", "prices", "-e", estate, "--dry-run", "--json")
    assert tried.exit_code == 0, tried.stderr
    (system,) = json.loads(tried.stdout)["systems"]
    assert (system["compared"], system["equal"], system["channel"], system["at_risk"]) == (5, 4, "portal", "0.00")
    (one,) = system["differences"]
    names = ("sku", "class", "action", "ours", "theirs", "units")
    assert [one[name] for name in names] == ["CD-00002", "different", "told_again", "10", "9.50", "0"]
    assert await pool.fetchval("SELECT count(*) FROM reconciliation") == 0
    done = await crossdock("reconcile", "prices", "-e", estate, "--system", "portal")
    assert done.exit_code == 0, done.stderr
    assert [word in done.stdout for word in ("CD-00002", "told again", "dry run")] == [True, True, False]
    rows = await pool.fetch("SELECT kind, compared, equal, healed FROM reconciliation")
    assert [tuple(row) for row in rows] == [("prices", 5, 4, 1)]
    assert await pool.fetchval("SELECT array_agg(sku) FROM channel_price WHERE told IS NULL") == ["CD-00002"]
    assert await pool.fetchval("SELECT count(*) FROM audit WHERE action = 'reconciliation.run'") == 1
    told = json.loads((await crossdock("kpi", "price_accuracy", "--json")).stdout)
    assert [(point["dimension"], point["value"]) for point in told] == [("portal", 0.8)]


async def test_it_tells_what_could_not_be_asked(estate: Path) -> None:
    wrong = await crossdock("reconcile", "prices", "-e", estate, "--system", "nobody")
    assert (wrong.exit_code, "'nobody' shows no prices that could be compared" in wrong.stderr) == (3, True)
    (estate.parent / "portal.token").write_text("wrong", "utf-8")
    refused = await crossdock("reconcile", "prices", "-e", estate)
    assert refused.exit_code == 1
    assert "portal: could not be asked" in refused.stdout
