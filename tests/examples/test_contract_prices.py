# SPDX-License-Identifier: Apache-2.0
"""The example of contract prices: an export becomes lists, and orders are checked by them as they go through."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from crossdock.app.prepare import prepare
from crossdock.app.send import send_file, target_of
from crossdock.app.wiring import Wired, rules_of, translations_of, wire
from crossdock.canonical.quantity import Quantity
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog
from crossdock.catalog.price import Asked, quote
from crossdock.catalog.priced import WantedLine
from crossdock.flow import work

ROOT = Path(__file__).parents[2]
ESTATE = ROOT / "examples" / "contract_prices" / "estate.yaml"
PRICES = "List,Customer,Currency,From,Until,Revision,Sku,Unit,Price\n"
CONTRACT = "C-100-A,C-100,EUR,2026-01-01,2027-01-01,1,CD-00001,EA,8.00\n"


@pytest.fixture
async def wired(database: str) -> Wired:
    found = wire(ESTATE)
    await prepare(database, found)
    return found


async def sent(pool: asyncpg.Pool, wired: Wired, interface: str, folder: Path, text: str) -> Catalog:
    """Send a file and take what came through translate and decide, as the worker of this estate would."""
    file = folder / "sent.csv"
    file.write_text(text, "utf-8")
    report = await send_file(pool, wired, target_of(wired, interface, ""), file, lambda _: None)
    assert report.refused == ""
    catalog = Catalog(PriceBook())
    rules, translations = rules_of(wired, catalog), translations_of(wired, catalog)
    while await work(pool, rules, translations, 100):
        pass
    async with pool.acquire() as conn:
        await catalog.refresh(conn)
    return catalog


def commands(name: str) -> list[list[str]]:
    """What the README gives this command, behind the estate."""
    lines = (ESTATE.parent / "README.md").read_text("utf-8").splitlines()
    start = f"    crossdock {name} -e {ESTATE.relative_to(ROOT)} "
    return [line.removeprefix(start).split() for line in lines if line.startswith(start)]


def price(catalog: Catalog, quantity: str, unit: str = "EA") -> tuple[str, str]:
    """Unit price and list of CD-00001 for the account of the example."""
    assert catalog.book is not None
    asked = Asked(customer="C-100", group="trade", currency="EUR", at=datetime(2026, 11, 23, tzinfo=UTC))
    wanted = WantedLine("CD-00001", Quantity(Decimal(quantity), unit))
    (line,) = quote(catalog.book, catalog.products, asked, [wanted])
    return str(line.unit_price), line.list


async def test_an_export_becomes_the_contract_and_its_revision_replaces_it(
    pool: asyncpg.Pool, wired: Wired, tmp_path: Path
) -> None:
    catalog = await sent(pool, wired, "erp-export.prices", tmp_path, PRICES + CONTRACT + CONTRACT.replace("8.00", "x"))
    assert [price(catalog, "1"), price(catalog, "2", "CS")] == [("8.00", "C-100-A"), ("96.00", "C-100-A")]
    (case,) = await pool.fetch("SELECT field, value FROM triage_case WHERE state = 'open'")
    assert tuple(case) == ("rows[0].Price", "x")
    newer = CONTRACT.replace(",1,CD-00001,EA,8.00", ",2,CD-00002,EA,2.00")
    catalog = await sent(pool, wired, "erp-export.prices", tmp_path, PRICES + newer)
    assert [price(catalog, "1"), price(catalog, "24")] == [("9.50", "TRADE-2026"), ("9.00", "TRADE-2026")]
    catalog = await sent(pool, wired, "erp-export.prices", tmp_path, PRICES + CONTRACT.replace("8.00", "1.00"))
    assert price(catalog, "1") == ("9.50", "TRADE-2026")


async def test_a_sound_order_goes_on_and_one_that_is_not_is_told_all_that_is_wrong(
    pool: asyncpg.Pool, wired: Wired, tmp_path: Path
) -> None:
    """With the files of the example, by the commands of its README."""
    for interface, file in commands("send"):
        catalog = await sent(pool, wired, interface, tmp_path, (ROOT / file).read_text("utf-8"))
    assert price(catalog, "1") == ("8.00", "C-100-A")
    assert [row[0] for row in await pool.fetch("SELECT number FROM sales_order")] == ["P-1"]
    cases = {row["key"]: row for row in await pool.fetch("SELECT key, rule, reason, fix FROM triage_case")}
    assert cases["order/portal/P-2"]["rule"] == "order.duplicate"
    assert "order P-1 (portal/P-1)" in cases["order/portal/P-2"]["reason"]
    told = cases["order/portal/P-3"]
    assert (told["rule"], told["fix"]) == ("order.pack_size", "put 402 EA or 396 EA")
    for part in (
        "lines[0].quantity: CD-00001 is sold in packs of 6 EA, the line asks for 400",
        "lines[0].unit_price: the unit price is 7.00; it should be 8 (contract list C-100-A of the customer)",
        "ship_to.street: the address is none of the 1 of customer C-100",
        "total: the total is 2800.00, 97.20 of 2500.00 EUR credit is in use",
    ):
        assert part in told["reason"]
