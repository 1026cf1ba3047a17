# SPDX-License-Identifier: Apache-2.0
"""Invoice (or credit memo) and payment (or refund): what an order came to, and what was paid for it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from crossdock.canonical.money import Currency, Money
from crossdock.canonical.party import Text
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import Charge, Key

MOST_LINES = 10_000


class InvoiceLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is charged of one order line; `total` before tax.

    `line` is the order's line id; "": whoever bills does not know it, and the order's lines of the SKU are meant. The
    quantity of such a line may be in unit ZZ, the unit that was ordered in.
    """

    line: Text = ""
    sku: Key
    quantity: Quantity
    total: Money


class Invoice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is charged for an order, in whole or in part; a credit memo gives back, with the same positive amounts.

    `invoice_key` = "<system>/<its number>" names it across versions; `order` is our order key, the order's number, or
    "<ERP system>:<what that calls the order>".
    `status` void: it does not hold any more. Totals: sum of line totals + charges + tax = total.
    """

    invoice_key: Key
    number: Key
    kind: Literal["invoice", "credit_memo"] = "invoice"
    order: Key
    version: int = 0
    status: Literal["open", "void"] = "open"
    issued_at: datetime
    due_on: date | None = None
    currency: Currency
    lines: Annotated[tuple[InvoiceLine, ...], Meta(max_length=MOST_LINES)]
    charges: Annotated[tuple[Charge, ...], Meta(max_length=100)] = ()
    tax: Money | None = None
    total: Money
    terms: Text = ""


class Payment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Money that came in for an order, or went back (`kind` refund); the amount is positive either way.

    `payment_key` = "<system>/<its id>"; `order` names the order as an invoice does; `invoice_key`: the invoice it is
    for, "" = the order. `status` reversed: the bank or the processor took it back; promised: it was authorized
    or is under way; failed: it came to nothing. Only what is settled counts.
    """

    payment_key: Key
    kind: Literal["payment", "refund"] = "payment"
    order: Key
    invoice_key: Text = ""
    version: int = 0
    status: Literal["settled", "reversed", "promised", "failed"] = "settled"
    paid_at: datetime
    amount: Money
    method: Text = ""
    reference: Text = ""
