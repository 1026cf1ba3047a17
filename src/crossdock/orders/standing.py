# SPDX-License-Identifier: Apache-2.0
"""An order as it stands: what was ordered, how far it is, what was asked of warehouses and what has left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.objects import decode
from crossdock.canonical.party import Address, Party
from crossdock.canonical.sales_order import Charge, OrderLine, SalesOrder
from crossdock.errors import Refused
from crossdock.orders.held import noted
from crossdock.orders.life import STATES as LIFE
from crossdock.orders.placed import CANCEL_TOPIC, SQL, interface_of
from crossdock.orders.progress import (
    LineProgress,
    OrderInvoice,
    OrderMoney,
    OrderPayment,
    OrderReturn,
    line_progress,
    money_of,
)

MOST = 200
"""The most fulfillments, shipments, deliveries and problems that are told of one order."""
_SHOWN = 10
_GONE = ("partly_shipped", "shipped")
# States in which what keeps the order is told instead; goods that left are never hidden by it.
_EARLY = ("accepted", "acknowledged", "allocated")

STATES = {
    "received": "kept, and about to be decided on",
    "held": "somebody has to mend it: `problems` says what",
    "rejected": "given up with a reason, before it went anywhere",
    "cancelling": "a cancellation waits to be decided on",
    **{name: state.means for name, state in reversed(list(LIFE.items()))},
}
"""What an order may be, and what that means."""


class ShippedLine(Struct, frozen=True):
    """How much of a line a warehouse was asked for, and how much of that has left, in the unit goods are kept in."""

    line: str
    sku: str
    ordered: Decimal
    shipped: Decimal


class OrderFulfillment(Struct, frozen=True, kw_only=True):
    """What a location was asked to ship. `state`: open, partly_shipped, shipped or cancelled."""

    reference: str
    location: str
    state: str
    lines: tuple[ShippedLine, ...]


class OrderShipment(Struct, frozen=True, kw_only=True):
    """What has left."""

    shipment: str
    fulfillment: str
    location: str
    carrier: str
    tracking: list[str]
    shipped_at: datetime


class OrderDelivery(Struct, frozen=True, kw_only=True):
    """Whom the order was to be told, and how far that is: due, case (a person looks at it), delivered or cancelled.

    `reference`: what that system calls it.
    """

    system: str
    operation: str
    state: str
    reference: str
    settled_at: datetime | None


class OrderProblem(Struct, frozen=True, kw_only=True):
    """What keeps an order: the rule it broke and where, and how to mend it; until when somebody will have."""

    rule: str
    field: str
    reason: str
    fix: str
    deadline: datetime | None


class OrderView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order and how far it is. `version` grows with every change; `entity`: the company that sells. `since` when it
    is in its state, after how many `moves`; `progress`: how far each line is."""

    id: str
    order_key: str
    channel: str
    number: str
    state: str
    since: datetime
    moves: int = 0
    version: int
    placed_at: datetime
    changed_at: datetime
    entity: str
    currency: str
    customer: Party
    po_number: str
    ship_to: Address | None
    bill_to: Address | None = None
    lines: tuple[OrderLine, ...]
    progress: tuple[LineProgress, ...]
    money: OrderMoney
    charges: tuple[Charge, ...] = ()
    tax: Decimal | None = None
    taxes_included: bool = False
    total: Decimal
    note: str = ""
    problems: tuple[OrderProblem, ...] = ()
    fulfillments: tuple[OrderFulfillment, ...] = ()
    shipments: tuple[OrderShipment, ...] = ()
    deliveries: tuple[OrderDelivery, ...] = ()
    invoices: tuple[OrderInvoice, ...] = ()
    payments: tuple[OrderPayment, ...] = ()
    returns: tuple[OrderReturn, ...] = ()


class Standing(Struct, frozen=True):
    """An order with what is needed to change it. `known`: it was decided on; `gone`: some of it has left."""

    order: SalesOrder
    view: OrderView
    known: bool
    gone: bool


class _Waiting(Struct, frozen=True):
    """What there is of an order besides its form: the state of its life when it was decided on (`known`), else of its
    document; since when it is in it, and how many states it went through."""

    state: str
    changed_at: datetime
    known: bool
    since: datetime
    moves: int = 0


Sees = Callable[[SalesOrder, bool], bool]
"""Whether an order, which was decided on or not, is the caller's."""


async def standing(conn: asyncpg.Connection, name: str, channels: Sequence[str], sees: Sees) -> Standing:
    """The order called `name`: an id of the API, which is looked for on `channels`, or an order key.

    Refused 404 when there is none that `sees` lets through, 409 when an id names orders of several channels.
    """
    keys = [name] if "/" in name else [f"{channel}/{name}" for channel in channels]
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        rows = await conn.fetch(SQL.order_as_it_stands, keys)
        if rows:
            waiting = [
                _Waiting(row["state"], row["changed_at"], known=True, since=row["since"], moves=row["sequence"])
                for row in rows
            ]
        else:
            faces = [interface_of(channel) for channel in channels]
            rows = await conn.fetch(SQL.order_that_waits, [f"order/{key}" for key in keys], faces)
            waiting = [
                _Waiting(row["state"], row["received_at"], known=False, since=row["received_at"]) for row in rows
            ]
        orders: list[SalesOrder] = [decode("sales_order", row["body"]) for row in rows]
        seen = [(one, found) for one, found in zip(orders, waiting, strict=True) if sees(one, found.known)]
        if not seen:
            raise no_such_order(name)
        if len(seen) > 1:
            raise _ambiguous(name, [one.order_key for one, _ in seen])
        return await _assemble(conn, *seen[0])


