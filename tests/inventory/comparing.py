# SPDX-License-Identifier: Apache-2.0
"""Systems that list what they are given, and a comparison with them at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from crossdock.canonical.master_data import Product
from crossdock.catalog.accept import accept_products
from crossdock.inventory.compared import ComparedSystem, Difference, ReconcileRules
from crossdock.inventory.reconcile import Asked, Report, reconcile
from crossdock.sdk.listing import Listed, StockPage

RULES = ReconcileRules(late_within=timedelta(0), look_again_after=timedelta(0))


class Shelf:
    """A system whose rows are (SKU, location, quantity), on one page. `asked`: the SKUs of every call."""

    def __init__(self, *rows: tuple[str, str, str]) -> None:
        self.rows = list(rows)
        self.asked: list[list[str]] = []

    async def stock(self, *, skus: Sequence[str] = (), after: str = "") -> StockPage:
        """All rows, or those of `skus`."""
        assert not after
        self.asked.append(list(skus))
        at = datetime.now(UTC)
        rows = [row for row in self.rows if not skus or row[0] in skus]
        return StockPage(tuple(Listed(sku, place, Decimal(quantity), "", at) for sku, place, quantity in rows))

    async def close(self) -> None:
        """Nothing to close."""


def system(shelf: Shelf, name: str = "wms", **changes: Any) -> ComparedSystem:
    """A warehouse that has EAST and WEST, unless said otherwise."""
    given: dict[str, Any] = {
        "name": name,
        "what": "on_hand",
        "lister": shelf,
        "interface": f"{name}.reconcile",
        "locations": frozenset({"EAST", "WEST"}),
    }
    return ComparedSystem(**{**given, **changes})


async def fill(pool: asyncpg.Pool, *rows: tuple[str, str, int]) -> None:
    """Products of the SKUs, and what is on hand of them."""
    async with pool.acquire() as conn:
        await accept_products(conn, [(None, Product(sku=sku)) for sku in sorted({sku for sku, _, _ in rows})])
        await conn.execute(
            "INSERT INTO stock_level (sku, location, sequence, on_hand, changed_at)"
            " SELECT r.sku, r.place, 1, r.quantity, now() - interval '1 hour'"
            " FROM unnest($1::text[], $2::text[], $3::numeric[]) AS r (sku, place, quantity)",
            [sku for sku, _, _ in rows],
            [place for _, place, _ in rows],
            [quantity for _, _, quantity in rows],
        )


async def crosswalk(pool: asyncpg.Pool, name: str, theirs: str, ours: str) -> None:
    """One more of the warehouse's names."""
    row = name, theirs, ours
    await pool.execute("INSERT INTO crosswalk (name, system, theirs, ours) VALUES ($1, 'wms', $2, $3)", *row)


async def compared(pool: asyncpg.Pool, *systems: ComparedSystem, rules: ReconcileRules = RULES, **asked: Any) -> Report:
    """Compare `systems` now."""
    return await reconcile(pool, systems, rules, Asked(by="test", **asked))


def found(report: Report) -> Iterable[Difference]:
    """Every difference, of all systems."""
    return [one for result in report.systems for one in result.differences]
