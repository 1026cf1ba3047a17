# SPDX-License-Identifier: Apache-2.0
"""Apply stock movements to the ledger: each once, levels moved by what was new, channels marked to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from crossdock.canonical.objects import encode
from crossdock.canonical.stock import MOVEMENT_SIGN, StockMovement, StockMovements
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.journal.decided import Decided, NewEvent, RefusedPart, Translated
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
# Beyond this a quantity is a mistake, and no ledger could hold what it adds up to.
_MOST_DIGITS = 15


async def apply(
    conn: asyncpg.Connection,
    batch: Sequence[Translated],
    catalog: Catalog,
    locations: Mapping[str, object],
    tell: Sequence[tuple[str, str]],
) -> list[Decided]:
    """Decide on documents of movements, in the same order; one statement for all of them.

    `locations`: the stock locations there are. `tell`: (channel system, location) pairs whose levels a channel is told.
    A movement that is not acceptable becomes a part of its own; the others of its document are applied.
    """
    good: list[tuple[int, str, StockMovement]] = []
    refused: list[list[RefusedPart]] = []
    for item in batch:
        document: StockMovements = item.document
        parts: list[RefusedPart] = []
        for ordinal, movement in enumerate(document.movements, 1):
            error = _check(movement, catalog, locations)
            if error is None:
                good.append((item.claimed.id, document.source, movement))
            else:
                body = encode(StockMovements(source=document.source, movements=(movement,)))
                parts.append(RefusedPart(ordinal=ordinal, stage="canonical", body=body, error=error))
        refused.append(parts)
    entered = await _enter(conn, good, tell)
    return [_decide(item, parts, entered.get(item.claimed.id, 0)) for item, parts in zip(batch, refused, strict=True)]


async def _enter(
    conn: asyncpg.Connection, good: list[tuple[int, str, StockMovement]], tell: Sequence[tuple[str, str]]
) -> dict[int, int]:
    if not good:
        return {}
    rows = await conn.fetch(
        SQL.apply_movements,
        [source for _, source, _ in good],
        [m.movement_id for _, _, m in good],
        [m.kind for _, _, m in good],
        [m.sku for _, _, m in good],
        [m.location for _, _, m in good],
        [m.quantity.value for _, _, m in good],
        [m.quantity.unit for _, _, m in good],
        [m.occurred_at for _, _, m in good],
        [document_id for document_id, _, _ in good],
        [m.reference for _, _, m in good],
        [system for system, _ in tell],
        [location for _, location in tell],
    )
    return {row["document_id"]: row["entered"] for row in rows}


def _check(movement: StockMovement, catalog: Catalog, locations: Mapping[str, object]) -> NeedsEdit | None:
    product = catalog.products.get(movement.sku)
    if product is None:
        return NeedsEdit(
            f"SKU {movement.sku!r} is not in the catalog",
            field="movements[0].sku",
            rule="stock.sku_known",
            value=movement.sku,
            fix="add the product, map it in crosswalk `sku`, or put the right SKU",
        )
    if movement.location not in locations:
        return NeedsEdit(
            f"location {movement.location!r} is not in the estate",
            field="movements[0].location",
            rule="stock.location_known",
            value=movement.location,
            fix="add the location to the estate, or put the right one",
        )
    if movement.quantity.unit != product.unit:
        return NeedsEdit(
            f"the movement is in {movement.quantity.unit}, the product is kept in {product.unit}",
            field="movements[0].quantity.unit",
            rule="stock.unit",
            value=movement.quantity.unit,
            fix=f"put the quantity in {product.unit}",
        )
    sign = MOVEMENT_SIGN[movement.kind]
    value = movement.quantity.value
    if not -_MOST_DIGITS <= value.adjusted() < _MOST_DIGITS:
        return NeedsEdit(
            f"{value:.3E} is no quantity of stock",
            field="movements[0].quantity.value",
            rule="stock.quantity",
            value=f"{value:.3E}",
            fix="put the quantity that was moved",
        )
    if sign * value < 0 or value == 0:
        return NeedsEdit(
            f"a {movement.kind} of {value} cannot be",
            field="movements[0].quantity.value",
            rule="stock.sign",
            value=value,
            fix="put a quantity with the sign its kind has: out is negative, in is positive",
        )
    return None


def _decide(item: Translated, parts: list[RefusedPart], entered: int) -> Decided:
    document: StockMovements = item.document
    total = len(document.movements)
    if total and entered == 0 and not parts:
        return Decided(duplicate=True, note=f"all {total} movements are in the ledger already")
    note = "" if entered == total else f"{entered} of {total} movements entered"
    summary = encode({"source": document.source, "movements": total, "entered": entered})
    return Decided(
        parts=tuple(parts), accepted=True, note=note, events=(NewEvent(type="stock.movements_applied", data=summary),)
    )