def _ambiguous(name: str, keys: Sequence[str]) -> Refused:
    return Refused(
        f"{len(keys)} orders have the id {name[:100]!r}: {', '.join(sorted(keys)[:_SHOWN])}",
        status=409,
        rule="order.ambiguous",
        fix="use its order key, CHANNEL/ID",
    )


def no_such_order(name: str) -> Refused:
    """There is no order of this id."""
    return Refused(
        f"there is no order {name[:100]!r}",
        status=404,
        rule="order.unknown",
        fix="use the id that the order was answered with, or its order key, CHANNEL/ID",
    )


async def _assemble(conn: asyncpg.Connection, order: SalesOrder, found: _Waiting) -> Standing:
    key = f"order/{order.order_key}"
    asked: list[asyncpg.Record] = []
    shipped: list[asyncpg.Record] = []
    billed: list[asyncpg.Record] = []
    paid: list[asyncpg.Record] = []
    back: list[asyncpg.Record] = []
    if found.known:
        # Before an order was decided on no warehouse was asked for anything, and nothing was invoiced.
        asked = await conn.fetch(SQL.fulfillments_of, order.order_key, MOST)
        shipped = await conn.fetch(SQL.shipments_of, order.order_key, MOST)
        billed = await conn.fetch(SQL.invoices_of, order.order_key, MOST)
        paid = await conn.fetch(SQL.payments_of, order.order_key, MOST)
        back = await conn.fetch(SQL.returns_of, order.order_key, MOST)
    fulfillments = tuple(_fulfillment(row) for row in asked)
    invoices = tuple(_invoice(row) for row in billed)
    payments = tuple(OrderPayment(**row) for row in paid)
    deliveries = tuple(OrderDelivery(**row) for row in reversed(await conn.fetch(SQL.deliveries_of, key, MOST)))
    problems = tuple(_problem(row) for row in await conn.fetch(SQL.problems_of, key, MOST))
    faces = [interface_of(order.channel)]
    cancelling = await conn.fetchval(SQL.cancellation_under_way, key, CANCEL_TOPIC, faces)
    view = OrderView(
        id=order.order_key.partition("/")[2],
        order_key=order.order_key,
        channel=order.channel,
        number=order.number,
        state=_state(found, cancelling, problems),
        since=found.since,
        moves=found.moves,
        version=order.version,
        placed_at=order.placed_at,
        changed_at=found.changed_at,
        entity=order.entity,
        currency=order.currency,
        customer=order.customer,
        po_number=order.po_number,
        ship_to=order.ship_to,
        bill_to=order.bill_to,
        lines=order.lines,
        charges=order.charges,
        tax=None if order.tax is None else order.tax.amount,
        taxes_included=order.taxes_included,
        total=order.total.amount,
        note=order.note,
        problems=problems,
        fulfillments=fulfillments,
        shipments=tuple(OrderShipment(**row) for row in shipped),
        deliveries=deliveries,
        progress=line_progress(order, asked, billed, back),
        returns=tuple(_return(row) for row in back),
        invoices=invoices,
        payments=payments,
        money=money_of(invoices, payments),
    )
    return Standing(order, view, found.known, any(one.state in _GONE for one in fulfillments))


def _return(row: asyncpg.Record) -> OrderReturn:
    return OrderReturn(**{name: row[name] for name in OrderReturn.__struct_fields__})


def _state(found: _Waiting, cancelling: bool, problems: Sequence[OrderProblem]) -> str:
    """How far the order is, a key of STATES."""
    if cancelling and found.state != "cancelled":
        return "cancelling"
    if not found.known:
        return {"case": "held", "rejected": "rejected"}.get(found.state, "received")
    return "held" if problems and found.state in _EARLY else found.state


def _problem(row: asyncpg.Record) -> OrderProblem:
    said = dict(row)
    if any(one.hold == "fraud" for one in noted(said.pop("failures"))):
        # Whoever placed it is not told how to get by unsuspected.
        reason = "the order is looked at by a person"
        return OrderProblem(rule="order.held", field="", reason=reason, fix="wait", deadline=said["deadline"])
    return OrderProblem(**said)


def _invoice(row: asyncpg.Record) -> OrderInvoice:
    return OrderInvoice(**{name: row[name] for name in OrderInvoice.__struct_fields__})


def _lines(column: str) -> tuple[ShippedLine, ...]:
    kept = msgspec.json.decode(column, type=dict[str, _KeptLine])
    return tuple(ShippedLine(line, one.sku, one.ordered, one.shipped) for line, one in kept.items())


class _KeptLine(Struct, frozen=True):
    sku: str
    ordered: Decimal
    shipped: Decimal


def _fulfillment(row: asyncpg.Record) -> OrderFulfillment:
    return OrderFulfillment(**{**row, "lines": _lines(row["lines"])})
