# SPDX-License-Identifier: Apache-2.0
"""Goods that come back: the return that is asked for, what a location says has come, the money that is given back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from crossdock.canonical.money import Currency, Money
from crossdock.canonical.party import Text
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import Key

ReturnStatus = Literal["open", "declined", "cancelled"]
Resolution = Literal["refund", "credit"]
Disposition = Literal["restock", "quarantine", "scrap"]


class ReturnLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How much of one order line is to come back; `line` is the order's line id. `reason`: a word of the estate's."""

    line: Key
    sku: Key
    quantity: Quantity
    reason: Text = ""
    note: Text = ""


class GoodsReturn(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A return of goods of one order (RMA); a full statement of it at `version`.

    `return_key` = "<channel>/<id in the channel>". `resolution`: the money goes back the way it came, or is credited to
    the account. `location`: where the goods go, "" = the policy says. `override`: why it is let pass although the
    policy does not allow it; put by the person who mends the case. Times are UTC.
    """

    return_key: Key
    order_key: Key
    number: Key
    channel: Key
    version: int = 0
    status: ReturnStatus = "open"
    requested_at: datetime
    updated_at: datetime | None = None
    resolution: Resolution = "refund"
    location: Text = ""
    lines: tuple[ReturnLine, ...]
    note: Annotated[str, Meta(max_length=5000)] = ""
    override: Text = ""


class ReturnedLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Goods that came back. `line`: the order's line id, "" = whichever line of the return has the SKU.

    `disposition`: for sale again, blocked until somebody decides, or thrown away. `condition`: as the location says it.
    """

    line: Text = ""
    sku: Key
    quantity: Quantity
    disposition: Disposition
    condition: Text = ""


class ReturnReceipt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a location says has come back of a return; `receipt_id` is the source's own id and never used again."""

    receipt_id: Key
    source: Key
    return_key: Key
    location: Key
    received_at: datetime
    lines: tuple[ReturnedLine, ...]


class RefundLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is given back for one order line. `quantity`: whole units of the order's line that are told with it."""

    line: Key
    sku: Key
    quantity: Quantity
    amount: Money


class Refund(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Money given back for goods that came back: sum of the lines − `fee` = `total`, never more than was paid.

    `refund_key` = return, and source and id of the receipt: one receipt makes one refund.
    """

    refund_key: Key
    return_key: Key
    order_key: Key
    channel: Key
    number: Key
    resolution: Resolution
    currency: Currency
    refunded_at: datetime
    lines: tuple[RefundLine, ...]
    fee: Money | None = None
    total: Money
