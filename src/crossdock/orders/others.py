# SPDX-License-Identifier: Apache-2.0
"""Read what other orders say of an order: what its account has open, and whether one of them says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.canonical.party import Address
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.orders.changes import content_of
from crossdock.orders.checks import Checks, Others
from crossdock.orders.holds import NO_RELEASES, Release
from crossdock.orders.released import releases_of
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import load_queries
from crossdock.sdk.receiving import digest_of

SQL = load_queries(__package__, "others.sql")
_NONE = Decimal(0)
_Wish = tuple[str, str, str, str, tuple[OrderLine, ...], Address | None]


class Asking(Struct, frozen=True):
    """An order in our words, its account in place, and what it is checked for."""

    order: SalesOrder
    checks: Checks


class _Before(Struct, frozen=True):
    """The order as we have it."""

    customer: str
    currency: str
    total: Decimal
    version: int
    status: str
    content: int
    placed_at: datetime


class OtherOrders:
    """What other orders say of each of a batch, in its turn: an order that passed counts for those after it."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._owing: set[tuple[str, datetime]] = set()
        self._open: dict[tuple[str, datetime, str], Decimal] = {}
        self._before: dict[str, _Before] = {}
        self._released: dict[str, dict[str, Release]] = {}
        self._alike: dict[str, tuple[str, str]] = {}
        # Orders of this batch by what they say: when they were placed, key and number.
        self._taken: dict[int, list[tuple[datetime, str, str]]] = {}
        self._digests: dict[str, tuple[_Wish, int]] = {}
        # What orders of this batch add to what is open: when, and how much.
        self._moved: dict[tuple[str, str], list[tuple[datetime, Decimal]]] = {}

    async def read(self, conn: asyncpg.Connection, asking: Sequence[Asking]) -> None:
        """Read what is known; at most four indexed statements."""
        self._released = await releases_of(conn, [one.order.order_key for one in asking])
        for row in await conn.fetch(SQL.orders_before, [one.order.order_key for one in asking]):
            self._before[row["order_key"]] = _Before(
                row["customer_id"],
                row["currency"],
                row["total"],
                row["version"],
                row["status"],
                row["content"],
                row["placed_at"],
            )
        owing = sorted(
            {(one.order.customer.id, self._at - one.checks.credit) for one in asking if one.checks.credit is not None}
        )
        self._owing.update(owing)
        if owing:
            for row in await conn.fetch(SQL.open_totals, [one[0] for one in owing], [one[1] for one in owing]):
                self._open[row["customer_id"], row["since"], row["currency"]] = row["total"]
        looking = [
            (one.order, one.order.placed_at - one.checks.duplicates)
            for one in asking
            if one.checks.duplicates is not None
        ]
        if looking:
            rows = await conn.fetch(
                SQL.orders_alike,
                [self.likeness(order) for order, _ in looking],
                [order.order_key for order, _ in looking],
                [since for _, since in looking],
            )
            self._alike = {row["asking"]: (row["order_key"], row["number"]) for row in rows}

    def settled(self, order: SalesOrder) -> bool:
        """Whether there is nothing to check: we have a version of `order` (as it came, in our SKUs) that is as new, or
        one that asks for the same."""
        before = self._before.get(order.order_key)
        if before is None:
            return False
        same = before.status == order.status and before.content == content_of(order)
        return same or order.version <= before.version

    def released(self, order_key: str) -> Mapping[str, Release]:
        """What persons have released of an order, by mark."""
        return self._released.get(order_key, NO_RELEASES)

    def of(self, order: SalesOrder, checks: Checks) -> Others:
        """What others say of `order`; of credit nothing when nobody asked for what its account has open."""
        since = None if checks.credit is None else self._at - checks.credit
        asked = since is not None and (order.customer.id, since) in self._owing
        in_use = self._in_use(order, since) if since is not None and asked else None
        alike = None if checks.duplicates is None else self._alike_of(order, order.placed_at - checks.duplicates)
        return Others(open=in_use, alike=alike)

    def passed(self, order: SalesOrder, checks: Checks) -> None:
        """`order` is about to be accepted. It may still be stopped, when its goods have left: so what it frees beside
        its earlier version is free for the next batch only."""
        before = self._before.get(order.order_key)
        holder, at, grown = (order.customer.id, order.currency), order.placed_at, order.total.amount
        if before is not None:
            # Whatever a later version says, an order counts from when it was first placed.
            at = before.placed_at
            if before.status == "open" and (before.customer, before.currency) == holder:
                grown = max(grown - before.total, _NONE)
        self._moved.setdefault(holder, []).append((at, grown))
        if checks.duplicates is not None:
            taken = self._taken.setdefault(self.likeness(order), [])
            taken.append((at, order.order_key, order.number))

    def likeness(self, order: SalesOrder) -> int:
        """`likeness_of(order)`, which is made once of what is asked about at several steps."""
        wish = _wish(order)
        kept = self._digests.get(order.order_key)
        if kept is None or kept[0] != wish:
            kept = self._digests[order.order_key] = wish, likeness_of(order)
        return kept[1]

    def _alike_of(self, order: SalesOrder, since: datetime) -> tuple[str, str] | None:
        """Another order that says the same and was placed since: one that we have, else the first of this batch."""
        known = self._alike.get(order.order_key)
        if known is not None or not self._taken:
            return known
        taken = self._taken.get(self.likeness(order), ())
        return next(
            ((key, number) for at, key, number in taken if at >= since and key != order.order_key),
            None,
        )

    def _in_use(self, order: SalesOrder, since: datetime) -> Decimal:
        holder = (order.customer.id, order.currency)
        whole = self._open.get((order.customer.id, since, order.currency), _NONE)
        whole += sum((amount for at, amount in self._moved.get(holder, ()) if at >= since), _NONE)
        before = self._before.get(order.order_key)
        if before is None or before.status != "open" or (before.customer, before.currency) != holder:
            return whole
        return whole - before.total if before.placed_at >= since else whole


async def read_others(conn: asyncpg.Connection, asking: Sequence[Asking], *, lock: bool) -> OtherOrders:
    """What is known of other orders for these; nothing is read when nobody asks.

    `lock`: until the transaction ends nobody else decides on orders of these accounts, so that two orders cannot both
    use what is left of a limit. Call it before anything else is locked.
    """
    found = OtherOrders(now())
    if asking:
        customers = sorted({one.order.customer.id for one in asking if one.checks.ask_others})
        if lock and customers:
            await conn.execute(SQL.lock_accounts, customers)
        await found.read(conn, asking)
    return found


def _wish(order: SalesOrder) -> _Wish:
    buyer = order.customer
    return buyer.id, buyer.email.casefold(), order.po_number, order.currency, order.lines, order.ship_to


def likeness_of(order: SalesOrder) -> int:
    """A digest of what makes two orders the same wish: who orders, the PO number, what, at which price, where to."""
    account, email, po_number, currency, lines, ship_to = _wish(order)
    asked = sorted((line.sku, line.quantity.unit, line.quantity.value, line.total.amount) for line in lines)
    shown = [(sku, unit, f"{value.normalize():f}", f"{total.normalize():f}") for sku, unit, value, total in asked]
    return digest_of(encode((account, email, po_number, currency, shown, ship_to)))
