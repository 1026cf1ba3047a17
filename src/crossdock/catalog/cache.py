# SPDX-License-Identifier: Apache-2.0
"""Master data in memory, reloaded when it is told that it changed instead of being asked for per document."""

from __future__ import annotations

import asyncpg
from msgspec import Struct

from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)


class ProductFacts(Struct, frozen=True):
    """What a decision needs of a product. `location`: its default stock location, "" = the estate's."""

    unit: str
    location: str
    stocked: bool
    active: bool


class Catalog:
    """Products by SKU, customer accounts and crosswalks as they stand at `version`."""

    def __init__(self) -> None:
        self.version = -1
        self.products: dict[str, ProductFacts] = {}
        self.customers: dict[str, str] = {}
        self._crosswalks: dict[tuple[str, str], dict[str, str]] = {}

    async def refresh(self, conn: asyncpg.Connection) -> bool:
        """Reload when the database says it changed; whether it did. One cheap query when it did not."""
        version = await conn.fetchval(SQL.version)
        if version == self.version:
            return False
        products = await conn.fetch(SQL.products)
        self.products = {
            row["sku"]: ProductFacts(row["unit"], row["location"], row["stocked"], row["status"] == "active")
            for row in products
        }
        self.customers = {row["customer_id"]: row["status"] for row in await conn.fetch(SQL.customers)}
        tables: dict[tuple[str, str], dict[str, str]] = {}
        for row in await conn.fetch(SQL.crosswalks):
            tables.setdefault((row["system"], row["name"]), {})[row["theirs"]] = row["ours"]
        self._crosswalks = tables
        self.version = version
        return True

    def look_up(self, system: str, table: str, value: str) -> str | None:
        """What `system` means by `value` in crosswalk `table`; one without a system holds for all; None = unknown."""
        for owner in (system, ""):
            found = self._crosswalks.get((owner, table))
            if found is not None and value in found:
                return found[value]
        return None

    def sku(self, system: str, theirs: str) -> str | None:
        """Our SKU for theirs: by crosswalk `sku`, else the same when it is one of ours; None = unknown."""
        ours = self.look_up(system, "sku", theirs)
        if ours is not None:
            return ours
        return theirs if theirs in self.products else None
