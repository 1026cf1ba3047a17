# SPDX-License-Identifier: Apache-2.0
"""Write what orders hold: allocations with their ledger rows, and reservations that became allocations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

import asyncpg

from crossdock.catalog.cache import ProductFacts
from crossdock.inventory.allocate import Taken
from crossdock.inventory.level import Pair
from crossdock.inventory.lock import SQL
from crossdock.runtime.clock import now

OWN = "crossdock"
"""The source of movements that are our own decisions."""
Named = tuple[str, str]
"""(reservation id, channel of the order that names it)."""


async def reserved(conn: asyncpg.Connection, ids: Sequence[str]) -> dict[str, dict[Pair, Decimal]]:
    """What living reservations hold, by reservation id; ids that are unknown or ended are left out."""
    found: dict[str, dict[Pair, Decimal]] = {}
    if ids:
        for row in await conn.fetch(SQL.reserved_lines, sorted(set(ids))):
            found.setdefault(row["id"], {})[row["sku"], row["location"]] = row["quantity"]
    return found


async def reserved_for(conn: asyncpg.Connection, named: Collection[Named]) -> dict[Named, dict[Pair, Decimal]]:
    """What living reservations hold for the orders that name them. One that another channel made is left out: naming it
    gives no right to its goods."""
    found: dict[Named, dict[Pair, Decimal]] = {}
    if named:
        for row in await conn.fetch(SQL.reserved_lines, sorted({reservation for reservation, _ in named})):
            name = (row["id"], row["channel"])
            if name in named:
                found.setdefault(name, {})[row["sku"], row["location"]] = row["quantity"]
    return found


async def drop(conn: asyncpg.Connection, orders: Sequence[tuple[str, str]]) -> None:
    """End reservations whose orders came cancelled: (reservation id, order key) each; the caller changes the levels."""
    if orders:
        ordered = sorted(orders)
        await conn.execute(SQL.drop_reservations, [one for one, _ in ordered], [key for _, key in ordered])


async def held_by_orders(conn: asyncpg.Connection, order_keys: Sequence[str]) -> set[Pair]:
    """Where goods are held for these orders; nothing is locked by asking."""
    return {(row["sku"], row["location"]) for row in await conn.fetch(SQL.held_by_orders, sorted(order_keys))}


async def take_over(conn: asyncpg.Connection, orders: Sequence[tuple[str, str]]) -> None:
    """Hand reservations over: (reservation id, order key) each. Ended ones are left as they are."""
    if orders:
        ordered = sorted(orders)
        await conn.execute(SQL.take_reservations, [one for one, _ in ordered], [key for _, key in ordered])


async def write_holds(
    conn: asyncpg.Connection,
    orders: Sequence[tuple[str, int, Mapping[str, str], Sequence[Taken]]],
    products: Mapping[str, ProductFacts],
) -> None:
    """Write what orders took: (order key, document id, location → fulfillment order, goods) each."""
    rows = [
        (references[one.location], one.line, one.sku, one.location, order_key, one.quantity, document_id)
        for order_key, document_id, references, taken in orders
        for one in taken
        if one.location in references
    ]
    if not rows:
        return
    await conn.copy_records_to_table(
        "allocation",
        records=[row[:6] for row in rows],
        columns=("reference", "line", "sku", "location", "order_key", "quantity"),
    )
    at = now()
    await conn.copy_records_to_table(
        "stock_movement",
        records=[
            (
                OWN,
                f"{reference}/{line}/{sku}",
                "allocation",
                sku,
                location,
                quantity,
                products[sku].unit,
                at,
                document_id,
                reference,
                quantity,
            )
            for reference, line, sku, location, _, quantity, document_id in rows
        ],
        columns=(
            "source",
            "movement_id",
            "kind",
            "sku",
            "location",
            "quantity",
            "unit",
            "occurred_at",
            "document_id",
            "reference",
            "allocated",
        ),
    )
