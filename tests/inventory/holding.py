# SPDX-License-Identifier: Apache-2.0
"""A small estate of stock for tests of reservations: products, channels, and what they ask and get."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from crossdock.canonical.master_data import Component, Product, UnitConversion
from crossdock.catalog.accept import accept_products
from crossdock.catalog.cache import Catalog, details_of, facts_of
from crossdock.inventory.reservation import Answered, Asked, ReservationLine, ReservationRequest, asked
from crossdock.inventory.reserve import Reserving
from crossdock.inventory.rules import ChannelRule, Held, SkuRule, StockRules

PLACES = ("EAST", "WEST")
PRODUCTS = (
    Product(sku="CD-1", units=(UnitConversion(unit="CS", factor=Decimal(12)),), substitutes=("CD-2", "GONE")),
    Product(sku="CD-2"),
    Product(
        sku="KIT", components=(Component(sku="CD-1", quantity=Decimal(2)), Component(sku="CD-2", quantity=Decimal(1)))
    ),
    Product(sku="ROPE", unit="MTR"),
    Product(sku="FEE", stocked=False),
    Product(sku="OLD", status="retired"),
)
FACTS = {
    one.sku: facts_of(one.unit, one.location, one.stocked, one.status == "active", details_of(one)) for one in PRODUCTS
}


def rules(*channels: ChannelRule, overrides: tuple[SkuRule, ...] = ()) -> StockRules:
    """Rules of `channels`; of one called "shop" that sells from both places, if none are given."""
    channels = channels or (channel("shop"),)
    return StockRules(
        version="r/1",
        channels={one.name: one for one in channels},
        overrides=overrides,
        governed=True,
        longest_hold=timedelta(hours=1),
        locations=PLACES,
    )


def channel(name: str, *, safety: int = 0, percent: float = 100.0, cap: int | None = None, **how: Any) -> ChannelRule:
    """A channel that sells from both places."""
    held = Held(safety=safety, percent=percent, cap=cap, keep=how.pop("keep", 0))
    return ChannelRule(**{"name": name, "system": name, "locations": PLACES, "held": held, **how})


async def stocked(pool: asyncpg.Pool, *there: tuple[str, str, int]) -> None:
    """The products in the catalog, and so many of (SKU, location) on hand, with a ledger that says so."""
    async with pool.acquire() as conn, conn.transaction():
        await accept_products(conn, [(None, product) for product in PRODUCTS])
        for sku, place, number in there:
            await conn.execute(
                "INSERT INTO stock_level (sku, location, on_hand, sequence, changed_at) VALUES ($1, $2, $3, 1, now())",
                *(sku, place, Decimal(number)),
            )
            await conn.execute(
                "INSERT INTO stock_movement (source, movement_id, kind, sku, location, quantity, unit, occurred_at, "
                "document_id, reference, on_hand) VALUES ('test', $1, 'receipt', $2, $3, $4, 'EA', now(), 1, '', $4)",
                *(f"opening/{sku}/{place}", sku, place, Decimal(number)),
            )


def want(key: str, *lines: Any, **changes: Any) -> Asked:
    """A request of `lines`: (sku, quantity), or a whole ReservationLine."""
    made = tuple(
        one if isinstance(one, ReservationLine) else ReservationLine(sku=one[0], quantity=Decimal(one[1]))
        for one in lines
    )
    given: dict[str, Any] = {"channel": "shop", "ttl_seconds": 600, "lines": made, "reference": f"cart {key}"}
    return asked(key, ReservationRequest(**{**given, **changes}))


def reserving(pool: asyncpg.Pool, by: StockRules | None = None) -> Reserving:
    """Takes reservations by `by`."""
    return Reserving(pool, by or rules(), Catalog())


def body(outcome: object) -> dict[str, Any]:
    """What an outcome that holds goods says."""
    assert isinstance(outcome, Answered), outcome
    decoded: dict[str, Any] = msgspec.json.decode(outcome.body)
    return decoded


def goods(outcome: object) -> list[tuple[str, str, str, str]]:
    """What an outcome holds: (line, SKU, location, quantity) each."""
    return [
        (line["line"], one["sku"], one["location"], one["quantity"])
        for line in body(outcome)["lines"]
        for one in line["taken"]
    ]


async def reserved(pool: asyncpg.Pool) -> Mapping[tuple[str, str], int]:
    """What is reserved of each level; fails unless living reservations hold just that."""
    rows = await pool.fetch("SELECT sku, location, reserved FROM stock_level WHERE reserved <> 0")
    levels = {(row["sku"], row["location"]): int(row["reserved"]) for row in rows}
    rows = await pool.fetch(
        "SELECT l.sku, l.location, sum(l.quantity) AS held FROM reservation r "
        "JOIN reservation_line l ON l.reservation_id = r.id WHERE r.state IN ('active', 'committed') "
        "GROUP BY l.sku, l.location"
    )
    assert levels == {(row["sku"], row["location"]): int(row["held"]) for row in rows}
    return levels


async def overdue(pool: asyncpg.Pool, *ids: str) -> None:
    """Let the time of these reservations be over."""
    await pool.execute(
        "UPDATE reservation SET created_at = created_at - interval '1 day', expires_at = now() - interval '1 second' "
        "WHERE id = ANY($1::text[])",
        list(ids),
    )


async def events(pool: asyncpg.Pool) -> list[tuple[str, int]]:
    """Events of reservations in the outbox, in order: (what, how many reservations)."""
    rows = await pool.fetch("SELECT type, data FROM event WHERE type LIKE 'reservation.%' ORDER BY xid, id")
    return [(row["type"].partition(".")[2], len(msgspec.json.decode(row["data"]))) for row in rows]
