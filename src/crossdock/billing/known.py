# SPDX-License-Identifier: Apache-2.0
"""The orders that invoices and payments name: found by key or by number, locked, with what they came to so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.errors import CrossdockError, NeedsEdit, RetryLater
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)

_WAIT_FOR_ORDER = 5
_COLUMNS = ("order_key", "number", "channel", "entity", "currency", "total", "erp")
_SHOWN = 5


class OrderedLine(Struct, frozen=True, array_like=True):
    """What a line orders."""

    sku: str
    quantity: Decimal
    unit: str


class BilledOrder(Struct, frozen=True, kw_only=True):
    """An order as billing sees it. `lines`: what its newest version orders, by line."""

    order_key: str
    number: str
    channel: str
    entity: str
    currency: str
    total: Decimal
    erp: str
    lines: Mapping[str, OrderedLine]


_LINES = msgspec.json.Decoder(dict[str, OrderedLine])


async def orders_named(conn: asyncpg.Connection, names: Iterable[str]) -> Mapping[str, list[BilledOrder]]:
    """The orders that each name (an order key, an order's number, what its ERP calls it) means, locked in key order
    until the transaction ends. A name without an order is not in the mapping."""
    asked = sorted(set(names))
    rows = await conn.fetch(SQL.orders_named, asked)
    keys = sorted({row["order_key"] for row in rows})
    lines = {row["order_key"]: _LINES.decode(row["lines"]) for row in await conn.fetch(SQL.lock_orders, keys)}
    found: dict[str, dict[str, BilledOrder]] = {}
    for row in rows:
        order = BilledOrder(lines=lines.get(row["order_key"], {}), **{name: row[name] for name in _COLUMNS})
        found.setdefault(row["name"], {})[order.order_key] = order
    return {name: list(orders.values()) for name, orders in found.items()}


def the_order(
    name: str, orders: Mapping[str, list[BilledOrder]], attempts: int, of: str
) -> BilledOrder | CrossdockError:
    """The one order that `name` means; of a document `of` (invoice, payment) that was tried `attempts` times.

    One that is not there may have been overtaken, so it is waited for a few times before it is a case.
    """
    found = orders.get(name, [])
    if len(found) == 1:
        return found[0]
    rule = f"{of}.order_known"
    if not found:
        if attempts < _WAIT_FOR_ORDER:
            return RetryLater(f"order {name} is not here yet", rule=rule)
        return NeedsEdit(
            f"no order is called {name}",
            field="order",
            rule=rule,
            value=name,
            fix="put the order's key, CHANNEL/ID, or dismiss it if the order did not come through here",
        )
    keys = ", ".join(sorted(one.order_key for one in found)[:_SHOWN])
    return NeedsEdit(
        f"{len(found)} orders are called {name}: {keys}",
        field="order",
        rule=f"{of}.order_one",
        value=name,
        fix="put the key of the one that is meant",
    )
