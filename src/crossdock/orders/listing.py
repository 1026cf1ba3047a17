# SPDX-License-Identifier: Apache-2.0
"""List orders, newest first: of a customer, of a purchase order, of a SKU, or all; a page at a time."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "listing.sql")
MOST = 200
"""The most orders on a page."""
LOOKED_AT = 2_000
"""The most orders that are looked at for a page: one may be short, or empty, and not the last."""
FEW_CUSTOMERS = 20
"""For so many accounts the newest orders of each are read; for more, the newest of all."""
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


class Wanted(Struct, frozen=True, kw_only=True):
    """Which orders: each given condition must hold. `customer`: our account; `channels`, `customers`: what the caller
    may see, None = all. `limit` orders at most, after `cursor`, "" = from the newest."""

    customer: str = ""
    po_number: str = ""
    sku: str = ""
    state: str = ""
    channels: Collection[str] | None = None
    customers: Collection[str] | None = None
    limit: int = 50
    cursor: str = ""


class OrderSummary(Struct, frozen=True, kw_only=True):
    """An order in a list. `state`: as far as it is; reading the order itself says what keeps it."""

    id: str
    order_key: str
    channel: str
    number: str
    state: str
    customer: str
    po_number: str
    version: int
    currency: str
    total: Decimal
    placed_at: datetime
    changed_at: datetime


class OrderPage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Orders, newest first. `next`: the cursor of the page behind it; left out on the last one."""

    items: tuple[OrderSummary, ...]
    next: str = ""


async def list_orders(conn: asyncpg.Connection, wanted: Wanted) -> OrderPage:
    """A page of orders that were decided on. Refused when the cursor is none of ours."""
    before, key = _place(wanted.cursor)
    channels = None if wanted.channels is None else sorted(wanted.channels)
    customers = _customers(wanted)
    given = (before, key, wanted.state or None, wanted.limit + 1, LOOKED_AT, channels, customers)
    if wanted.po_number:
        rows = await conn.fetch(SQL.orders_of_po, *given, wanted.po_number, wanted.sku or None)
    elif wanted.sku:
        rows = await conn.fetch(SQL.orders_of_sku, *given, wanted.sku)
    elif customers is not None and len(customers) <= FEW_CUSTOMERS:
        rows = await conn.fetch(SQL.orders_of_customers, *given)
    else:
        rows = await conn.fetch(SQL.newest_orders, *given)
    return _page(rows, wanted.limit)


def _customers(wanted: Wanted) -> list[str] | None:
    """The accounts asked about, as far as the caller may see them; None: all."""
    if not wanted.customer:
        return None if wanted.customers is None else sorted(wanted.customers)
    return [wanted.customer] if wanted.customers is None or wanted.customer in wanted.customers else []


def _page(rows: list[asyncpg.Record], limit: int) -> OrderPage:
    """What is told of the rows: those that match, and where the next page begins."""
    found = [row for row in rows if row["matches"]]
    if len(found) > limit:
        last = found[limit - 1]
    elif rows and rows[-1]["place"] == LOOKED_AT:
        last = rows[-1]
    else:
        last = None
    return OrderPage(
        items=tuple(_summary(row) for row in found[:limit]),
        next="" if last is None else _cursor(last["placed_at"], last["order_key"]),
    )


def _summary(row: asyncpg.Record) -> OrderSummary:
    return OrderSummary(
        id=row["order_key"].partition("/")[2],
        order_key=row["order_key"],
        channel=row["channel"],
        number=row["number"],
        state=row["state"],
        customer=row["customer_id"],
        po_number=row["po_number"],
        version=row["version"],
        currency=row["currency"],
        total=row["total"],
        placed_at=row["placed_at"],
        changed_at=row["changed_at"],
    )


class _Place(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    placed_at: datetime
    order_key: str


def _cursor(placed_at: datetime, order_key: str) -> str:
    return urlsafe_b64encode(msgspec.json.encode(_Place(placed_at, order_key))).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, str]:
    """The place in the list behind which a page begins."""
    if not cursor:
        return _LAST, ""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = msgspec.json.decode(urlsafe_b64decode(padded), type=_Place)
        if place.placed_at.tzinfo is None or not 2000 <= place.placed_at.year < 9999 or "\x00" in place.order_key:
            raise ValueError("no place of a list")
    except (ValueError, msgspec.DecodeError) as error:
        raise Refused(
            "the cursor is none that was given out",
            field="cursor",
            rule="cursor",
            fix="put `next` of the page before, or leave it out to begin with the newest",
        ) from error
    return place.placed_at, place.order_key
