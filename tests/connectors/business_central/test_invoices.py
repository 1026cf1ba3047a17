# SPDX-License-Identifier: Apache-2.0
"""Posted invoices by time of change and by order; whether the company answers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from crossdock.connectors.business_central.check import Reached, reach
from crossdock.connectors.business_central.client import RestClient
from crossdock.connectors.business_central.invoices import changed_invoices, invoices_of
from crossdock.errors import NeedsConfig, NeedsEdit, RetryLater
from crossdock.sdk.connector import SystemConfig, load_connector
from tests.connectors.business_central import answers
from tests.connectors.business_central.answers import Script, rows

SINCE = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _config(url: str) -> SystemConfig:
    given = answers.settings(url)
    return SystemConfig(
        name="business_central",
        settings=given["settings"],
        secret=given["secrets"].__getitem__,
        limits=load_connector("business_central").manifest.limits,
        names={},
        translate={},
    )


def _invoice(number: str, **changed: Any) -> dict[str, Any]:
    return {
        "@odata.etag": 'W/"1"',
        "id": f"5d115c9c-44e3-ea11-bb43-{number:0>12}",
        "number": number,
        "externalDocumentNumber": "SHOPIFY-US/1",
        "invoiceDate": "2026-11-23",
        "postingDate": "2026-11-23",
        "dueDate": "2026-12-23",
        "customerPurchaseOrderReference": "",
        "customerNumber": "10000",
        "currencyCode": "USD",
        "orderId": "00000000-0000-0000-0000-000000000000",
        "orderNumber": "101005",
        "pricesIncludeTax": False,
        "remainingAmount": 21.2,
        "totalAmountExcludingTax": 20,
        "totalTaxAmount": 1.2,
        "totalAmountIncludingTax": 21.2,
        "status": "Open",
        "lastModifiedDateTime": "2026-11-23T12:04:03.537Z",
        "salesInvoiceLines": [
            {
                "id": "1e8cb9c0-44e3-ea11-bb43-000d3a2feca1",
                "sequence": 10000,
                "lineType": "Item",
                "lineObjectNumber": "CD-1",
                "description": "Article CD-1",
                "unitOfMeasureCode": "PCS",
                "quantity": 2,
                "unitPrice": 10.5,
                "discountAmount": 1,
                "netAmount": 20,
                "netTaxAmount": 1.2,
            }
        ],
        **changed,
    }


async def test_changed_invoices_come_page_by_page(company: Script) -> None:
    link = f"{company.url}/x?$filter=y&$skiptoken=2"
    company.says("GET salesInvoices", rows(_invoice("103020"), _invoice("1", status="Draft"), next_link=link))
    company.says("GET salesInvoices", rows(_invoice("103021", status="Paid", remainingAmount=0)))
    client = RestClient(_config(company.url))
    first = await changed_invoices(client, SINCE)
    second = await changed_invoices(client, SINCE, first.next)
    await client.close()
    assert [one.number for one in first.invoices] == ["103020"], "a draft is not posted"
    assert [one.status for one in second.invoices] == ["Paid"]
    assert second.next == ""
    assert first.reached == datetime(2026, 11, 23, 12, 4, 3, 537000, tzinfo=UTC), "a draft too was looked at"
    (one,) = first.invoices
    assert (one.order_number, one.due_date, one.total_amount_including_tax) == (
        "101005",
        date(2026, 12, 23),
        Decimal("21.2"),
    )
    assert [(line.line_object_number, line.net_amount) for line in one.sales_invoice_lines] == [("CD-1", Decimal(20))]
    assert company.told[1].headers["Prefer"] == "odata.maxpagesize=200"
    assert [told.query for told in company.told] == [
        {
            "$filter": "lastModifiedDateTime ge 2026-11-23T12:00:00Z",
            "$orderby": "lastModifiedDateTime,id",
            "$expand": "salesInvoiceLines",
        },
        {"$filter": "y", "$skiptoken": "2"},
    ]


async def test_invoices_of_an_order(company: Script) -> None:
    company.says("GET salesInvoices", rows(_invoice("103020"), next_link=f"{company.url}/x?$skiptoken=2"))
    company.says("GET salesInvoices", rows(_invoice("103021")))
    client = RestClient(_config(company.url))
    found = await invoices_of(client, "shopify-us/1")
    await client.close()
    assert [one.number for one in found] == ["103020", "103021"]
    assert company.told[0].query["$filter"] == "externalDocumentNumber eq 'SHOPIFY-US/1'"


@pytest.mark.parametrize("there", [True, False])
async def test_company_answers(company: Script, there: bool) -> None:
    company.says("GET ", {"id": answers.COMPANY, "name": "CRONUS USA, Inc."})
    company.says("GET x:locationStock", rows())
    if there:
        company.says("GET x:salesOrderShipments", rows())
    else:
        company.refuses("GET x:salesOrderShipments", 404, "BadRequest_NotFound")
    missing = () if there else ("salesOrderShipments",)
    assert await reach(_config(company.url)) == Reached("CRONUS USA, Inc.", missing)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "Internal_CompanyNotFound", NeedsConfig),
        (403, "Authorization_RequestDenied", NeedsConfig),
        (404, "BadRequest_NotFound", NeedsEdit),
        (503, "", RetryLater),
    ],
)
async def test_company_that_does_not_answer_says_why(company: Script, status: int, code: str, kind: type) -> None:
    company.refuses("GET ", status, code)
    with pytest.raises(kind):
        await reach(_config(company.url))
