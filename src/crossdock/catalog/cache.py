# SPDX-License-Identifier: Apache-2.0
"""Master data in memory, reloaded when it is told that it changed instead of being asked for per document."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

import asyncpg
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.master_data import Component, Product, UnitConversion
from crossdock.canonical.money import Money
from crossdock.canonical.objects import encode
from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.catalog.accounts import CustomerFacts, account_of
from crossdock.catalog.book import PriceBook
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)


class Details(Struct, frozen=True, omit_defaults=True):
    """What not every product has: other units, what a bundle is made of, what to offer instead, a price, a pack."""

    units: tuple[UnitConversion, ...] = ()
    components: tuple[Component, ...] = ()
    substitutes: tuple[str, ...] = ()
    price: Money | None = None
    pack: Decimal | None = None


_ONE = Decimal(1)
_DETAILS = msgspec.json.Decoder(Details)
_PLAIN = Details()


class ProductFacts(Struct, frozen=True):
    """What a decision needs of a product. `location`: its default stock location, "" = the estate's.

    `factors`: unit → how many base units one of it holds, without the base unit itself; `components`: SKU → how many of
    it go into one of this bundle. `price`: of one base unit, where no price list says otherwise; `pack`: it is sold in
    multiples of so many base units.
    """

    unit: str
    location: str
    stocked: bool
    active: bool
    factors: Mapping[str, Decimal] = MappingProxyType({})
    components: Mapping[str, Decimal] = MappingProxyType({})
    substitutes: tuple[str, ...] = ()
    price: Money | None = None
    pack: Decimal | None = None

    def factor(self, unit: str) -> Decimal | None:
        """How many base units one `unit` holds; None when the product is not kept or sold in it."""
        return _ONE if unit == self.unit else self.factors.get(unit)

    def in_base(self, quantity: Quantity) -> Decimal | None:
        """`quantity` in the base unit; None when the product is not kept or sold in its unit."""
        if quantity.unit == self.unit:
            return quantity.value
        factor = self.factors.get(quantity.unit)
        return None if factor is None else quantity.value * factor

    def kept(self, quantity: Quantity) -> Quantity | None:
        """`quantity` in the base unit as a quantity; None when it has none, or comes to a part of a counted unit."""
        value = self.in_base(quantity)
        if value is None or (self.unit in WHOLE_UNITS and value != value.to_integral_value()):
            return None
        return Quantity(value, self.unit)


def details_of(product: Product) -> bytes | None:
    """The `details` column of `product`; None when there is nothing to say."""
    details = Details(product.units, product.components, product.substitutes, product.price, product.pack)
    return encode(details) if details != _PLAIN else None


def facts_of(unit: str, location: str, stocked: bool, active: bool, details: bytes | None) -> ProductFacts:
    """The facts of a product row."""
    if details is None:
        return ProductFacts(unit, location, stocked, active)
    said = _DETAILS.decode(details)
    return ProductFacts(
        unit,
        location,
        stocked,
        active,
        {one.unit: one.factor for one in said.units},
        {one.sku: one.quantity for one in said.components},
        said.substitutes,
        said.price,
        said.pack,
    )


def put_together(products: dict[str, ProductFacts]) -> None:
    """Turn bundles of bundles into bundles of what has stock. A bundle that contains itself is made of nothing: there
    is never any of it."""
    done: dict[str, dict[str, Decimal]] = {}

    def parts_of(sku: str, within: frozenset[str]) -> dict[str, Decimal] | None:
        if sku in done:
            return done[sku]
        if sku in within:
            return None
        found: dict[str, Decimal] = {}
        for part, each in products[sku].components.items():
            inner = products[part].components if part in products else None
            parts = parts_of(part, within | {sku}) if inner else {part: Decimal(1)}
            if parts is None:
                return None
            for one, quantity in parts.items():
                found[one] = found.get(one, Decimal(0)) + quantity * each
        done[sku] = found
        return found

    for sku in [sku for sku, product in products.items() if product.components]:
        if any(part in products and products[part].components for part in products[sku].components):
            parts = parts_of(sku, frozenset())
            products[sku] = replace(products[sku], components=parts or {})


class Catalog:
    """Products by SKU, customer accounts and crosswalks as they stand at `version`; and price lists, when there is
    a `book` to keep them in."""

    def __init__(self, book: PriceBook | None = None) -> None:
        self.version = -1
        self.book = book
        self.products: dict[str, ProductFacts] = {}
        self.customers: dict[str, CustomerFacts] = {}
        self._crosswalks: dict[tuple[str, str], dict[str, str]] = {}
        # Several parts of a process share one catalog; what one of them has just read, the others need not.
        self._reloading = asyncio.Lock()

    async def refresh(self, conn: asyncpg.Connection) -> bool:
        """Reload when the database says it changed; whether it did. One cheap query when it did not.

        Of price lists only those that changed are read, and that they did is not told.
        """
        newest = await conn.fetchrow(SQL.version)
        version, stamp = newest["value"], newest["stamp"]
        if version == self.version and (self.book is None or stamp == self.book.stamp):
            return False
        async with self._reloading:
            if self.book is not None and stamp > self.book.stamp:
                await self.book.refresh(conn, stamp)
            return version > self.version and await self._reload(conn, version)

    async def _reload(self, conn: asyncpg.Connection, version: int) -> bool:
        products = await conn.fetch(SQL.products)
        self.products = {
            row["sku"]: facts_of(
                row["unit"], row["location"], row["stocked"], row["status"] == "active", row["details"]
            )
            for row in products
        }
        put_together(self.products)
        self.customers = {
            row["customer_id"]: account_of(row["status"], row["details"]) for row in await conn.fetch(SQL.customers)
        }
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

    def translates(self, system: str, table: str) -> bool:
        """Whether there is any row of crosswalk `table` for `system`, or for all."""
        return (system, table) in self._crosswalks or ("", table) in self._crosswalks

    def names_of(self, system: str, skus: Iterable[str]) -> list[str]:
        """What `system` may call these SKUs of ours: every name of crosswalk `sku`, and ours unless it is another's."""
        wanted = set(skus)
        names = {sku for sku in wanted if self.look_up(system, "sku", sku) in (None, sku)}
        for owner in ("", system):
            for theirs, ours in self._crosswalks.get((owner, "sku"), {}).items():
                if ours in wanted and self.look_up(system, "sku", theirs) == ours:
                    names.add(theirs)
        return sorted(names)

    def location_of(self, sku: str) -> str:
        """The product's own location, or ""."""
        return self.products[sku].location if sku in self.products else ""

    def stocked(self, sku: str) -> bool:
        """Whether it is goods; what nobody knows is."""
        return sku not in self.products or self.products[sku].stocked

    def sku(self, system: str, theirs: str) -> str | None:
        """Our SKU for theirs: by crosswalk `sku`, else the same when it is one of ours; None = unknown."""
        ours = self.look_up(system, "sku", theirs)
        if ours is not None:
            return ours
        return theirs if theirs in self.products else None
