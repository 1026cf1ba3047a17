# SPDX-License-Identifier: Apache-2.0
"""All levels in memory up to a bound; beyond it levels are read when they are asked for, and forgotten again."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import asyncpg

from crossdock.catalog.cache import Catalog
from crossdock.inventory.level import Level
from crossdock.inventory.lock import SQL
from crossdock.inventory.rules import StockRules
from crossdock.inventory.view import StockView

MOST_LEVELS = 2_000_000
"""About 350 bytes each."""
MOST_ASKED = 20_000
# Small enough that requests are answered between two pages.
_PAGE = 2_000


class BoundedView(StockView):
    """A StockView of at most about `most` levels. While not all fit, ask `missing` before anything is read from it."""

    def __init__(self, rules: StockRules, catalog: Catalog, most: int = MOST_LEVELS) -> None:
        super().__init__(rules, catalog)
        self._most = most
        self._number = 0
        self._asked: dict[str, None] = {}
        self._reading: set[str] = set()
        self.whole = True
        """Every level there is, is here."""

    @property
    def number(self) -> int:
        """How many levels are here, about."""
        return self._number

    async def load(self, conn: asyncpg.Connection) -> int:
        """Read levels from the database until the bound, page by page; how many. Changes may come in between."""
        sku, location, number = "", "", 0
        # Most numbers are small and many are alike: one object for all of them.
        alike: dict[Decimal, Decimal] = {}
        while number < self._most:
            limit = min(_PAGE, self._most - number)
            rows = await conn.fetch(SQL.page_of_levels, sku, location, limit)
            self._put([_level(row, alike) for row in rows])
            number += len(rows)
            if len(rows) < limit:
                break
            sku, location = rows[-1]["sku"], rows[-1]["location"]
        else:
            self._cut(sku)
        self._number = number
        return number

    def apply(self, levels: Iterable[Level]) -> set[str]:
        """As `StockView.apply`; of SKUs that are not here nothing is taken over once not all fit."""
        if self.whole:
            held = list(levels)
            # The first change of a level has sequence 1.
            self._number += sum(level.sequence == 1 for level in held)
            self.whole = self._number <= self._most
        else:
            held = [level for level in levels if level.sku in self._levels]
        return super().apply(held)

    def missing(self, skus: Iterable[str]) -> list[str]:
        """Those of `skus`, and of what they are made of, whose levels have to be read first: `fetch` them."""
        if self.whole:
            return []
        parts = self._parts(skus)
        for part in parts:
            if part in self._asked:
                # Asked for again: the last to make room for others.
                self._asked[part] = self._asked.pop(part)
        return [part for part in parts if part not in self._levels or part in self._reading]

    async def fetch(self, conn: asyncpg.Connection, skus: Iterable[str]) -> None:
        """Read levels that are `missing`, and keep them up from now on until others need their place."""
        wanted = list(skus)
        for sku in wanted:
            # From here on changes are taken over: none that is committed while we read is lost.
            self._levels.setdefault(sku, {})
            self._reading.add(sku)
            self._asked.pop(sku, None)
            self._asked[sku] = None
        levels = await self._read(conn, wanted)
        # One that had to make room for others meanwhile stays away.
        self._put([level for level in levels if level.sku in self._levels])
        self._reading.difference_update(wanted)
        while len(self._asked) > MOST_ASKED:
            oldest = next(iter(self._asked))
            del self._asked[oldest]
            self._levels.pop(oldest, None)
            self._reading.discard(oldest)

    def _cut(self, last: str) -> None:
        """Not all fit: the last SKU may be here in part, and one that is not here is not one without stock."""
        self.whole = False
        self._levels.pop(last, None)

    def _parts(self, skus: Iterable[str]) -> set[str]:
        products, found = self.catalog.products, set[str]()
        for sku in skus:
            product = products.get(sku)
            found.update(product.components if product is not None and product.components else (sku,))
        return found


def _level(row: asyncpg.Record, alike: dict[Decimal, Decimal]) -> Level:
    return Level(
        row["sku"],
        row["location"],
        alike.setdefault(row["on_hand"], row["on_hand"]),
        alike.setdefault(row["quarantined"], row["quarantined"]),
        alike.setdefault(row["allocated"], row["allocated"]),
        alike.setdefault(row["reserved"], row["reserved"]),
        row["sequence"],
        row["changed_at"],
        row["counted_at"],
    )
