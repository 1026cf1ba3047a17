# SPDX-License-Identifier: Apache-2.0
"""How far an order's lines and money are: what warehouses were asked, what left, what was invoiced and paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder
from crossdock.orders.life import NONE, LineFacts, line_state_of

# Where a measured unit does not come out even.
_FINEST = Decimal("0.000001")


class LineProgress(Struct, frozen=True, kw_only=True):
    """How far a line is, in the order's unit. `state`: open, allocated, partly_shipped, shipped, returned, service (no
    goods) or cancelled."""

    line: str
    sku: str
    state: str
    ordered: Decimal
    asked: Decimal
    shipped: Decimal
    invoiced: Decimal
    returned: Decimal = NONE


class OrderReturn(Struct, frozen=True, kw_only=True):
    """A return of goods of the order: how far it is, and what was given back for it so far, a fee taken off."""

    return_key: str
    number: str
    state: str
    refund: Decimal
    fee: Decimal


class OrderInvoice(Struct, frozen=True, kw_only=True):
    """An invoice, or a credit memo. `state` void: it does not hold any more."""

    invoice_key: str
    number: str
    kind: str
    state: str
    total: Decimal
    issued_at: datetime
    due_on: date | None


class OrderPayment(Struct, frozen=True, kw_only=True):
    """A payment, or a refund. `state` reversed: it was taken back."""

    payment_key: str
    kind: str
    state: str
    amount: Decimal
    method: str
    paid_at: datetime


class OrderMoney(Struct, frozen=True, kw_only=True):
    """What the invoices and payments that hold come to, in the order's currency. `due`: invoiced, not credited and not
    paid; negative when more was paid."""

    invoiced: Decimal
    credited: Decimal
    paid: Decimal
    refunded: Decimal
    due: Decimal


class _AskedLine(Struct, frozen=True):
    """A line of a fulfillment order; `of_order`: what of the order's line it is, when that has another unit."""

    sku: str
    ordered: Decimal
    shipped: Decimal
    of_order: Quantity | None = None

    def in_order(self, quantity: Decimal) -> Decimal:
        """`quantity` of its goods in the order's unit."""
        if self.of_order is None or not self.ordered:
            return quantity
        return (self.of_order.value * quantity / self.ordered).quantize(_FINEST).normalize()


_ASKED = msgspec.json.Decoder(dict[str, _AskedLine])
_BILLED = msgspec.json.Decoder(dict[str, Decimal])


class _BackLine(Struct, frozen=True):
    """A line of a return: how much of it has come back, in the unit its goods are kept in."""

    received: Decimal


_BACK = msgspec.json.Decoder(dict[str, _BackLine])


def line_progress(
    order: SalesOrder,
    fulfillments: Sequence[asyncpg.Record],
    invoices: Sequence[asyncpg.Record],
    returns: Sequence[asyncpg.Record] = (),
) -> tuple[LineProgress, ...]:
    """How far each line of `order` is, from its fulfillment orders, invoices and returns."""
    asked: dict[str, Decimal] = {}
    shipped: dict[str, Decimal] = {}
    invoiced: dict[str, Decimal] = {}
    for row in fulfillments:
        for line, kept in _ASKED.decode(row["lines"]).items():
            # Of one that was cancelled only what had left counts.
            still = kept.ordered if row["state"] != "cancelled" else kept.shipped
            asked[line] = asked.get(line, NONE) + kept.in_order(still)
            shipped[line] = shipped.get(line, NONE) + kept.in_order(kept.shipped)
    for row in invoices:
        if row["kind"] == "invoice" and row["state"] == "open":
            for line, quantity in _BILLED.decode(row["lines"]).items():
                invoiced[line] = invoiced.get(line, NONE) + quantity
    returned = _returned(fulfillments, returns)
    known = bool(fulfillments)
    return tuple(
        LineProgress(
            line=line.line,
            sku=line.sku,
            state=line_state_of(facts, open=order.status == "open"),
            ordered=facts.ordered,
            asked=facts.asked,
            shipped=facts.shipped,
            invoiced=facts.invoiced,
            returned=facts.returned,
        )
        for line in order.lines
        for facts in [
            LineFacts(
                ordered=line.quantity.value,
                goods=not known or line.line in asked,
                asked=asked.get(line.line, NONE),
                shipped=shipped.get(line.line, NONE),
                invoiced=invoiced.get(line.line, NONE),
                returned=returned.get(line.line, NONE),
            )
        ]
    )


def _returned(fulfillments: Sequence[asyncpg.Record], returns: Sequence[asyncpg.Record]) -> dict[str, Decimal]:
    """How much of each line has come back, in the order's unit."""
    back: dict[str, Decimal] = {}
    for row in returns:
        for line, one in _BACK.decode(row["lines"]).items():
            back[line] = back.get(line, NONE) + one.received
    # Any fulfillment order of a line says how its goods count in the order's unit.
    counted = {line: kept for row in fulfillments for line, kept in _ASKED.decode(row["lines"]).items()} if back else {}
    return {line: counted[line].in_order(value) if line in counted else value for line, value in back.items()}


def money_of(invoices: Sequence[OrderInvoice], payments: Sequence[OrderPayment]) -> OrderMoney:
    """What invoices and payments come to."""
    sums = dict.fromkeys(("invoice", "credit_memo", "payment", "refund"), NONE)
    for invoice in invoices:
        if invoice.state == "open":
            sums[invoice.kind] += invoice.total
    for payment in payments:
        if payment.state == "settled":
            sums[payment.kind] += payment.amount
    return OrderMoney(
        invoiced=sums["invoice"],
        credited=sums["credit_memo"],
        paid=sums["payment"],
        refunded=sums["refund"],
        due=sums["invoice"] - sums["credit_memo"] - sums["payment"] + sums["refund"],
    )
