# SPDX-License-Identifier: Apache-2.0
"""All levels in memory, kept up by the changes that are told; what availability is read from.

The newest sequence of a level wins, so changes may come twice, late or out of order. What changes slowly (goods
expected, how fast SKUs sell, how far channels lag) is read again from time to time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.catalog.cache import Catalog
from crossdock.inventory.available import Sellable, Stock, Term, explain, sellable
from crossdock.inventory.buffer import Pace, buffer_of
from crossdock.inventory.level import ZERO, Level
from crossdock.inventory.lock import SQL
from crossdock.inventory.pace import read_paces
from crossdock.inventory.rules import ChannelRule, StockRules
from crossdock.runtime.clock import now

PAGE = 20_000


class Expected(Struct, frozen=True, gc=False):
    """Goods on their way to a location: how many are still to come, and when."""

    due_at: datetime
    quantity: Decimal


class StockView:
    """What there is of every SKU, where; and what channels may sell of it by the rules."""

    def __init__(self, rules: StockRules, catalog: Catalog) -> None:
        self.rules = rules
        self.refreshed = False
        """What changes slowly has been read."""
        self.catalog = catalog
        self._levels: dict[str, dict[str, Level]] = {}
        self._expected: dict[str, dict[str, list[Expected]]] = {}
        self._paces: Mapping[str, Pace] = {}
        self._lags: Mapping[str, float] = {}
        self._users: dict[str, set[str]] | None = None
        self._catalog_version = catalog.version
        self._stock = Stock(self._level, catalog.products, self._due, self._buffer)

    def like(self) -> StockView:
        """A view of no levels by the same rules, catalog and figures, for a question about a few SKUs."""
        other = StockView(self.rules, self.catalog)
        other.refreshed = self.refreshed
        other._expected, other._paces, other._lags = self._expected, self._paces, self._lags
        return other

    @property
    def skus(self) -> Iterable[str]:
        """Every SKU that has a level."""
        return self._levels.keys()

    def levels(self, sku: str) -> Mapping[str, Level]:
        """The levels of `sku` by location; empty when nothing is known of it."""
        return self._levels.get(sku, {})

    async def load(self, conn: asyncpg.Connection) -> int:
        """Read every level from the database, a page at a time; how many there are. Changes may come in between."""
        sku, location, number = "", "", 0
        while True:
            rows = await conn.fetch(SQL.page_of_levels, sku, location, PAGE)
            self._put([Level(**row) for row in rows])
            number += len(rows)
            if len(rows) < PAGE:
                return number
            sku, location = rows[-1]["sku"], rows[-1]["location"]

    async def load_skus(self, conn: asyncpg.Connection, skus: Iterable[str]) -> None:
        """Read the levels of some SKUs from the database."""
        self._put(await self._read(conn, skus))

    async def refresh(self, conn: asyncpg.Connection) -> bool:
        """Read again what changes slowly, and the catalog; whether anything that may change availability did."""
        # Read before anything is taken over: what a failed read leaves behind is still a change next time.
        expected, paces, lags = self._expected, self._paces, self._lags
        if any(channel.horizon is not None for channel in self.rules.channels.values()):
            expected = {}
            for row in await conn.fetch(SQL.expected):
                places = expected.setdefault(row["sku"], {})
                places.setdefault(row["location"], []).append(Expected(row["due_at"], row["open"]))
        if any(channel.derived_buffer for channel in self.rules.channels.values()):
            paces, lags = await read_paces(conn)
        await self.catalog.refresh(conn)
        changed = (expected, paces, lags) != (self._expected, self._paces, self._lags)
        self._expected, self._paces, self._lags = expected, paces, lags
        if self._catalog_version != self.catalog.version:
            self._catalog_version = self.catalog.version
            self._users = None
            self._stock = Stock(self._level, self.catalog.products, self._due, self._buffer)
            changed = True
        self.refreshed = True
        return changed

    def apply(self, levels: Iterable[Level]) -> set[str]:
        """Take over levels that are newer than what is here; the SKUs whose availability may be another now, bundles
        that are made of them among these."""
        changed = self._put(levels)
        if self._users is None:
            self._users = _users_of_components(self.catalog)
        if self._users:
            for sku in list(changed):
                changed |= self._users.get(sku, set())
        return changed

    def sellable(self, channel: ChannelRule, sku: str) -> Sellable:
        """What `channel` may sell of `sku` now."""
        return sellable(self.rules, channel, sku, self._stock)

    def explain(self, channel: ChannelRule, sku: str) -> list[Term]:
        """How that number comes about."""
        return explain(self.rules, channel, sku, self._stock)

    def sequence(self, channel: ChannelRule, sku: str) -> int:
        """A number that grows whenever a level behind the availability of `sku` on `channel` changes."""
        product = self.catalog.products.get(sku)
        parts = product.components if product is not None and product.components else (sku,)
        total = 0
        for part in parts:
            levels = self._levels.get(part)
            if levels is not None:
                for location in channel.locations:
                    level = levels.get(location)
                    total += level.sequence if level is not None else 0
        return total

    def changed_at(self, channel: ChannelRule, sku: str) -> datetime | None:
        """When a level of `sku` at the channel's locations changed last; None when there is none."""
        moments = [
            level.changed_at
            for location in channel.locations
            if (level := self.levels(sku).get(location)) is not None and level.changed_at is not None
        ]
        return max(moments, default=None)

    async def _read(self, conn: asyncpg.Connection, skus: Iterable[str]) -> list[Level]:
        return [Level(**row) for row in await conn.fetch(SQL.levels_of_skus, sorted(set(skus)))]

    def _put(self, levels: Iterable[Level]) -> set[str]:
        """Take over levels that are newer than what is here; their SKUs. Who reads levels before he asks anything needs
        no more: which bundles they are in takes a walk through the catalog."""
        changed: set[str] = set()
        for level in levels:
            places = self._levels.setdefault(level.sku, {})
            here = places.get(level.location)
            if here is None or here.sequence < level.sequence:
                places[level.location] = level
                changed.add(level.sku)
        return changed

    def _level(self, sku: str, location: str) -> Level | None:
        places = self._levels.get(sku)
        return places.get(location) if places is not None else None

    def _due(self, sku: str, location: str, channel: ChannelRule) -> Decimal:
        coming = self._expected.get(sku, {}).get(location)
        if not coming or channel.horizon is None:
            return ZERO
        until = now() + channel.horizon
        return sum((one.quantity for one in coming if one.due_at <= until), ZERO)

    def _buffer(self, channel: ChannelRule, sku: str) -> tuple[int, str]:
        return buffer_of(channel, self._paces.get(sku), self._lags.get(channel.system, 0.0))


def _users_of_components(catalog: Catalog) -> dict[str, set[str]]:
    users: dict[str, set[str]] = {}
    for sku, product in catalog.products.items():
        for component in product.components:
            users.setdefault(component, set()).add(sku)
    return users
