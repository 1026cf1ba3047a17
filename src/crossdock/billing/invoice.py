# SPDX-License-Identifier: Apache-2.0
"""Take invoices and credit memos in: they find their order, count once per version, and are told to who must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
import msgspec
from msgspec.structs import replace

from crossdock.billing.check import check_invoice
from crossdock.billing.known import SQL, BilledOrder, orders_named
from crossdock.billing.lines import name_lines
from crossdock.billing.take import Desk, Taken, take
from crossdock.billing.tally import Stands, billed_of, invoice_stands, invoices_of
from crossdock.billing.told import Listeners
from crossdock.canonical.billing import Invoice
from crossdock.canonical.objects import encode
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.journal.decided import Decided, Translated

_ENCODER = msgspec.json.Encoder(decimal_format="string")


async def take_invoices(
    conn: asyncpg.Connection,
    batch: Sequence[Translated],
    listeners: Listeners,
    source_of: Mapping[str, str],
    catalog: Catalog,
) -> list[Decided]:
    """Decide on invoices, in the same order. `source_of`: incoming interface → the system that says it, whose SKUs the
    catalog's crosswalk turns into ours.

    A version that is not newer than the one we have is a duplicate, so repeated and late ones change nothing.
    """
    batch = [_in_our_skus(item, catalog, source_of.get(item.claimed.interface, "")) for item in batch]
    orders = await orders_named(conn, (item.document.order for item in batch))
    keys = sorted({one.order_key for found in orders.values() for one in found})
    standing = await invoices_of(conn, keys, (item.document.invoice_key for item in batch))

    desk = Desk(
        of="invoice",
        orders=orders,
        standing=standing,
        check=_check,
        stands=invoice_stands,
        listeners=listeners,
        complete=_complete,
    )
    decisions, taken = take(desk, batch, source_of)
    await _write(conn, taken)
    return decisions


def _in_our_skus(item: Translated, catalog: Catalog, source: str) -> Translated:
    invoice: Invoice = item.document
    if not catalog.translates(source, "sku"):
        return item
    lines = tuple(replace(line, sku=catalog.sku(source, line.sku) or line.sku) for line in invoice.lines)
    if lines == invoice.lines:
        return item
    named = replace(invoice, lines=lines)
    return replace(item, document=named, body=encode(named))


def _complete(invoice: Invoice, order: BilledOrder, standing: Mapping[str, Stands]) -> Invoice:
    billed = billed_of(order.order_key, standing, without=invoice.invoice_key)
    return name_lines(invoice, order.lines, billed.lines)


def _check(invoice: Invoice, order: BilledOrder, standing: Mapping[str, Stands]) -> list[NeedsEdit]:
    return check_invoice(invoice, order, billed_of(order.order_key, standing, without=invoice.invoice_key))


async def _write(conn: asyncpg.Connection, taken: Sequence[Taken]) -> None:
    if not taken:
        return
    invoices: list[Invoice] = [one.item.document for one in taken]
    await conn.execute(
        SQL.upsert_invoices,
        [one.invoice_key for one in invoices],
        [one.number for one in invoices],
        [one.kind for one in invoices],
        [one.order.order_key for one in taken],
        [one.status for one in invoices],
        [one.version for one in invoices],
        [one.currency for one in invoices],
        [one.total.amount for one in invoices],
        [_ENCODER.encode(one.stands.lines).decode() for one in taken],
        [one.item.claimed.id for one in taken],
        [one.issued_at for one in invoices],
        [one.due_on for one in invoices],
    )
