# SPDX-License-Identifier: Apache-2.0
"""What of an order may come back: what was ordered, what has left, and what other returns have of it already.

All in the unit goods are kept in, because that is how warehouses count what comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.objects import decode
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.returns.lines import ZERO, LineState, load
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)
Products = Mapping[str, ProductFacts]
GONE = frozenset({"declined", "cancelled"})
"""States of returns of which nothing comes back."""


class KnownReturn(Struct, kw_only=True):
    """A return as it stands."""

    return_key: str
    order_key: str
    number: str
    channel: str
    state: str
    version: int
    resolution: str
    location: str
    lines: dict[str, LineState]
    refund: Decimal
    fee: Decimal
    currency: str
    document_id: int
    requested_at: datetime

    @property
    def begun(self) -> bool:
        """Whether anything has come back."""
        return any(line.received for line in self.lines.values())


class SoldLine(Struct, frozen=True, kw_only=True):
    """A line of an order: `ordered` and `shipped` in `unit`, which its goods are kept in; `location`: the first one
    that shipped of it."""

    line: OrderLine
    unit: str
    ordered: Decimal
    shipped: Decimal
    location: str


class Sold(Struct, kw_only=True):
    """An order and its returns. `left_at`: when the last of it left (UTC); None = nothing has. `customer`: the account
    it is booked on."""

    order: SalesOrder
    erp: str
    customer: str
    left_at: datetime | None
    lines: dict[str, SoldLine]
    returns: dict[str, KnownReturn]

    def taken(self, line: str, but: str = "") -> Decimal:
        """How much of `line` other returns than `but` are to bring back, or have."""
        return sum(
            (
                one.lines[line].approved
                for key, one in self.returns.items()
                if key != but and one.state not in GONE and line in one.lines
            ),
            ZERO,
        )

    def back(self, line: str) -> Decimal:
        """How much of `line` has come back, of all returns."""
        return sum((one.lines[line].received for one in self.returns.values() if line in one.lines), ZERO)

    @property
    def given_back(self) -> Decimal:
        """What all returns gave back of what was paid, fees included."""
        return sum((one.refund + one.fee for one in self.returns.values()), ZERO)


class _Asked(Struct):
    """A line of a fulfillment order as its `lines` column has it; `unit` "" = the unit of the order's line."""

    shipped: Decimal
    unit: str = ""


_ASKED = msgspec.json.Decoder(dict[str, _Asked])


class _Sent(Struct, frozen=True):
    """What one fulfillment order asks for, by order line."""

    location: str
    lines: Mapping[str, _Asked]


async def take_turns(conn: asyncpg.Connection, order_keys: Iterable[str]) -> None:
    """Keep everybody else from deciding on returns of these orders until the transaction ends.

    Called before anything else is locked: who has the turns may wait for levels, who holds levels never for a turn.
    """
    wanted = sorted(set(order_keys))
    if wanted:
        await conn.execute(SQL.take_turns, wanted)


async def orders_of(conn: asyncpg.Connection, return_keys: Iterable[str]) -> dict[str, str]:
    """The order of each of these returns that is here."""
    rows = await conn.fetch(SQL.orders_of_returns, sorted(set(return_keys)))
    return {row["return_key"]: row["order_key"] for row in rows}


async def read_sold(conn: asyncpg.Connection, order_keys: Iterable[str], products: Products) -> dict[str, Sold]:
    """Of these orders those that were decided on, by order key."""
    wanted = sorted(set(order_keys))
    rows = await conn.fetch(SQL.orders_sold, wanted) if wanted else []
    if not rows:
        return {}
    asked: dict[str, list[_Sent]] = {}
    for row in await conn.fetch(SQL.shipped_of, wanted):
        asked.setdefault(row["order_key"], []).append(_Sent(row["location"], _ASKED.decode(row["lines"])))
    found: dict[str, Sold] = {}
    for row in rows:
        order: SalesOrder = decode("sales_order", row["body"])
        orders = asked.get(order.order_key, [])
        gone = _gone(order, orders, row["waiting"])
        found[order.order_key] = Sold(
            order=order,
            erp=row["erp"],
            customer=row["customer_id"],
            left_at=row["shipped_at"] or (row["placed_at"] if gone else None),
            lines={line.line: _line(line, orders, products, gone=line.line in gone) for line in order.lines},
            returns={},
        )
    for row in await conn.fetch(SQL.returns_of, wanted):
        if row["order_key"] in found:
            found[row["order_key"]].returns[row["return_key"]] = known_return(row)
    return found


def known_return(row: asyncpg.Record) -> KnownReturn:
    """The return of a row of `returns_of`."""
    fields = {name: row[name] for name in KnownReturn.__struct_fields__ if name != "lines"}
    return KnownReturn(lines=load(row["lines"]), **fields)


def kept(quantity: Quantity, sku: str, products: Products) -> Quantity:
    """`quantity` in the unit its goods are kept in; as it is where the catalog does not say what its unit holds."""
    product = products.get(sku)
    return (product.kept(quantity) if product is not None else None) or quantity


def _gone(order: SalesOrder, asked: Sequence[_Sent], waiting: Sequence[str]) -> frozenset[str]:
    """Lines whose goods are gone when we hear of them: nobody is asked to ship them, and they wait for nothing."""
    if order.status == "cancelled":
        return frozenset()
    return frozenset(line.line for line in order.lines).difference(waiting, *(one.lines for one in asked))


def _line(line: OrderLine, asked: Sequence[_Sent], products: Products, *, gone: bool) -> SoldLine:
    whole = kept(line.quantity, line.sku, products)
    shipped, location = ZERO, ""
    for sent in asked:
        one = sent.lines.get(line.line)
        if one is not None and one.shipped > 0:
            there = kept(Quantity(one.shipped, one.unit or line.quantity.unit), line.sku, products)
            shipped += there.value if there.unit == whole.unit else ZERO
            location = location or sent.location
    return SoldLine(
        line=line,
        unit=whole.unit,
        ordered=whole.value,
        shipped=whole.value if gone else shipped,
        location=location or line.location,
    )
