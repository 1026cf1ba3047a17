# SPDX-License-Identifier: Apache-2.0
"""Posted sales invoices, asked for by the time they changed (Polling Consumer) or by the order they are of.

Notifications of Business Central carry no data, are unsigned and may not come at all: what changed is asked for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from crossdock.connectors.business_central.client import RestClient, query_of, text
from crossdock.connectors.business_central.stored import external_number

_PAGE: Final = 200
# Not posted yet.
_UNPOSTED: Final = frozenset({"Draft", "In Review", "In_x0020_Review", ""})
_ZERO: Final = Decimal(0)


class InvoiceLine(Struct, rename="camel", frozen=True):
    """A line of an invoice. Amounts are the invoice's currency."""

    sequence: int
    line_type: str = ""
    line_object_number: str = ""
    description: str = ""
    unit_of_measure_code: str = ""
    quantity: Decimal = _ZERO
    unit_price: Decimal = _ZERO
    discount_amount: Decimal = _ZERO
    net_amount: Decimal = _ZERO
    net_tax_amount: Decimal = _ZERO


class PostedInvoice(Struct, rename="camel", frozen=True):
    """An invoice as Business Central has it. `status`: Open, Paid, Canceled or Corrective. `remaining_amount` is owed.

    `external_document_number` is `external_number` of our order's reference; "" where an invoice joins several orders.
    """

    id: str
    number: str
    status: str
    last_modified_date_time: Annotated[datetime, Meta(tz=True)]
    external_document_number: str = ""
    order_number: str = ""
    customer_number: str = ""
    currency_code: str = ""
    invoice_date: date | None = None
    due_date: date | None = None
    total_amount_excluding_tax: Decimal = _ZERO
    total_tax_amount: Decimal = _ZERO
    total_amount_including_tax: Decimal = _ZERO
    remaining_amount: Decimal = _ZERO
    sales_invoice_lines: tuple[InvoiceLine, ...] = field(default=())


class InvoicePage(Struct, frozen=True):
    """Some invoices, the longest unchanged first. `next`: what the page after it is asked for with, "" = it was the
    last; `reached`: the time of change of the last row, a draft too."""

    invoices: tuple[PostedInvoice, ...]
    next: str
    reached: datetime | None = None


async def changed_invoices(client: RestClient, since: datetime, after: str = "") -> InvoicePage:
    """A page of the posted invoices that changed at or after `since`, with their lines.

    The same invoice comes again whenever it is paid or credited: (`id`, `last_modified_date_time`) names a state of it.
    Raises CallFailed (RetryLater, NeedsConfig).
    """
    begin = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    query = after or query_of(
        filter=f"lastModifiedDateTime ge {begin}",
        orderby="lastModifiedDateTime,id",
        expand="salesInvoiceLines",
    )
    page = await client.page("salesInvoices", query, PostedInvoice, size=_PAGE)
    reached = page.rows[-1].last_modified_date_time if page.rows else None
    return InvoicePage(tuple(_posted(page.rows)), page.next, reached)


async def invoices_of(client: RestClient, reference: str) -> tuple[PostedInvoice, ...]:
    """The posted invoices of the sales order with our `reference`, with their lines. Raises CallFailed."""
    query = query_of(filter=f"externalDocumentNumber eq {text(external_number(reference))}", expand="salesInvoiceLines")
    found: list[PostedInvoice] = []
    while query:
        page = await client.page("salesInvoices", query, PostedInvoice, size=_PAGE)
        found += _posted(page.rows)
        query = page.next
    return tuple(found)


def _posted(rows: list[PostedInvoice]) -> list[PostedInvoice]:
    return [row for row in rows if row.status not in _UNPOSTED]
