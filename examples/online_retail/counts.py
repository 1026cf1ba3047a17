# SPDX-License-Identifier: Apache-2.0
"""What arrived, counted by Crossdock and by the ERP, each with its own figures; compared to those of `totals.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import Struct

from crossdock.journal.books import Book, balance
from crossdock.runtime.postgres import load_queries
from examples.online_retail.totals import Month, Sum

SQL = load_queries("examples.online_retail")
ORDERS = "orders"
CANCELLATIONS = "cancellations"
CHARGE_ITEMS = "CHARGE-"

Counts = dict[tuple[str, str], Sum]
"""Sums by month ("2011-01") and kind of document."""


class Line(Struct, frozen=True, kw_only=True):
    """One line of the comparison: a kind of document of a month as the file, Crossdock and the ERP count it.

    `erp` is None where the ERP is told nothing: cancellations, and what waits for a person.
    """

    month: str
    kind: str
    file: Sum
    crossdock: Sum
    erp: Sum | None

    @property
    def agrees(self) -> bool:
        """All sides have the same documents, lines and money; the ERP knows no charge of 0.00."""
        if self.erp is None:
            return self.file == self.crossdock
        told = Sum(**{**vars(self.file), "lines": self.file.lines - self.file.charges_of_nothing})
        told.charges_of_nothing = 0
        return self.file == self.crossdock and told == self.erp


class Comparison(Struct, frozen=True, kw_only=True):
    """The comparison of everything in the file, and the books. `doubled`: orders that the ERP made more than once."""

    lines: tuple[Line, ...]
    books: tuple[Book, ...]
    doubled: int

    @property
    def agrees(self) -> bool:
        """Everything agrees, nothing came to the ERP twice and the books balance."""
        return self.doubled == 0 and all(part.agrees for part in self.lines) and all(b.balanced for b in self.books)


async def compare(file: Mapping[str, Month], pool: asyncpg.Pool, erp: Mapping[str, Any]) -> Comparison:
    """Compare the totals of a file with the database behind `pool` and with the ERP's own records.

    `erp`: what the simulated ERP answers: its "sales_orders", and its "counts".
    """
    async with pool.acquire() as conn:
        crossdock = await count_crossdock(conn)
        books = await balance(conn)
    theirs = count_erp(erp["sales_orders"])
    expected = {
        (name, kind): counted
        for name, month in file.items()
        for kind, counted in (
            (ORDERS, month.orders),
            (CANCELLATIONS, month.cancellations),
            *((f"triage: {reason}", counted) for reason, counted in sorted(month.triage.items())),
        )
    }
    unforeseen = sorted((crossdock.keys() | theirs.keys()) - expected.keys())
    return Comparison(
        lines=tuple(
            Line(
                month=month,
                kind=kind,
                file=expected.get((month, kind), Sum()),
                crossdock=crossdock.get((month, kind), Sum()),
                erp=theirs.get((month, kind), Sum()) if kind == ORDERS else None,
            )
            for month, kind in [*expected, *unforeseen]
        ),
        books=tuple(books),
        doubled=erp["counts"]["created_more_than_once_by_external_id"],
    )


async def count_crossdock(conn: asyncpg.Connection) -> Counts:
    """What Crossdock's own tables hold."""
    counts = {(row["month"], ORDERS): _sum(row) for row in await conn.fetch(SQL.orders)}
    counts |= {(row["month"], CANCELLATIONS): _sum(row) for row in await conn.fetch(SQL.cancellations)}
    return counts | {(row["month"], f"triage: {row['reason']}"): _sum(row) for row in await conn.fetch(SQL.cases)}


def count_erp(orders: Iterable[Mapping[str, Any]]) -> Counts:
    """What the ERP's sales orders hold, line by line."""
    counts: Counts = defaultdict(Sum)
    for order in orders:
        counted = counts[order["tranDate"][:7], ORDERS]
        counted.documents += 1
        for line in order["item"]:
            amount = Decimal(str(line["amount"]))
            counted.lines += 1
            counted.total += amount
            if line["item"]["refName"].startswith(CHARGE_ITEMS):
                counted.charges += amount
            else:
                counted.goods += amount
        # What has no item stands at the head of the order.
        shipping = Decimal(str(order.get("shippingCost") or 0))
        counted.total += shipping
        counted.charges += shipping
    return dict(counts)


def _sum(row: asyncpg.Record) -> Sum:
    nothing = Decimal(0)
    return Sum(
        documents=row["documents"],
        lines=row["lines"],
        charges_of_nothing=row["charges_of_nothing"],
        goods=row["goods"] or nothing,
        charges=row["charges"] or nothing,
        total=row["total"] or nothing,
    )
