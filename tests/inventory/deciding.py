# SPDX-License-Identifier: Apache-2.0
"""Decide on documents of stock and orders as the worker does, in a transaction of their own, and check the laws."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import Struct

from crossdock.canonical.master_data import Product
from crossdock.canonical.objects import KIND_OF
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.stock import Counted, StockCount, StockMovement, StockMovements
from crossdock.catalog.accept import accept_products
from crossdock.catalog.accounts import CustomerFacts
from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.decide import decide
from crossdock.decide_orders import Rules
from crossdock.inventory.rules import StockRules
from crossdock.journal.decided import Decided
from crossdock.routing.policy import ChannelFacts, LocationFacts, Policy
from tests.orders.making import NOON, translated

PLACES = ("EAST", "WEST")
PRODUCTS = {
    "CD-1": ProductFacts("EA", "", True, True, {"CS": Decimal(12)}),
    "CD-2": ProductFacts("EA", "", True, True),
    "OIL": ProductFacts("LTR", "", True, True),
}


def rules(*, governed: bool = True, hold_for: timedelta = timedelta(minutes=15)) -> Rules:
    """An estate of one shop, one ERP and two warehouses, EAST and WEST."""
    catalog = Catalog()
    catalog.products = dict(PRODUCTS)
    catalog.customers = {"C-1": CustomerFacts()}
    return Rules(
        catalog=catalog,
        policy=Policy(
            version="r/1",
            channels={"shop": ChannelFacts(name="shop", system="shop", entity="us", currency="USD", customer="C-1")},
            locations={name: LocationFacts(name=name, system=f"wms-{name.lower()}") for name in PLACES},
            erp_of={"us": "erp"},
            default_location="EAST",
        ),
        interfaces={},
        outgoing={},
        channel_system={},
        stock=StockRules(version="r/1", governed=governed, hold_for=hold_for, locations=PLACES),
    )


async def fill_catalog(conn: asyncpg.Connection) -> None:
    """The products of `rules` in the database, for statements that read them there."""
    await accept_products(conn, [(None, Product(sku=sku, unit=facts.unit)) for sku, facts in PRODUCTS.items()])


async def decided(
    pool: asyncpg.Pool, *documents: Struct, by: Rules | None = None, first: int = 1, **claimed: Any
) -> list[Decided]:
    """The decisions on `documents`, taken in one transaction."""
    async with pool.acquire() as conn, conn.transaction():
        return await decided_by(conn, *documents, by=by, first=first, **claimed)


async def decided_by(
    conn: asyncpg.Connection, *documents: Struct, by: Rules | None = None, first: int = 1, **claimed: Any
) -> list[Decided]:
    """The decisions on `documents`, taken in the caller's transaction."""
    batch = [
        translated(document, KIND_OF[type(document)], number, **claimed)
        for number, document in enumerate(documents, first)
    ]
    return await decide(conn, by or rules(), batch)


def at(minute: int) -> datetime:
    """So many minutes after eleven."""
    return NOON - timedelta(hours=1) + timedelta(minutes=minute)


def moved(
    movement_id: str, quantity: str = "5", kind: str = "receipt", minute: int = 0, **changes: Any
) -> StockMovement:
    """A movement of CD-1 at EAST."""
    unit = changes.pop("unit", "EA")
    values: dict[str, Any] = {
        "movement_id": movement_id,
        "kind": kind,
        "sku": "CD-1",
        "location": "EAST",
        "quantity": Quantity(Decimal(quantity), unit),
        "occurred_at": at(minute),
    }
    return StockMovement(**{**values, **changes})


def movements(*moves: StockMovement, source: str = "wms") -> StockMovements:
    """A document of movements."""
    return StockMovements(source=source, movements=moves)


def counted(
    count_id: str, minute: int, *entries: tuple[str, str], complete: bool = False, **changes: Any
) -> StockCount:
    """A count of (SKU, quantity, with its unit behind it unless EA) entries at EAST."""
    values: dict[str, Any] = {
        "count_id": count_id,
        "source": "wms",
        "location": "EAST",
        "as_of": at(minute),
        "complete": complete,
        "entries": tuple(Counted(sku=sku, quantity=quantity(text)) for sku, text in entries),
    }
    return StockCount(**{**values, **changes})


def quantity(text: str) -> Quantity:
    """`3 CS`, or `3` of EA."""
    value, _, unit = text.partition(" ")
    return Quantity(Decimal(value), unit or "EA")


async def on_hand(conn: Any) -> dict[tuple[str, str], Decimal]:
    """What is on hand, without zeros."""
    rows = await conn.fetch("SELECT sku, location, on_hand FROM stock_level WHERE on_hand <> 0")
    return {(row["sku"], row["location"]): row["on_hand"] for row in rows}


BROKEN_LAWS = {
    "levels are the sums of the ledger": """
        SELECT sku, location FROM stock_level l FULL JOIN (
            SELECT sku, location, sum(on_hand) AS on_hand, sum(quarantined) AS quarantined, sum(allocated) AS allocated
            FROM stock_movement GROUP BY sku, location
        ) m USING (sku, location)
        WHERE coalesce(l.on_hand, 0) <> coalesce(m.on_hand, 0)
           OR coalesce(l.quarantined, 0) <> coalesce(m.quarantined, 0)
           OR coalesce(l.allocated, 0) <> coalesce(m.allocated, 0)""",
    "what is allocated is what allocations hold": """
        SELECT sku, location FROM stock_level l FULL JOIN (
            SELECT sku, location, sum(quantity - freed) AS held FROM allocation GROUP BY sku, location
        ) a USING (sku, location)
        WHERE coalesce(l.allocated, 0) <> coalesce(a.held, 0)""",
    "what is reserved is what living reservations hold": """
        SELECT sku, location FROM stock_level l FULL JOIN (
            SELECT sku, location, sum(quantity) AS held FROM reservation r
            JOIN reservation_line i ON i.reservation_id = r.id
            WHERE r.state IN ('active', 'committed') GROUP BY sku, location
        ) r USING (sku, location)
        WHERE coalesce(l.reserved, 0) <> coalesce(r.held, 0)""",
    "up to its newest count a level's ledger is what was counted": """
        SELECT l.sku, l.location FROM stock_level l
        CROSS JOIN LATERAL (
            SELECT c.quantity FROM counted_stock c
            WHERE c.sku = l.sku AND c.location = l.location AND c.as_of = l.counted_at AND NOT c.stale
            ORDER BY c.absent, c.source DESC, c.count_id DESC LIMIT 1
        ) c
        WHERE c.quantity <> (
            SELECT coalesce(sum(on_hand), 0) FROM stock_movement m
            WHERE m.sku = l.sku AND m.location = l.location AND m.occurred_at <= l.counted_at
        )""",
}


async def check_laws(conn: Any, but: Sequence[str] = ()) -> None:
    """Fail, naming the law, when one of them does not hold."""
    for law, sql in BROKEN_LAWS.items():
        if law not in but:
            rows = await conn.fetch(sql)
            assert not rows, f"not so: {law}: {[tuple(row) for row in rows]}"
