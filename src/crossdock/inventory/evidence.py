# SPDX-License-Identifier: Apache-2.0
"""Gather what is known around differences: movements, what was told, what is under way or stuck; a query for each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import asyncpg
import msgspec

from crossdock.canonical.objects import decode
from crossdock.catalog.cache import Catalog
from crossdock.inventory.compared import Around, ComparedSystem, Difference, Moved, Waiting
from crossdock.inventory.level import Pair
from crossdock.inventory.listing import SQL

_TEXTS = re.compile(rb'"([^"\\]{1,128})"')


async def around(
    conn: asyncpg.Connection, system: ComparedSystem, differences: Sequence[Difference], catalog: Catalog
) -> dict[Pair, Around]:
    """What is known around each of `differences`, by SKU and location."""
    pairs = [(one.sku, one.location) for one in differences]
    found = {pair: Around() for pair in pairs}
    for sku, location in pairs:
        product = catalog.products.get(sku)
        if product is not None:
            found[sku, location].factors = product.factors
    columns = [sku for sku, _ in pairs], [location for _, location in pairs]
    if system.what == "on_hand":
        await _goods(conn, columns, found)
    else:
        await _numbers(conn, system, columns, catalog, found)
    await _under_way(conn, system, differences, found)
    await _prices(conn, found)
    return found


async def _numbers(
    conn: asyncpg.Connection,
    system: ComparedSystem,
    columns: tuple[list[str], list[str]],
    catalog: Catalog,
    found: dict[Pair, Around],
) -> None:
    for row in await conn.fetch(SQL.told_lately, system.name, *columns):
        one = found[row["sku"], row["location"]]
        one.told = [*one.told, (row["quantity"], row["told_at"])]
    made_of = [(*pair, part) for pair in found for part in _parts(catalog, pair[0])]
    parts = [[row[at] for row in made_of] for at in range(3)]
    for row in await conn.fetch(SQL.still_to_tell, system.name, *parts, sorted(system.locations)):
        found[row["sku"], row["location"]].to_be_told = True


def _parts(catalog: Catalog, sku: str) -> Iterable[str]:
    product = catalog.products.get(sku)
    return product.components if product is not None and product.components else (sku,)


async def _goods(conn: asyncpg.Connection, columns: tuple[list[str], list[str]], found: dict[Pair, Around]) -> None:
    moved: dict[Pair, list[Moved]] = defaultdict(list)
    for row in await conn.fetch(SQL.moved_lately, *columns):
        sku, location, *rest = row
        moved[sku, location].append(Moved(*rest))
    for pair, moves in moved.items():
        found[pair].moved = moves
    for row in await conn.fetch(SQL.still_expected, *columns):
        one = found[row["sku"], row["location"]]
        one.expected = {**one.expected, row["reference"]: row["quantity"]}
    for row in await conn.fetch(SQL.still_promised, *columns):
        one = found[row["sku"], row["location"]]
        one.promised = {**one.promised, row["reference"]: row["quantity"]}


async def _under_way(
    conn: asyncpg.Connection, system: ComparedSystem, differences: Sequence[Difference], found: dict[Pair, Around]
) -> None:
    by_sku: dict[str, list[Pair]] = defaultdict(list)
    for sku, location in found:
        by_sku[sku].append((sku, location))
    if system.what == "on_hand":
        for row in await conn.fetch(SQL.shipments_owed, system.name, sorted(by_sku)):
            for pair in by_sku[row["sku"]]:
                one = found[pair]
                if row["state"] == "case":
                    one.stuck = [*one.stuck, row["reference"]]
                else:
                    one.due = [*one.due, row["reference"]]
    names = {name: one.sku for one in differences for name in (*one.names, one.sku)}
    for row in await conn.fetch(SQL.documents_waiting, list(system.interfaces)):
        for sku, location in _named(row, names):
            for pair in by_sku.get(sku, ()):
                if location in ("", pair[1]):
                    found[pair].waiting = [*found[pair].waiting, Waiting(row["id"], row["state"])]


def _named(row: asyncpg.Record, names: dict[str, str]) -> Iterator[Pair]:
    """SKU and location ("" = any) that a document names; of one not translated any text that is a SKU."""
    if row["stage"] == "canonical" and row["kind"] == "stock_movements":
        try:
            document = decode("stock_movements", row["body"])
        except (msgspec.DecodeError, msgspec.ValidationError):
            document = None
        if document is not None:
            for move in document.movements:
                yield move.sku, move.location
            return
    for text in {match.decode("utf-8", "replace") for match in _TEXTS.findall(row["body"])}:
        if text in names:
            yield names[text], ""


async def _prices(conn: asyncpg.Connection, found: dict[Pair, Around]) -> None:
    prices = {}
    for row in await conn.fetch(SQL.bodies_of_products, sorted({sku for sku, _ in found})):
        price = decode("product", row["body"]).price
        if price is not None:
            prices[row["sku"]] = price
    for (sku, _), one in found.items():
        if sku in prices:
            one.price, one.currency = prices[sku].amount, prices[sku].currency
