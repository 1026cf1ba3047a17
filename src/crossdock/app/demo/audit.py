# SPDX-License-Identifier: Apache-2.0
"""Audit from the outside: what the simulators counted on their own against what Crossdock says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
from msgspec import Struct

from crossdock.app.demo.channels import ChannelCounts, channel_counts, told_equal
from crossdock.app.demo.control import Control
from crossdock.app.demo.entities import (
    Booked,
    EntityCounts,
    Standing,
    booked,
    entity_counts,
    total_of,
    written,
)
from crossdock.app.demo.figures import SQL
from crossdock.app.demo.returning import ReturnCounts, credited
from crossdock.app.wiring import stock_rules_of, wire
from crossdock.catalog.cache import Catalog
from crossdock.inventory.view import StockView
from crossdock.journal.books import Book, balance

_SAMPLE = 20
_MARKETS = ("portal", "marketplace")


class Oracle(Struct, frozen=True, kw_only=True):
    """The outside's view. Orders by key: `missing` in the ERP though accepted, `doubled` there, `unaccounted`: a
    channel placed them and was told that they arrived, but Crossdock knows nothing of them.

    `oversold`: units that the warehouse was asked for and did not have. `waiting_for_goods`: orders that a channel took
    and that nothing was promised for, each a case. `stranded`: units held here for nobody. `stock_equal`: every level
    here is the warehouse's own; `told_equal`: channels show what they were told last, and that is what they may sell.
    """

    placed: int
    broken: int
    in_erp: int
    in_warehouse: int
    shipments: int
    fulfilled: int
    missing: int
    doubled: int
    unaccounted: int
    shipped_twice: int
    oversold: int
    waiting_for_goods: int
    stranded: int
    stock_equal: bool
    told_equal: bool
    samples: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Nothing is missing, doubled, oversold or different."""
        wrong = self.missing + self.doubled + self.unaccounted + self.shipped_twice + self.oversold + self.stranded
        return wrong == 0 and self.stock_equal and self.told_equal


class Verdict(Struct, frozen=True, kw_only=True):
    """The books, the outside's view, what each channel was told and sold, what each company sold and its ERP booked;
    and whether all is in order.

    `splits`: orders that more than one location ships; `cancelled`: orders; `returned`: what came back.
    `money_conserved`: every order comes to the same in its ERP as in its channel, and what was given back is what the
    ERPs credited.
    """

    books: tuple[Book, ...]
    oracle: Oracle
    channels: dict[str, ChannelCounts]
    entities: dict[str, EntityCounts]
    splits: int
    cancelled: int
    returned: ReturnCounts
    money_conserved: bool
    balanced: bool


class _Ours(Struct, frozen=True):
    """What Crossdock says."""

    orders: dict[str, asyncpg.Record]
    stuck: dict[str, str]
    levels: dict[tuple[str, str], Decimal]
    shipments: set[str]
    stranded: int


class _Theirs(Struct, frozen=True):
    """What the simulators say: orders by our key, records of the ERP, and of the warehouse."""

    placed: dict[str, dict[str, Any]]
    erp: list[Booked]
    fulfillment_orders: list[dict[str, Any]]
    shipments: list[dict[str, Any]]
    stock: dict[tuple[str, str], Decimal]
    fulfilled: int
    shipped_twice: int


async def audit(pool: asyncpg.Pool, control: Control, estate: Path) -> Verdict:
    """Compare once everything has come to rest."""
    catalog = Catalog()
    view = StockView(stock_rules_of(wire(estate).estate), catalog)
    async with pool.acquire() as conn:
        books = await balance(conn)
        ours = await _ours(conn)
        await view.refresh(conn)
        await view.load(conn)
        channels = await channel_counts(conn, control)
        equal = await told_equal(conn, control, view)
        given = await conn.fetchrow(SQL.returned)
        splits = await conn.fetchval(SQL.split_orders)
    theirs = await _theirs(control)
    oracle = _compare(ours, theirs, equal)
    entities = entity_counts(_standing(ours, theirs.placed), theirs.erp)
    returned = ReturnCounts(**given, credited=await credited(control))
    conserved = returned.refunded == returned.credited and not any(one.differing for one in entities.values())
    return Verdict(
        books=tuple(books),
        oracle=oracle,
        channels=channels,
        entities=entities,
        splits=splits,
        cancelled=sum(row["status"] == "cancelled" for row in ours.orders.values()),
        returned=returned,
        money_conserved=conserved,
        balanced=oracle.agrees and conserved and all(book.balanced for book in books),
    )


