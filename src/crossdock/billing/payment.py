# SPDX-License-Identifier: Apache-2.0
"""Take payments and refunds in: they find their order, count once per version, and are told to who must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from crossdock.billing.check import check_payment
from crossdock.billing.known import SQL, BilledOrder, orders_named
from crossdock.billing.take import Desk, Taken, take
from crossdock.billing.tally import Stands, billed_of, payment_stands, payments_of
from crossdock.billing.told import Listeners
from crossdock.canonical.billing import Payment
from crossdock.errors import NeedsEdit
from crossdock.journal.decided import Decided, Translated


async def take_payments(
    conn: asyncpg.Connection, batch: Sequence[Translated], listeners: Listeners, source_of: Mapping[str, str]
) -> list[Decided]:
    """Decide on payments, in the same order, as `take_invoices` does. An order may be paid before it is invoiced, and
    more than it came to; what is given back is never more than was paid."""
    orders = await orders_named(conn, (item.document.order for item in batch))
    keys = sorted({one.order_key for found in orders.values() for one in found})
    standing = await payments_of(conn, keys, (item.document.payment_key for item in batch))
    desk = Desk(
        of="payment", orders=orders, standing=standing, check=_check, stands=payment_stands, listeners=listeners
    )
    decisions, taken = take(desk, batch, source_of)
    await _write(conn, taken)
    return decisions


def _check(payment: Payment, order: BilledOrder, standing: Mapping[str, Stands]) -> list[NeedsEdit]:
    return check_payment(payment, order, billed_of(order.order_key, standing, without=payment.payment_key))


async def _write(conn: asyncpg.Connection, taken: Sequence[Taken]) -> None:
    if not taken:
        return
    payments: list[Payment] = [one.item.document for one in taken]
    await conn.execute(
        SQL.upsert_payments,
        [one.payment_key for one in payments],
        [one.kind for one in payments],
        [one.order.order_key for one in taken],
        [one.invoice_key for one in payments],
        [one.status for one in payments],
        [one.version for one in payments],
        [one.amount.currency for one in payments],
        [one.amount.amount for one in payments],
        [one.method for one in payments],
        [one.item.claimed.id for one in taken],
        [one.paid_at for one in payments],
    )
