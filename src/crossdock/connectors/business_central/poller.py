# SPDX-License-Identifier: Apache-2.0
"""What Business Central invoiced and was paid, asked by time of change (Polling Consumer).

A payment has no place in API v2.0 but on the invoice: what of it is not open any more was paid. Invoices of orders that
did not come from us are passed over: our reference is in their external document number, and has a slash.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from crossdock.connectors.business_central.client import CallFailed, RestClient
from crossdock.connectors.business_central.invoices import InvoiceLine, PostedInvoice, changed_invoices
from crossdock.connectors.business_central.list_stock import SHARE
from crossdock.sdk.connector import SystemConfig
from crossdock.sdk.polling import UNREADABLE, Polled, PolledPage, unreadable

INVOICES: Final = "invoices"
PAYMENTS: Final = "payments"
_ENCODER: Final = msgspec.json.Encoder(decimal_format="string")
_KINDS: Final = {"restocking_fee": "fee", "refund": "adjustment"}


class BusinessCentralPoller:
    """One company. `charge_items` of the settings says which items stand for charges."""

    def __init__(self, config: SystemConfig) -> None:
        self._client = RestClient(config, share=SHARE)
        self._system = config.name
        charges: Mapping[str, str] = config.settings.get("charge_items") or {}
        self._charge_of = {number.upper(): _KINDS.get(kind, kind) for kind, number in charges.items()}

    async def page(self, topic: str, since: datetime, after: str = "") -> PolledPage:
        """A page of posted invoices, or of what was paid of them. Raises RetryLater, NeedsConfig."""
        try:
            page = await changed_invoices(self._client, since, after)
        except CallFailed as failed:
            raise failed.error from failed
        except UNREADABLE as error:
            raise unreadable("Business Central's", error) from error
        ours = [one for one in page.invoices if one.order_number and "/" in one.external_document_number]
        if topic == PAYMENTS:
            items = [self._payment(one) for one in ours if _paid(one)]
        else:
            items = [self._invoice(one) for one in ours]
        return PolledPage(items=tuple(items), reached=page.reached, next=page.next)

    async def close(self) -> None:
        """Release connections."""
        await self._client.close()

    def _invoice(self, invoice: PostedInvoice) -> Polled:
        lines = [self._line(line) for line in invoice.sales_invoice_lines if line.line_type != "Comment"]
        body = {
            "number": invoice.number,
            "status": invoice.status,
            "invoiceDate": invoice.invoice_date,
            "dueDate": invoice.due_date,
            "totalTaxAmount": invoice.total_tax_amount,
            "totalAmountIncludingTax": invoice.total_amount_including_tax,
            "lines": lines,
        }
        return self._polled(f"invoice/{self._system}/{invoice.id}", invoice, body)

    def _payment(self, invoice: PostedInvoice) -> Polled:
        body = {"invoiceNumber": invoice.number, "paid": _paid(invoice)}
        return self._polled(f"payment/{self._system}/{invoice.id}/applied", invoice, body)

    def _polled(self, key: str, invoice: PostedInvoice, more: dict[str, Any]) -> Polled:
        body = {
            "id": invoice.id,
            "orderNumber": invoice.order_number,
            "currencyCode": invoice.currency_code,
            "lastModifiedDateTime": invoice.last_modified_date_time,
            **more,
        }
        version = int(invoice.last_modified_date_time.timestamp() * 1000)
        return Polled(dedup_key=f"{key}@{version}", key=key, version=version, body=_ENCODER.encode(body))

    def _line(self, line: InvoiceLine) -> dict[str, Any]:
        charge = self._charge_of.get(line.line_object_number.upper(), "" if line.line_type == "Item" else "adjustment")
        return {
            "kind": "charge" if charge else "goods",
            "charge": charge,
            "lineObjectNumber": line.line_object_number,
            "description": line.description,
            "quantity": line.quantity,
            "netAmount": line.net_amount,
        }


def _paid(invoice: PostedInvoice) -> Any:
    """What of a posted invoice is not open any more; nothing of one that was canceled."""
    if invoice.status not in ("Open", "Paid"):
        return 0
    return max(invoice.total_amount_including_tax - invoice.remaining_amount, 0)
