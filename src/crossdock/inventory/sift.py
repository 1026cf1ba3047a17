# SPDX-License-Identifier: Apache-2.0
"""Sift documents of movements and counts against the ledger: what it lacks, and what it holds otherwise."""

from __future__ import annotations

from collections.abc import Sequence, Set
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.objects import encode
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.stock import StockCount, StockMovement, StockMovements
from crossdock.catalog.cache import Catalog
from crossdock.inventory.drift import SQL
from crossdock.journal.decided import Translated

Name = tuple[str, str]
"""(source, movement id), or (source, "count id/SKU")."""


class Difference(Struct, frozen=True, kw_only=True):
    """A movement or count that the ledger holds with other content: in which field, and both of its values."""

    source: str
    movement_id: str
    sku: str
    document_id: int
    field: str
    ledger: str
    document: str


class Sifted(Struct, frozen=True):
    """`missing`: documents with only what the ledger lacks; `names`: of these; `known`: how many elements it has."""

    missing: list[Translated]
    names: list[Name]
    differing: list[Difference]
    known: int


def names_of(item: Translated) -> set[Name]:
    """What the elements of a document are called in the ledger."""
    document = item.document
    if isinstance(document, StockCount):
        return {(document.source, f"{document.count_id}/{entry.sku}") for entry in document.entries}
    return {(document.source, movement.movement_id) for movement in document.movements}


async def sift(conn: asyncpg.Connection, items: Sequence[Translated], catalog: Catalog, seen: Set[Name]) -> Sifted:
    """Sift `items` (stock_movements, stock_count); elements in `seen` were found missing before and count as known."""
    moves = [item for item in items if isinstance(item.document, StockMovements)]
    counts = [item for item in items if isinstance(item.document, StockCount)]
    result = Sifted([], [], [], 0)
    known = await _movements(conn, moves, catalog, seen, result)
    known += await _counts(conn, counts, catalog, seen, result)
    result.missing.sort(key=lambda item: item.claimed.id)
    return Sifted(result.missing, result.names, result.differing, known)


async def _movements(
    conn: asyncpg.Connection,
    items: Sequence[Translated],
    catalog: Catalog,
    seen: Set[Name],
    result: Sifted,
) -> int:
    names = sorted({name for item in items for name in names_of(item)})
    rows = await conn.fetch(SQL.known_movements, [one for one, _ in names], [one for _, one in names]) if names else ()
    ledger = {(row["source"], row["movement_id"]): row for row in rows}
    taken: set[Name] = set()
    known = 0
    for item in items:
        document: StockMovements = item.document
        missing: list[StockMovement] = []
        for movement in document.movements:
            name = (document.source, movement.movement_id)
            row = ledger.get(name)
            if row is not None:
                known += 1
                result.differing.extend(_moved_otherwise(item, name, movement, row, catalog))
            elif name in taken or name in seen:
                known += 1
            else:
                missing.append(movement)
                result.names.append(name)
                taken.add(name)
        if missing:
            result.missing.append(_with(item, replace(document, movements=tuple(missing))))
    return known


async def _counts(
    conn: asyncpg.Connection,
    items: Sequence[Translated],
    catalog: Catalog,
    seen: Set[Name],
    result: Sifted,
) -> int:
    ids = sorted({(item.document.source, item.document.count_id) for item in items})
    rows = await conn.fetch(SQL.known_entries, [one for one, _ in ids], [one for _, one in ids]) if ids else ()
    entries = {(row["source"], f"{row['count_id']}/{row['sku']}"): row for row in rows}
    taken: set[Name] = set()
    known = 0
    for item in items:
        document: StockCount = item.document
        totals: dict[str, Decimal] = {}
        for entry in document.entries:
            totals[entry.sku] = totals.get(entry.sku, Decimal(0)) + _base(catalog, entry.sku, entry.quantity)
        lacking: set[str] = set()
        for sku in sorted(totals):
            name = (document.source, f"{document.count_id}/{sku}")
            row = entries.get(name)
            if row is not None:
                known += 1
                said = {"location": document.location, "as_of": document.as_of, "quantity": totals[sku]}
                result.differing.extend(_otherwise(item, name, sku, said, row))
            elif name in taken or name in seen:
                known += 1
            else:
                lacking.add(sku)
                result.names.append(name)
                taken.add(name)
        if lacking:
            left = tuple(entry for entry in document.entries if entry.sku in lacking)
            # What it does not name any more is known, not missing.
            whole = document.complete and len(left) == len(document.entries)
            result.missing.append(_with(item, replace(document, entries=left, complete=whole)))
    return known


def _with(item: Translated, document: Any) -> Translated:
    return Translated(
        claimed=item.claimed, kind=item.kind, document=document, body=encode(document), made_by=item.made_by
    )


def _base(catalog: Catalog, sku: str, quantity: Quantity) -> Decimal:
    product = catalog.products.get(sku)
    value = product.in_base(quantity) if product is not None else None
    return quantity.value if value is None else value


def _moved_otherwise(
    item: Translated, name: Name, movement: StockMovement, row: asyncpg.Record, catalog: Catalog
) -> list[Difference]:
    said = {
        "kind": movement.kind,
        "sku": movement.sku,
        "location": movement.location,
        "quantity": _base(catalog, movement.sku, movement.quantity),
        "occurred_at": movement.occurred_at,
    }
    return _otherwise(item, name, movement.sku, said, row)


def _otherwise(item: Translated, name: Name, sku: str, said: dict[str, Any], row: asyncpg.Record) -> list[Difference]:
    return [
        Difference(
            source=name[0],
            movement_id=name[1],
            sku=sku,
            document_id=item.claimed.id,
            field=field,
            ledger=str(row[field]),
            document=str(value),
        )
        for field, value in said.items()
        if row[field] != value
    ]
