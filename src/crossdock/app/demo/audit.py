# SPDX-License-Identifier: Apache-2.0
"""Audit from the outside: what the simulators counted on their own against what Crossdock says."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import Struct

from crossdock.app.demo.control import Control
from crossdock.app.demo.figures import SQL
from crossdock.journal.books import Book, balance

_SAMPLE = 20


class Oracle(Struct, frozen=True, kw_only=True):
    """The outside's view. Orders by key: `missing` in the ERP though accepted, `doubled` there, `unaccounted`: the
    store placed them and was told that they arrived, but Crossdock knows nothing of them. `stock_equal`: every level
    here is the warehouse's own; `told_equal`: the store shows what it was told last."""

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
    stock_equal: bool
    told_equal: bool
    samples: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Nothing is missing, doubled or different."""
        wrong = self.missing + self.doubled + self.unaccounted + self.shipped_twice
        return wrong == 0 and self.stock_equal and self.told_equal


class Verdict(Struct, frozen=True, kw_only=True):
    """The books, the outside's view, and whether both are in order."""

    books: tuple[Book, ...]
    oracle: Oracle
    balanced: bool


async def audit(pool: asyncpg.Pool, control: Control) -> Verdict:
    """Compare once everything has come to rest."""
    async with pool.acquire() as conn:
        books = await balance(conn)
        ours = {row["order_key"]: row["status"] for row in await conn.fetch(SQL.our_orders)}
        levels = {(row["sku"], row["location"]): row["on_hand"] for row in await conn.fetch(SQL.our_levels)}
        shipments = {row["shipment_key"].rpartition("/")[2] for row in await conn.fetch(SQL.our_shipments)}
        stuck = {row["key"].removeprefix("order/") for row in await conn.fetch(SQL.order_keys_in_triage)}
    oracle = await _oracle(control, ours, stuck, levels, shipments)
    return Verdict(books=tuple(books), oracle=oracle, balanced=oracle.agrees and all(book.balanced for book in books))


async def _oracle(
    control: Control,
    ours: dict[str, str],
    stuck: set[str],
    levels: dict[tuple[str, str], Decimal],
    shipments: set[str],
) -> Oracle:
    placed = {f"shopify-us/{order['id']}": order for order in (await control.get("shopify", "orders"))["orders"]}
    erp = (await control.get("netsuite", "sales_orders"))["sales_orders"]
    warehouse = (await control.get("warehouse", "fulfillment_orders"))["fulfillment_orders"]
    theirs = (await control.get("warehouse", "shipments"))["shipments"]
    stock = (await control.get("warehouse", "stock"))["stock"]
    shown = (await control.get("shopify", "levels"))["levels"]
    in_erp = Counter(record["externalId"] for record in erp)
    expected = {key for key, status in ours.items() if status == "open" and key not in stuck}
    missing = sorted(key for key in expected if key.replace("/", "-") not in in_erp)
    doubled = sorted(key for key, count in in_erp.items() if count > 1) + _doubled_by_number(erp)
    unaccounted = sorted(set(placed) - set(ours) - stuck - {key for key, one in placed.items() if one["broken"]})
    return Oracle(
        placed=len(placed),
        broken=sum(1 for order in placed.values() if order["broken"]),
        in_erp=len(erp),
        in_warehouse=len(warehouse),
        shipments=len(theirs),
        fulfilled=sum(len(order["fulfillments"]) for order in placed.values()),
        missing=len(missing),
        doubled=len(doubled),
        unaccounted=len(unaccounted),
        shipped_twice=(await control.get("shopify", "counts"))["orders_fulfilled_twice"],
        stock_equal=_stock_equal(stock, levels) and {one["id"] for one in theirs} == shipments,
        told_equal=_told_equal(shown, levels),
        samples=tuple((missing + doubled + unaccounted)[:_SAMPLE]),
    )


def _doubled_by_number(erp: list[dict[str, Any]]) -> list[str]:
    """Order numbers that stand on more than one record of the ERP."""
    numbers: Counter[str] = Counter(record["otherRefNum"] for record in erp if record.get("otherRefNum"))
    return sorted(number for number, count in numbers.items() if count > 1)


def _stock_equal(stock: list[dict[str, Any]], levels: dict[tuple[str, str], Decimal]) -> bool:
    theirs = {(row["sku"], row["location"]): Decimal(row["on_hand"]) for row in stock}
    return all(theirs.get(key, Decimal(0)) == level for key, level in levels.items()) and all(
        levels.get(key, Decimal(0)) == level for key, level in theirs.items()
    )


def _told_equal(shown: list[dict[str, Any]], levels: dict[tuple[str, str], Decimal]) -> bool:
    told = {(row["sku"], row["location"]): row["set_to"] for row in shown if row["set_to"] is not None}
    return all(told.get(key) == max(level, Decimal(0)) for key, level in levels.items())
