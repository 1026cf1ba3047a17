# SPDX-License-Identifier: Apache-2.0
"""Tally what was billed and paid of orders: the invoices and payments that hold, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import asyncpg
import msgspec
from msgspec import Struct

from crossdock.billing.check import ZERO, Billed, quantities_of
from crossdock.billing.known import SQL
from crossdock.canonical.billing import Invoice, Payment

_LINES = msgspec.json.Decoder(dict[str, Decimal])


class Stands(Struct, frozen=True, kw_only=True):
    """An invoice, credit memo, payment or refund as it counts: `kind` is which; `lines`: order line → quantity."""

    order_key: str
    kind: str
    holds: bool
    version: int
    amount: Decimal
    lines: Mapping[str, Decimal] = msgspec.field(default_factory=dict)


_AMOUNTS = {"invoice": "invoiced", "credit_memo": "credited", "payment": "paid", "refund": "refunded"}


def billed_of(order_key: str, standing: Mapping[str, Stands], *, without: str) -> Billed:
    """What `standing` (by its key) comes to for an order, without the document called `without`."""
    billed = Billed(lines={})
    for key, one in standing.items():
        if key == without or not one.holds or one.order_key != order_key:
            continue
        name = _AMOUNTS[one.kind]
        setattr(billed, name, getattr(billed, name) + one.amount)
        if one.kind == "invoice":
            for line, quantity in one.lines.items():
                billed.lines[line] = billed.lines.get(line, ZERO) + quantity
    return billed


def invoice_stands(invoice: Invoice, order_key: str) -> Stands:
    """How an invoice counts."""
    return Stands(
        order_key=order_key,
        kind=invoice.kind,
        holds=invoice.status == "open",
        version=invoice.version,
        amount=invoice.total.amount,
        lines=quantities_of(invoice),
    )


def payment_stands(payment: Payment, order_key: str) -> Stands:
    """How a payment counts."""
    return Stands(
        order_key=order_key,
        kind=payment.kind,
        holds=payment.status == "settled",
        version=payment.version,
        amount=payment.amount.amount,
    )


async def invoices_of(conn: asyncpg.Connection, order_keys: Sequence[str], keys: Iterable[str]) -> dict[str, Stands]:
    """The invoices of these orders, and those called `keys` wherever they belong, by key."""
    return {
        row["invoice_key"]: Stands(
            order_key=row["order_key"],
            kind=row["kind"],
            holds=row["state"] == "open",
            version=row["version"],
            amount=row["total"],
            lines=_LINES.decode(row["lines"]),
        )
        for row in await conn.fetch(SQL.invoices_of, order_keys, sorted(set(keys)))
    }


async def payments_of(conn: asyncpg.Connection, order_keys: Sequence[str], keys: Iterable[str]) -> dict[str, Stands]:
    """The payments of these orders, and those called `keys` wherever they belong, by key."""
    return {
        row["payment_key"]: Stands(
            order_key=row["order_key"],
            kind=row["kind"],
            holds=row["state"] == "settled",
            version=row["version"],
            amount=row["amount"],
        )
        for row in await conn.fetch(SQL.payments_of, order_keys, sorted(set(keys)))
    }
