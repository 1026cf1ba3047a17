# SPDX-License-Identifier: Apache-2.0
"""Follow the life of orders: after something of one has changed, read what is known and tell if its state moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.objects import encode
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.journal.decided import NewEvent
from crossdock.orders.life import Facts, state_of
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "life.sql")

_ENCODER = msgspec.json.Encoder()
_FACTS = Facts.__struct_fields__


class OrderMoved(Struct, frozen=True, kw_only=True):
    """An order went from one state to another. `sequence` grows with each of its moves; `version`: of its source."""

    order_key: str
    number: str
    channel: str
    entity: str
    version: int
    before: str
    state: str
    sequence: int

    @property
    def event(self) -> NewEvent:
        """The event that tells it."""
        return NewEvent(type="sales_order.state_changed", data=encode(self), key=f"order/{self.order_key}")


class Begun(Struct, frozen=True):
    """An order that begins, or asks its ERP for something else now: in which state, by which document."""

    order: SalesOrder
    state: str
    document_id: int


async def begin(conn: asyncpg.Connection, orders: Sequence[Begun]) -> None:
    """Let orders begin to live; of those that do already, only document and lines are written. Each key comes
    once, sorted."""
    if orders:
        await conn.execute(
            SQL.begin_lives,
            [one.order.order_key for one in orders],
            [one.state for one in orders],
            [one.document_id for one in orders],
            [_ENCODER.encode({line.line: _ordered(line) for line in one.order.lines}) for one in orders],
        )


def _ordered(line: OrderLine) -> tuple[str, str, str]:
    return line.sku, f"{line.quantity.value:f}", line.quantity.unit


async def follow(conn: asyncpg.Connection, order_keys: Iterable[str]) -> list[OrderMoved]:
    """Bring the states of these orders up to date, in the caller's transaction; which ones moved, by key.

    Call it last: orders are locked in key order, after documents, levels and fulfillment orders. Keys without an order
    are passed over.
    """
    keys = sorted(set(order_keys))
    if not keys:
        return []
    before = {row["order_key"]: row for row in await conn.fetch(SQL.lock_lives, keys)}
    moved = [
        OrderMoved(
            order_key=row["order_key"],
            number=row["number"],
            channel=row["channel"],
            entity=row["entity"],
            version=row["version"],
            before=was["state"],
            state=state,
            sequence=was["sequence"] + 1,
        )
        for row in (await conn.fetch(SQL.life_facts, list(before)) if before else ())
        for was in [before[row["order_key"]]]
        for state in [state_of(facts_in(row))]
        if state != was["state"]
    ]
    if moved:
        await conn.execute(SQL.move_lives, [one.order_key for one in moved], [one.state for one in moved])
    return moved


def facts_in(row: asyncpg.Record) -> Facts:
    """The facts in a row of `life_facts`."""
    return Facts(**{name: row[name] for name in _FACTS})