def _standing(ours: _Ours, placed: Mapping[str, dict[str, Any]]) -> list[Standing]:
    """The orders that should be in an ERP, with what they come to by their channels."""
    return [
        Standing(key=key, entity=row["entity"], erp=row["erp"], total=total_of(placed[key]))
        for key, row in ours.orders.items()
        if row["status"] == "open" and key not in ours.stuck and key in placed
    ]


async def _ours(conn: asyncpg.Connection) -> _Ours:
    return _Ours(
        orders={row["order_key"]: row for row in await conn.fetch(SQL.our_orders)},
        stuck={row["key"].removeprefix("order/"): row["rule"] for row in await conn.fetch(SQL.order_keys_in_triage)},
        levels={(row["sku"], row["location"]): row["on_hand"] for row in await conn.fetch(SQL.our_levels)},
        shipments={row["shipment_key"].rpartition("/")[2] for row in await conn.fetch(SQL.our_shipments)},
        stranded=int(await conn.fetchval(SQL.stranded)),
    )


async def _theirs(control: Control) -> _Theirs:
    placed = {f"shopify-us/{order['id']}": order for order in (await control.get("shopify", "orders"))["orders"]}
    fulfilled = sum(len(order["fulfillments"]) for order in placed.values())
    for name in _MARKETS:
        placed |= {f"{name}/{order['id']}": order for order in (await control.get(name, "orders"))["orders"]}
        fulfilled += len((await control.get(name, "shipments"))["shipments"])
    stock = (await control.get("warehouse", "stock"))["stock"]
    return _Theirs(
        placed=placed,
        erp=await booked(control),
        fulfillment_orders=(await control.get("warehouse", "fulfillment_orders"))["fulfillment_orders"],
        shipments=(await control.get("warehouse", "shipments"))["shipments"],
        stock={(row["sku"], row["location"]): Decimal(row["on_hand"]) for row in stock},
        fulfilled=fulfilled,
        shipped_twice=(await control.get("shopify", "counts"))["orders_fulfilled_twice"],
    )


def _compare(ours: _Ours, theirs: _Theirs, equal: bool) -> Oracle:
    in_erp = Counter((one.erp, one.key) for one in theirs.erp)
    expected = {
        key: row["erp"] for key, row in ours.orders.items() if row["status"] == "open" and key not in ours.stuck
    }
    missing = sorted(key for key, erp in expected.items() if (erp, written(erp, key)) not in in_erp)
    doubled = sorted(key for (_, key), count in in_erp.items() if count > 1) + _doubled_by_number(theirs.erp)
    broken = {key for key, one in theirs.placed.items() if one.get("broken")}
    unaccounted = sorted(set(theirs.placed) - set(ours.orders) - set(ours.stuck) - broken)
    return Oracle(
        placed=len(theirs.placed),
        broken=len(broken),
        in_erp=len(theirs.erp),
        in_warehouse=len(theirs.fulfillment_orders),
        shipments=len(theirs.shipments),
        fulfilled=theirs.fulfilled,
        missing=len(missing),
        doubled=len(doubled),
        unaccounted=len(unaccounted),
        shipped_twice=theirs.shipped_twice,
        oversold=int(_oversold(theirs)),
        waiting_for_goods=sum(1 for rule in ours.stuck.values() if rule == "order.stock"),
        stranded=ours.stranded,
        stock_equal=_same(theirs.stock, ours.levels) and {one["id"] for one in theirs.shipments} == ours.shipments,
        told_equal=equal,
        samples=tuple((missing + doubled + unaccounted)[:_SAMPLE]),
    )


def _oversold(theirs: _Theirs) -> Decimal:
    """Units that were promised and are not there: asked of the warehouse beyond what it has, or shipped beyond it."""
    asked: dict[tuple[str, str], Decimal] = {}
    for order in theirs.fulfillment_orders:
        if order["status"] in ("open", "partially_shipped"):
            for line in order["lines"]:
                key = (line["sku"], order["location"])
                open_units = Decimal(line["quantity"]) - Decimal(line["quantity_shipped"])
                asked[key] = asked.get(key, Decimal(0)) + open_units
    keys: Iterable[tuple[str, str]] = {*asked, *theirs.stock}
    none = Decimal(0)
    return sum((max(asked.get(key, none) - theirs.stock.get(key, none), none) for key in keys), none)


def _doubled_by_number(books: list[Booked]) -> list[str]:
    """Order numbers that stand on more than one record of an ERP."""
    numbers = Counter((one.erp, one.number) for one in books if one.number)
    return sorted(number for (_, number), count in numbers.items() if count > 1)


def _same(theirs: Mapping[tuple[str, str], Decimal], levels: Mapping[tuple[str, str], Decimal]) -> bool:
    none = Decimal(0)
    return all(theirs.get(key, none) == levels.get(key, none) for key in {*theirs, *levels})
