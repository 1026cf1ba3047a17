# SPDX-License-Identifier: Apache-2.0
"""A sales order as Business Central has it, and finding it by our reference."""

from __future__ import annotations

import base64
import hashlib
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from crossdock.connectors.business_central.client import CallFailed, RestClient, query_of, text
from crossdock.errors import NeedsEdit, RetryLater
from crossdock.sdk.sending import Exchange

# Business Central: "External Document No." is a code of at most 35 characters, kept in capitals.
_LONGEST: Final = 35
_DIGEST: Final = 16
_ZERO: Final = Decimal(0)


class StoredLine(Struct, rename="camel"):
    """A line of a sales order. `sequence` names it within its order."""

    id: str
    sequence: int = 0
    etag: str = field(default="*", name="@odata.etag")
    line_type: str = ""
    line_object_number: str = ""
    description: str = ""
    unit_of_measure_code: str = ""
    quantity: Decimal = _ZERO
    unit_price: Decimal = _ZERO
    discount_amount: Decimal = _ZERO
    location_id: str = ""
    shipped_quantity: Decimal = _ZERO

    @property
    def open(self) -> bool:
        """Whether something of the line has not been shipped."""
        return self.quantity != self.shipped_quantity

    @property
    def left(self) -> Decimal:
        """What has not been shipped yet."""
        return max(self.quantity - self.shipped_quantity, _ZERO)


class StoredOrder(Struct, frozen=True):
    """A sales order with its lines; `header` has every field by its name in the API."""

    header: dict[str, Any]
    lines: list[StoredLine]
    exchange: Exchange

    @property
    def path(self) -> str:
        """Where the order is."""
        return f"salesOrders({self.header.get('id', '')})"

    @property
    def number(self) -> str:
        """The order's number, by which people know it."""
        return str(self.header.get("number", ""))

    @property
    def etag(self) -> str:
        """What a change of the order is matched with."""
        return str(self.header.get("@odata.etag") or "*")


class _Lines(Struct, rename="camel"):
    id: str
    number: str
    sales_order_lines: list[StoredLine]


class _Posted(Struct, rename="camel"):
    number: str
    order_number: str = ""


def external_number(reference: str) -> str:
    """Our reference as an external document number.

    It is written in capitals and not longer than 35 characters, so what would not come back the same ends in a digest.
    """
    plain = reference.upper()
    _, _, identity = reference.partition("/")
    if len(plain) <= _LONGEST and identity == identity.upper() and plain == plain.strip():
        return plain
    digest = base64.b32encode(hashlib.sha256(reference.encode()).digest()).decode()[:_DIGEST]
    return f"{plain[: _LONGEST - _DIGEST - 1].strip()}~{digest}"


async def find_order(client: RestClient, reference: str) -> StoredOrder | None:
    """The sales order with our `reference`, None when there is none (any more). Raises CallFailed, or NeedsEdit when
    there are several."""
    wanted = f"externalDocumentNumber eq {text(external_number(reference))}"
    query = query_of(filter=wanted, expand="salesOrderLines", top="2")
    page = await client.page("salesOrders", query, msgspec.Raw)
    if len(page.rows) > 1:
        raise NeedsEdit(
            "Business Central has more than one sales order with this external document number",
            field="order_key",
            rule="business_central.one_order",
            value=external_number(reference),
            fix="delete the order that was entered twice in Business Central, then retry",
        )
    for row in page.rows:
        try:
            lines = sorted(msgspec.json.decode(row, type=_Lines).sales_order_lines, key=lambda line: line.sequence)
            return StoredOrder(msgspec.json.decode(row), lines, page.exchange)
        except msgspec.DecodeError as error:
            unreadable = RetryLater(f"Business Central's sales order could not be read: {error}", rule="answer")
            raise CallFailed(unreadable, page.exchange) from error
    return None


async def find_invoiced(client: RestClient, reference: str) -> str:
    """The number of the sales order with our `reference` that was invoiced, "" when none was. Raises CallFailed.

    Business Central deletes a sales order when all of it is invoiced: only the posted invoice tells of it.
    """
    wanted = f"externalDocumentNumber eq {text(external_number(reference))}"
    query = query_of(filter=wanted, select="id,number,orderNumber", top="1")
    page = await client.page("salesInvoices", query, _Posted)
    return next((row.order_number or row.number for row in page.rows), "")
