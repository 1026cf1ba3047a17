# SPDX-License-Identifier: Apache-2.0
"""Plan fulfillment (Splitter): one fulfillment order per location; a changed order's open ones are replaced.

A warehouse is asked for goods in the unit they are kept in, whatever unit they were ordered in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
from msgspec import Struct

from crossdock.canonical.fulfillment import FulfillmentLine, FulfillmentOrder
from crossdock.canonical.handed import HANDED
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import NeedsEdit
from crossdock.fulfillment.lines import lines_of
from crossdock.journal.decided import NewDelivery, Split
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)


class Wanted(Struct, frozen=True, kw_only=True):
    """What an accepted order needs. `splits` empty = nothing is to be shipped any more; `known`: it was here before;
    `beside`: its open fulfillment orders stay, this is shipped besides."""

    document_id: int
    order: SalesOrder
    splits: tuple[Split, ...]
    known: bool
    beside: bool = False


class Plan(Struct, frozen=True):
    """What the warehouses are owed for an order. `references`: location → the fulfillment order made for it; `made`:
    those orders; `cancelled`: references of those that it had and are taken back."""

    deliveries: list[NewDelivery]
    references: dict[str, str]
    made: tuple[FulfillmentOrder, ...] = ()
    cancelled: tuple[str, ...] = ()


class _New(Struct, frozen=True):
    """A fulfillment order that is new. `of_order`: order line → how much of it this is, in the order's unit."""

    document_id: int
    order: FulfillmentOrder
    of_order: Mapping[str, Quantity]


async def left_already(conn: asyncpg.Connection, order_keys: Sequence[str]) -> dict[str, NeedsEdit]:
    """Of these orders, those of which goods have left: what to tell the person who wants to change or cancel them."""
    found: dict[str, list[str]] = {}
    for row in await conn.fetch(SQL.left_already, sorted(order_keys)):
        found.setdefault(row["order_key"], []).append(row["reference"])
    return {key: _too_late(key, references) for key, references in found.items()}


async def plan(
    conn: asyncpg.Connection,
    batch: Sequence[Wanted],
    system_of: dict[str, str],
    products: Mapping[str, ProductFacts],
) -> list[Plan]:
    """What the warehouses are owed for each order, in the same order.

    `system_of`: location → system. An order that was known has its open fulfillment orders cancelled first; the system
    sees the cancellation before the new ones, because deliveries of one key go in order. Goods of none have left
    (`left_already`).
    """
    known = [w.order.order_key for w in batch if w.known]
    before: dict[str, list[asyncpg.Record]] = {}
    for row in await conn.fetch(SQL.fulfillment_orders_of, known) if known else ():
        before.setdefault(row["order_key"], []).append(row)
    plans: list[Plan] = []
    new: list[_New] = []
    cancelled: list[asyncpg.Record] = []
    for wanted in batch:
        rows = before.get(wanted.order.order_key, [])
        open_rows = [row for row in rows if row["state"] == "open" and not wanted.beside]
        made = [
            _fulfillment_order(wanted, split, number, products)
            for number, split in enumerate(wanted.splits, len(rows) + 1)
        ]
        cancelled += open_rows
        new += made
        plans.append(
            Plan(
                [_cancel(row, system_of) for row in open_rows]
                + [_ask(one.order, split) for one, split in zip(made, wanted.splits, strict=True)],
                {one.order.location: one.order.reference for one in made},
                tuple(one.order for one in made),
                tuple(row["reference"] for row in open_rows),
            )
        )
    await _write(conn, new, cancelled)
    return plans


async def _write(conn: asyncpg.Connection, new: list[_New], cancelled: list[asyncpg.Record]) -> None:
    if cancelled:
        await conn.execute(
            SQL.update_fulfillment_orders,
            [row["reference"] for row in cancelled],
            ["cancelled"] * len(cancelled),
            [row["lines"] for row in cancelled],
        )
    if new:
        await conn.copy_records_to_table(
            "fulfillment_order",
            records=[
                (
                    one.order.reference,
                    one.order.order_key,
                    one.order.location,
                    one.document_id,
                    lines_of(one.order, one.of_order),
                )
                for one in new
            ],
            columns=("reference", "order_key", "location", "document_id", "lines"),
        )


def _too_late(order_key: str, references: list[str]) -> NeedsEdit:
    shown = ", ".join(references)
    return NeedsEdit(
        f"order {order_key} changed or was cancelled after goods had left ({shown})",
        field="lines",
        rule="fulfillment.not_shipped",
        value=shown,
        fix="agree with the customer (return or second order), then dismiss this case with the reason",
    )


def _fulfillment_order(wanted: Wanted, split: Split, number: int, products: Mapping[str, ProductFacts]) -> _New:
    order = wanted.order
    if order.ship_to is None:
        raise NeedsEdit("there is no address to ship to", field="ship_to", rule="order.ship_to", fix="add the address")
    lines: list[FulfillmentLine] = []
    of_order: dict[str, Quantity] = {}
    for place, index in enumerate(split.lines):
        line = order.lines[index]
        whole = _kept(line, products)
        quantity = split.quantities[place] if split.quantities else whole
        lines.append(FulfillmentLine(line=line.line, sku=line.sku, quantity=quantity))
        of_order[line.line] = (
            quantity
            if quantity.unit == line.quantity.unit
            else Quantity(line.quantity.value * quantity.value / whole.value, line.quantity.unit)
        )
    made = FulfillmentOrder(
        reference=f"{order.order_key}#{number}",
        order_key=order.order_key,
        order_number=order.number,
        location=split.location,
        ship_to=order.ship_to,
        service=order.service,
        lines=tuple(lines),
    )
    return _New(wanted.document_id, made, of_order)


def _kept(line: OrderLine, products: Mapping[str, ProductFacts]) -> Quantity:
    """The line in the unit its goods are kept in; in its own where the catalog does not say what that one holds."""
    product = products.get(line.sku)
    return (product.kept(line.quantity) if product is not None else None) or line.quantity


def _ask(order: FulfillmentOrder, split: Split) -> NewDelivery:
    return NewDelivery(
        system=split.system,
        operation="fulfillment_order",
        object="fulfillment_order",
        reference=order.reference,
        body=HANDED.encode(order),
    )


def _cancel(row: asyncpg.Record, system_of: dict[str, str]) -> NewDelivery:
    return NewDelivery(
        system=system_of[row["location"]],
        operation="fulfillment_cancel",
        object="sales_order",
        reference=row["reference"],
    )
