# SPDX-License-Identifier: Apache-2.0
"""Apply stock movements to the ledger: each once, levels moved by what was new, holds freed by what has left.

Late and out-of-order safe: movements add up in any order, and one that happened before the last count of its SKU and
location enters the ledger without moving what is on hand, because the count has it already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.stock import MOVEMENT_SIGN, StockMovement, StockMovements
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.inventory.free import free_shipped
from crossdock.inventory.level import Levels, Pair
from crossdock.inventory.lock import SQL
from crossdock.inventory.measure import in_base, unknown_location, unknown_sku
from crossdock.journal.decided import Decided, NewEvent, RefusedPart, Translated

# What a movement does, as the statement `apply_movements` numbers it.
_ON_HAND, _ON_HAND_BLOCKED, _BLOCKED = 1, 2, 3
_EFFECTS = {"pick": 0, "quarantine": _BLOCKED, "allocation": 4, "release": 5}
_LATE = {_ON_HAND: -1, _ON_HAND_BLOCKED: -2}


class _Good(Struct, frozen=True, gc=False):
    """A movement that may enter, in its product's base unit."""

    document_id: int
    source: str
    movement: StockMovement
    quantity: Decimal
    unit: str


def pairs_of(batch: Sequence[Translated], catalog: Catalog, locations: Mapping[str, object]) -> set[Pair]:
    """The levels that these documents of movements may move."""
    return {
        (movement.sku, movement.location)
        for item in batch
        for movement in item.document.movements
        if movement.sku in catalog.products and movement.location in locations
    }


async def apply(
    conn: asyncpg.Connection,
    batch: Sequence[Translated],
    catalog: Catalog,
    locations: Mapping[str, object],
    levels: Levels,
) -> list[Decided]:
    """Decide on documents of movements, in the same order; one statement for all of them.

    `locations`: the stock locations there are. `levels`: those of `pairs_of`, locked. A movement that is not acceptable
    becomes a part of its own; the others of its document are applied.
    """
    good: list[_Good] = []
    refused: list[list[RefusedPart]] = []
    for item in batch:
        document: StockMovements = item.document
        parts: list[RefusedPart] = []
        for ordinal, movement in enumerate(document.movements, 1):
            checked = _check(movement, catalog, locations)
            if isinstance(checked, NeedsEdit):
                body = encode(StockMovements(source=document.source, movements=(movement,)))
                parts.append(RefusedPart(ordinal=ordinal, stage="canonical", body=body, error=checked))
            else:
                good.append(_Good(item.claimed.id, document.source, movement, checked.value, checked.unit))
        refused.append(parts)
    entered = await _enter(conn, good, levels)
    return [_decide(item, parts, entered.get(item.claimed.id, 0)) for item, parts in zip(batch, refused, strict=True)]


async def _enter(conn: asyncpg.Connection, good: list[_Good], levels: Levels) -> dict[int, int]:
    if not good:
        return {}
    moves = [one.movement for one in good]
    rows = await conn.fetch(
        SQL.apply_movements,
        [one.source for one in good],
        [m.movement_id for m in moves],
        [m.kind for m in moves],
        [m.sku for m in moves],
        [m.location for m in moves],
        [one.quantity for one in good],
        [one.unit for one in good],
        [m.occurred_at for m in moves],
        [one.document_id for one in good],
        [m.reference for m in moves],
        [_effect(m, levels.counted) for m in moves],
        # Few sources have these: an empty column reads as its default.
        [m.lot for m in moves] if any(m.lot for m in moves) else [],
        [m.expires_on for m in moves] if any(m.expires_on for m in moves) else [],
    )
    levels.absorb(row for row in rows if row["what"] == "level")
    left = [row for row in rows if row["what"] == "left"]
    if left:
        await free_shipped(conn, left, levels)
    return {row["document_id"]: row["entered"] for row in rows if row["what"] == "entered"}


def _effect(movement: StockMovement, counted: Mapping[Pair, datetime]) -> int:
    effect = _EFFECTS.get(movement.kind, _ON_HAND)
    if effect == _ON_HAND and movement.status == "quarantined":
        effect = _ON_HAND_BLOCKED
    if counted and effect in _LATE:
        at = counted.get((movement.sku, movement.location))
        if at is not None and movement.occurred_at <= at:
            return _LATE[effect]
    return effect


def _check(movement: StockMovement, catalog: Catalog, locations: Mapping[str, object]) -> NeedsEdit | Quantity:
    """The quantity in the product's base unit, or what is wrong with the movement."""
    product = catalog.products.get(movement.sku)
    if product is None:
        return unknown_sku(movement.sku, "movements[0].sku")
    if movement.location not in locations:
        return unknown_location(movement.location, "movements[0].location")
    value = in_base(product, movement.quantity, "movements[0].quantity")
    if isinstance(value, NeedsEdit):
        return value
    if MOVEMENT_SIGN[movement.kind] * value < 0 or value == 0:
        return NeedsEdit(
            f"a {movement.kind} of {value} cannot be",
            field="movements[0].quantity.value",
            rule="stock.sign",
            value=value,
            fix="put a quantity with the sign its kind has: out is negative, in is positive",
        )
    return movement.quantity if movement.quantity.unit == product.unit else Quantity(value, product.unit)


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
