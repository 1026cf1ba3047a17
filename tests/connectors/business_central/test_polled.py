# SPDX-License-Identifier: Apache-2.0
"""What is read of posted invoices, and what was paid of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from crossdock.connectors.business_central.mapping import INVOICE, PAYMENT
from crossdock.errors import NeedsConfig, RetryLater
from tests.connectors.business_central import answers
from tests.connectors.business_central.answers import Script, rows
from tests.connectors.business_central.test_invoices import SINCE, _invoice

CONTEXT = {"system": "bc", "channel": "", "interface": "", "topic": ""}


def opened(company: Script, open_poller: Any) -> Any:
    given = answers.settings(company.url)
    given["settings"]["charge_items"] = {"shipping": "freight", "restocking_fee": "FEE"}
    return open_poller("business_central", name="bc", **given)


def line(number: str, net: float, **changed: Any) -> dict[str, Any]:
    return {**_invoice("1")["salesInvoiceLines"][0], "lineObjectNumber": number, "netAmount": net, **changed}


async def test_goods_are_lines_and_the_rest_are_charges(company: Script, open_poller: Any, translate: Any) -> None:
    lines = [
        line("CD-1", 20),
        line("FREIGHT", 7.5, quantity=1),
        line("FEE", -3, quantity=-1),
        line("", 0, lineType="Comment"),
        line("6410", 2, lineType="Account"),
    ]
    company.says(
        "GET salesInvoices",
        rows(_invoice("103020", salesInvoiceLines=lines, totalTaxAmount=0, totalAmountIncludingTax=26.5)),
    )
    page = await opened(company, open_poller).page("invoices", SINCE)
    (item,) = page.items
    assert item.key.startswith("invoice/bc/5d115c9c")
    assert (item.version, page.reached) == (1795435443537, datetime(2026, 11, 23, 12, 4, 3, 537000, tzinfo=UTC))
    made = translate(INVOICE, item.body, CONTEXT).document
    assert (made.order, made.status, made.total.amount, made.tax) == ("bc:101005", "open", Decimal("26.5"), None)
    assert [(one.sku, one.quantity.value, one.total.amount) for one in made.lines] == [("CD-1", 2, 20)]
    assert [(one.kind, one.amount.amount) for one in made.charges] == [
        ("shipping", Decimal("7.5")),
        ("fee", -3),
        ("adjustment", 2),
    ]


@pytest.mark.parametrize(
    ("changed", "paid"),
    [
        ({"remainingAmount": 21.2}, None),
        ({"remainingAmount": 10}, Decimal("11.2")),
        ({"remainingAmount": 0, "status": "Paid"}, Decimal("21.2")),
        ({"remainingAmount": 0, "status": "Canceled"}, None),
        ({"remainingAmount": 30}, None),
    ],
)
async def test_what_is_not_open_any_more_was_paid(
    company: Script, open_poller: Any, translate: Any, changed: dict[str, Any], paid: Decimal | None
) -> None:
    company.says("GET salesInvoices", rows(_invoice("103020", **changed)))
    page = await opened(company, open_poller).page("payments", SINCE)
    made = [translate(PAYMENT, one.body, CONTEXT).document for one in page.items]
    assert [one.amount.amount for one in made] == ([] if paid is None else [paid])
    assert page.reached is not None


async def test_a_canceled_one_is_void_and_foreign_ones_are_passed_over(
    company: Script, open_poller: Any, translate: Any
) -> None:
    company.says(
        "GET salesInvoices",
        rows(
            _invoice("1", status="Canceled"),
            _invoice("2", externalDocumentNumber="PO 77"),
            _invoice("3", orderNumber=""),
            _invoice("4", status="Draft"),
            next_link=f"{company.url}/x?$skiptoken=2",
        ),
    )
    page = await opened(company, open_poller).page("invoices", SINCE)
    assert [msgspec.json.decode(one.body)["number"] for one in page.items] == ["1"]
    assert translate(INVOICE, page.items[0].body, CONTEXT).document.status == "void"
    assert page.next == "$skiptoken=2"


async def test_a_company_that_is_away_or_unreadable_is_asked_again(company: Script, open_poller: Any) -> None:
    poller = opened(company, open_poller)
    company.refuses("GET salesInvoices", 503, "Internal_ServerError")
    company.says("GET salesInvoices", {"value": [{"id": 1}]})
    for _ in range(2):
        with pytest.raises(RetryLater):
            await poller.page("invoices", SINCE)
    company.refuses("GET salesInvoices", 403, "Authorization_RequestDenied")
    with pytest.raises(NeedsConfig):
        await poller.page("payments", SINCE)
