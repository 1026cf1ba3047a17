# SPDX-License-Identifier: Apache-2.0
"""Stock as people look at it: SKUs with their buckets, and for one SKU where every number comes from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.catalog.cache import ProductFacts
from crossdock.errors import Refused
from crossdock.inventory.available import Term
from crossdock.inventory.level import Level
from crossdock.inventory.rules import ChannelRule
from crossdock.inventory.view import StockView
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "stock.sql")
LONGEST_SKU = 200
MOST_LEVELS = 500
MOST_HOLDS = 50
MOST_MOVES = 100


class StockRow(Struct, frozen=True, kw_only=True):
    """One SKU over all its locations, in its base unit."""

    sku: str
    description: str
    unit: str
    places: int
    on_hand: Decimal
    quarantined: Decimal
    allocated: Decimal
    reserved: Decimal
    changed_at: datetime

    @property
    def free(self) -> Decimal:
        """What is promised to nobody."""
        return self.on_hand - self.quarantined - self.allocated - self.reserved


class Publication(Struct, frozen=True, kw_only=True):
    """How publishing to a channel system goes; lag in seconds."""

    system: str
    waiting: int
    waiting_since: datetime | None
    problems: int
    calls: int
    fewest_calls: int
    lag_p50: float
    lag_p95: float
    lag_p99: float
    at: datetime


class Told(Struct, frozen=True, kw_only=True):
    """What a channel system was told of a SKU at a location ("" = one number for all)."""

    system: str
    location: str
    told: Decimal | None
    told_at: datetime | None
    problem: str


class OnChannel(Struct, frozen=True, kw_only=True):
    """One channel: what it may sell now, how that comes about, and what it believes."""

    rule: ChannelRule
    may_sell: Decimal
    by_location: dict[str, Decimal]
    terms: tuple[Term, ...]
    told: tuple[Told, ...]

    @property
    def believed(self) -> Decimal | None:
        """What it was told in all; None when it was told nothing."""
        numbers = [one.told for one in self.told if one.told is not None]
        return sum(numbers, Decimal(0)) if numbers else None


class Coming(Struct, frozen=True, kw_only=True):
    """Goods that are still to come."""

    reference: str
    source: str
    location: str
    open: Decimal
    due_at: datetime
    document_id: int


class Holder(Struct, frozen=True, kw_only=True):
    """Who holds goods: a reservation of a channel, or an order's fulfillment order."""

    kind: str
    reference: str
    holder: str
    location: str
    quantity: Decimal
    since: datetime
    until: datetime | None


class Move(Struct, frozen=True, kw_only=True):
    """A movement and what it changed."""

    source: str
    movement_id: str
    kind: str
    location: str
    quantity: Decimal
    unit: str
    occurred_at: datetime
    recorded_at: datetime
    document_id: int
    reference: str
    on_hand: Decimal
    quarantined: Decimal
    allocated: Decimal
    late: bool


class StockPicture(Struct, frozen=True, kw_only=True):
    """Everything about one SKU."""

    sku: str
    product: ProductFacts | None
    levels: tuple[Level, ...]
    channels: tuple[OnChannel, ...]
    coming: tuple[Coming, ...]
    holders: tuple[Holder, ...]
    moves: tuple[Move, ...]


async def stock_list(conn: asyncpg.Connection, prefix: str, after: str, limit: int) -> list[StockRow]:
    """SKUs that begin with `prefix`, in their order, those after `after`."""
    rows = await conn.fetch(SQL.stock_list, prefix[:LONGEST_SKU], after[:LONGEST_SKU], limit)
    return [
        StockRow(
            sku=row["sku"],
            description=_description(row["body"]),
            unit=row["unit"],
            places=row["places"],
            on_hand=row["on_hand"],
            quarantined=row["quarantined"],
            allocated=row["allocated"],
            reserved=row["reserved"],
            changed_at=row["changed_at"],
        )
        for row in rows
    ]


async def publications(conn: asyncpg.Connection) -> list[Publication]:
    """Every channel system that is told its stock."""
    return [Publication(**row) for row in await conn.fetch(SQL.publications)]


async def promised(conn: asyncpg.Connection, limit: int) -> list[tuple[str, str, Decimal]]:
    """Where more is promised than there is: (SKU, location, free below zero), the worst first."""
    return [(row["sku"], row["location"], row["free"]) for row in await conn.fetch(SQL.stock_promised, limit)]


async def stock_picture(conn: asyncpg.Connection, known: StockView, sku: str) -> StockPicture:
    """Everything about `sku`, by the rules and figures of `known`; its levels are read. Refused 404 when neither the
    catalog nor the ledger knows it."""
    view = known.like()
    if view.refreshed:
        await view.catalog.refresh(conn)
    else:
        # Nobody keeps it up, or not yet.
        await view.refresh(conn)
    product = view.catalog.products.get(sku)
    rows = await conn.fetch(SQL.stock_levels, sku, MOST_LEVELS)
    if product is None and not rows:
        raise Refused(f"no SKU {sku[:LONGEST_SKU]!r} is known", status=404, field="sku", rule="not_found")
    parts: Sequence[str] = list(product.components) if product is not None and product.components else [sku]
    await view.load_skus(conn, parts)
    rules = view.rules.channels.values()
    systems = sorted({rule.system for rule in rules})
    told = [Told(**row) for row in await conn.fetch(SQL.stock_told, sku, MOST_LEVELS, systems)]
    return StockPicture(
        sku=sku,
        product=product,
        levels=tuple(Level(**row) for row in rows),
        channels=tuple(_on_channel(view, rule, sku, told) for rule in rules),
        coming=tuple(Coming(**row) for row in await conn.fetch(SQL.stock_coming, sku, MOST_HOLDS)),
        holders=tuple(Holder(**row) for row in await conn.fetch(SQL.stock_holds, sku, MOST_HOLDS)),
        moves=tuple(Move(**row) for row in await conn.fetch(SQL.stock_moves, sku, MOST_MOVES)),
    )


def _on_channel(view: StockView, rule: ChannelRule, sku: str, told: Sequence[Told]) -> OnChannel:
    may = view.sellable(rule, sku)
    return OnChannel(
        rule=rule,
        may_sell=may.total,
        by_location=dict(may.by_location),
        terms=tuple(view.explain(rule, sku)),
        told=tuple(one for one in told if one.system == rule.system),
    )


class _Body(Struct):
    description: str = ""


_BODY = msgspec.json.Decoder(_Body)


def _description(body: bytes) -> str:
    return _BODY.decode(body).description if body else ""
