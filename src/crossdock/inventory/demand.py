# SPDX-License-Identifier: Apache-2.0
"""Demand as it was, for a planning system: per day (UTC), SKU and channel what was ordered, shipped, cancelled, lost.

Quantities are in the SKU's base unit, and left out in a unit that the product does not have any more; a bundle is
ordered as a bundle. Lost is what was missing of orders that waited for a person or were given up because goods were not
there; it counts on the day the person was asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.canonical.fulfillment import FulfillmentLine
from crossdock.canonical.objects import decode, encode
from crossdock.canonical.quantity import Quantity
from crossdock.catalog.cache import Catalog
from crossdock.inventory.allocate import missing_of
from crossdock.inventory.forecast import SQL
from crossdock.inventory.level import ZERO
from crossdock.journal.record import Event, record_events

# A page of documents, so that the memory a day takes goes by its SKUs and not by its orders.
_PAGE = 1000


class DemandRow(Struct, kw_only=True, gc=False):
    """What was asked for of one SKU on one channel on one day, in its base unit."""

    day: date
    sku: str
    channel: str
    ordered: Decimal = ZERO
    shipped: Decimal = ZERO
    cancelled: Decimal = ZERO
    lost: Decimal = ZERO


async def demand_of(conn: asyncpg.Connection, day: date, catalog: Catalog) -> list[DemandRow]:
    """The demand of one day, by SKU and channel. Runs in a transaction of its own."""
    tally = _Tally(day, catalog)
    begin = datetime.combine(day, time(), UTC)
    span = begin, begin + timedelta(days=1)
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        async for row in _rows(conn, SQL.orders_placed, span):
            for line in decode("sales_order", row["body"]).lines:
                tally.add(line.sku, row["channel"], "ordered", line.quantity)
        async for row in _rows(conn, SQL.goods_shipped, span):
            for line in _shipped(row["body"]):
                tally.add(line.sku, row["channel"], "shipped", line.quantity)
        async for row in _rows(conn, SQL.orders_cancelled, span):
            tally.cancel(row)
        async for row in _rows(conn, SQL.orders_short, span):
            channel = decode("sales_order", row["body"]).channel
            for sku, quantity in missing_of(row["reason"]):
                tally.add(sku, channel, "lost", quantity)
    return [tally.rows[key] for key in sorted(tally.rows)]


async def _rows(conn: asyncpg.Connection, query: str, span: tuple[datetime, datetime]) -> AsyncIterator[asyncpg.Record]:
    async for row in conn.cursor(query, *span, prefetch=_PAGE):
        yield row


def _shipped(body: bytes) -> Iterator[FulfillmentLine]:
    """The goods in every package of a shipment."""
    for package in decode("shipment", body).packages:
        yield from package.lines


class _Tally:
    """The rows of a day, added up."""

    def __init__(self, day: date, catalog: Catalog) -> None:
        self._day = day
        self._catalog = catalog
        self.rows: dict[tuple[str, str], DemandRow] = {}

    def add(self, sku: str, channel: str, what: str, quantity: Quantity) -> None:
        value = self._base(sku, quantity)
        if value:
            row = self._row(sku, channel)
            setattr(row, what, getattr(row, what) + value)

    def cancel(self, row: asyncpg.Record) -> None:
        """An order that was cancelled: its lines, less what had left before."""
        left: dict[str, Decimal] = {}
        for line in (line for body in row["shipments"] for line in _shipped(body)):
            left[line.sku] = left.get(line.sku, ZERO) + self._base(line.sku, line.quantity)
        for line in decode("sales_order", row["body"]).lines:
            value = self._base(line.sku, line.quantity)
            gone = min(value, left.get(line.sku, ZERO))
            left[line.sku] = left.get(line.sku, ZERO) - gone
            if value - gone:
                self._row(line.sku, row["channel"]).cancelled += value - gone

    def _base(self, sku: str, quantity: Quantity) -> Decimal:
        product = self._catalog.products.get(sku)
        value = product.in_base(quantity) if product is not None else quantity.value
        return ZERO if value is None else value

    def _row(self, sku: str, channel: str) -> DemandRow:
        key = (sku, channel)
        if key not in self.rows:
            self.rows[key] = DemandRow(day=self._day, sku=sku, channel=channel)
        return self.rows[key]


def days(since: date, until: date) -> Iterator[date]:
    """Every day from `since` on, before `until`."""
    day = since
    while day < until:
        yield day
        day += timedelta(days=1)


async def open_days(conn: asyncpg.Connection, today: date) -> list[date]:
    """Days that have ended and were not told to planning, the oldest first; at most a year of them."""
    last: date | None = await conn.fetchval(SQL.days_closed)
    first: date | None = last + timedelta(days=1) if last is not None else await conn.fetchval(SQL.first_day)
    if first is None:
        return []
    return list(days(max(first, today - timedelta(days=366)), today))


async def close_day(conn: asyncpg.Connection, day: date, rows: list[DemandRow]) -> bool:
    """Note that the demand of `day` was told and make its event, once; whether it was not told before."""
    async with conn.transaction():
        if await conn.fetchval(SQL.close_day, day) is None:
            return False
        sums = {what: sum((getattr(row, what) for row in rows), ZERO) for what in _FIGURES}
        data = encode({"day": day, "skus": len({row.sku for row in rows}), **sums})
        await record_events(conn, [Event(type="demand.day_closed", key=f"demand/{day}", document_id=0, data=data)])
        return True


_FIGURES = ("ordered", "shipped", "cancelled", "lost")
