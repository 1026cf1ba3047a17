# SPDX-License-Identifier: Apache-2.0
"""What came back comes into stock by a return order, what was given back is credited; each once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from crossdock.canonical.goods_return import Refund, RefundLine, ReturnedLine, ReturnReceipt
from crossdock.canonical.money import Money
from crossdock.canonical.quantity import Quantity
from crossdock.connectors.business_central.stored import external_number
from crossdock.errors import NeedsEdit, OutcomeUnknown
from crossdock.sdk.sending import Delivered, Failed, Outgoing
from tests.connectors.business_central import answers
from tests.connectors.business_central.answers import ORDER, Script, rows

RETURNS = "x:salesReturnOrders"
MEMOS = "salesCreditMemos"
BACK = "0d5f6f0c-0000-4000-8000-000000000001"
REFERENCE = "shopify-us/77/rcv_1"
NUMBER = external_number(REFERENCE)
KNOWN = {"business_central/sales_order": "101005", "business_central/sales_order/shopify-us/1": "101005"}
NOON = datetime(2026, 12, 4, 12, 0, tzinfo=UTC)


def _usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def receipt(*lines: tuple[str, int, str], unit: str = "EA", known: dict[str, str] = KNOWN) -> Outgoing:
    """Goods came back: SKU, quantity and disposition of each of `lines`."""
    document = ReturnReceipt(
        receipt_id="rcv_1",
        source="warehouse",
        return_key="shopify-us/77",
        location="DC-EAST",
        received_at=NOON,
        lines=tuple(
            ReturnedLine(line=str(number), sku=sku, quantity=Quantity(Decimal(quantity), unit), disposition=disposition)  # type: ignore[arg-type]
            for number, (sku, quantity, disposition) in enumerate(lines, start=1)
        ),
    )
    return Outgoing(
        delivery_id=1,
        operation="item_receipt",
        reference=REFERENCE,
        idempotency_key="00000000-0000-4000-8000-000000000003",
        document=document,
        known=known,
    )


def refund(fee: str = "") -> Outgoing:
    """25.50 given back for two of CD-1, less `fee`."""
    document = Refund(
        refund_key=REFERENCE,
        return_key="shopify-us/77",
        order_key="shopify-us/1",
        channel="shopify-us",
        number="R-1",
        resolution="refund",
        currency="USD",
        refunded_at=NOON,
        lines=(RefundLine(line="1", sku="CD-1", quantity=Quantity(Decimal(2)), amount=_usd("25.50")),),
        fee=_usd(fee) if fee else None,
        total=Money(Decimal("25.50") - Decimal(fee or 0), "USD"),
    )
    return Outgoing(
        delivery_id=1,
        operation="credit_memo",
        reference=REFERENCE,
        idempotency_key="00000000-0000-4000-8000-000000000004",
        document=document,
        known={},
    )


def _back(*lines: tuple[int, int]) -> dict[str, Any]:
    """The return order: quantity and what is received of each line."""
    told = [
        {"lineSequence": number * 10000, "quantity": quantity, "receivedQuantity": received}
        for number, (quantity, received) in enumerate(lines, start=1)
    ]
    return {"id": BACK, "number": "1001", "status": "Open", "lines": told}


async def _sent(sender: Any, item: Outgoing) -> Any:
    (outcome,) = await sender.send(item.operation, [item])
    return outcome


def _error(outcome: Any, kind: type) -> Any:
    assert isinstance(outcome, Failed), outcome
    assert isinstance(outcome.error, kind), outcome.error
    return outcome.error


@pytest.fixture
def crediting(company: Script, open_sender: Any) -> Any:
    """A sender with items for what is given back."""
    items = {"refund": "REFUND", "fee": "FEE"}
    return open_sender("business_central", **answers.settings(company.url, charge_items=items))


async def test_receipt_is_a_return_order_that_is_received(company: Script, sender: Any) -> None:
    """Without a location for them scrapped goods never come into stock."""
    company.says(f"GET {RETURNS}", rows())
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 4))))
    company.says(f"POST {RETURNS}", {"id": BACK, "number": "1001"}, 201)
    company.says(f"GET {RETURNS}", rows(_back((2, 0), (1, 0))))
    company.says(f"POST {RETURNS}({BACK})/Microsoft.NAV.receive", None, 204)
    item = receipt(("CD-1", 2, "restock"), ("CD-2", 1, "quarantine"), ("CD-1", 1, "scrap"))
    outcome = await _sent(sender, item)
    assert isinstance(outcome, Delivered), outcome
    assert outcome.reference == "1001"
    look, _, made, _, received = company.told
    assert look.query == {"$filter": f"externalDocumentNumber eq '{NUMBER}'", "$expand": "lines", "$top": "2"}
    assert made.body == {
        "externalDocumentNumber": NUMBER,
        "customerNumber": "WEB-US",
        "orderNumber": "101005",
        "lines": [
            {"itemNumber": "CD-1", "quantity": 2, "unitPrice": 10.5, "locationCode": "EAST"},
            {"itemNumber": "CD-2", "quantity": 1, "unitPrice": 0, "locationCode": "EAST"},
        ],
    }
    assert received.body == {"lines": [{"lineSequence": 10000, "quantity": 2}, {"lineSequence": 20000, "quantity": 1}]}


async def test_scrapped_goods_go_to_their_location(company: Script, open_sender: Any) -> None:
    sender = open_sender("business_central", **answers.settings(company.url, scrap_location="SCRAP"))
    company.says(f"GET {RETURNS}", rows())
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 4))))
    company.says(f"POST {RETURNS}", {"id": BACK, "number": "1001"}, 201)
    company.says(f"GET {RETURNS}", rows(_back((1, 0))))
    company.says(f"POST {RETURNS}({BACK})/Microsoft.NAV.receive", None, 204)
    assert isinstance(await _sent(sender, receipt(("CD-1", 1, "scrap"))), Delivered)
    assert [line["locationCode"] for line in company.told[2].body["lines"]] == ["SCRAP"]


async def test_nothing_but_scrap_is_nothing_to_take_in(company: Script, sender: Any) -> None:
    company.says(f"GET {RETURNS}", rows())
    assert await _sent(sender, receipt(("CD-1", 1, "scrap"))) == Delivered(reference="none")


async def test_receiving_goes_on_where_it_stopped(company: Script, sender: Any) -> None:
    item = receipt(("CD-1", 2, "restock"))
    for _ in range(2):
        company.says(f"GET {RETURNS}", rows(_back((2, 2), (3, 1))))
    assert await sender.find("item_receipt", [item]) == [None]
    company.says(f"POST {RETURNS}({BACK})/Microsoft.NAV.receive", None, 204)
    assert isinstance(await _sent(sender, item), Delivered)
    assert company.told[2].body == {"lines": [{"lineSequence": 20000, "quantity": 2}]}
    for _ in range(2):
        company.says(f"GET {RETURNS}", rows(_back((2, 2), (3, 3))))
    assert (await _sent(sender, item)).reference == "1001"
    (found,) = await sender.find("item_receipt", [item])
    assert found.reference == "1001"


async def test_goods_of_an_invoiced_order_are_priced_by_its_invoice(company: Script, sender: Any) -> None:
    company.says(f"GET {RETURNS}", rows())
    company.says("GET salesOrders", rows())
    lines = [{"lineObjectNumber": "CD-1", "unitPrice": 9.75}]
    invoice = {"id": ORDER, "customerNumber": "10000", "orderNumber": "101005", "salesInvoiceLines": lines}
    company.says("GET salesInvoices", rows(invoice))
    company.says(f"POST {RETURNS}", {"id": BACK, "number": "1001"}, 201)
    company.says(f"GET {RETURNS}", rows(_back((2, 2))))
    assert isinstance(await _sent(sender, receipt(("CD-1", 2, "restock"))), Delivered)
    assert company.told[3].body["customerNumber"] == "10000"
    assert company.told[3].body["lines"][0]["unitPrice"] == 9.75


async def test_receipt_that_cannot_be_told_is_a_case(company: Script, sender: Any) -> None:
    company.says(f"GET {RETURNS}", rows())
    stranger = receipt(("CD-1", 1, "restock"), known={})
    assert _error(await _sent(sender, stranger), NeedsEdit).rule == "business_central.order_known"
    company.says(f"GET {RETURNS}", rows())
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 4))))
    assert _error(await _sent(sender, receipt(("CD-1", 1, "restock"), unit="CS")), NeedsEdit).value == "CS"
    company.says(f"GET {RETURNS}", rows(_back((1, 0)), _back((1, 0))))
    assert (
        _error(await _sent(sender, receipt(("CD-1", 1, "restock"))), NeedsEdit).rule == "business_central.one_document"
    )


async def test_refund_is_a_posted_credit_memo_of_services(company: Script, crediting: Any) -> None:
    company.says(f"GET {MEMOS}", rows())
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 4))))
    company.says(f"POST {MEMOS}", {"id": BACK, "number": "1004", "status": "Draft"}, 201)
    company.says(f"GET {MEMOS}", rows({"id": BACK, "number": "1004", "status": "Draft"}))
    company.says(f"POST {MEMOS}({BACK})/Microsoft.NAV.post", None, 204)
    company.says(f"GET {MEMOS}", rows({"id": BACK, "number": "104001", "status": "Open"}))
    outcome = await _sent(crediting, refund(fee="2.50"))
    assert isinstance(outcome, Delivered), outcome
    assert outcome.reference == "104001"
    assert company.told[0].query["$filter"] == f"externalDocumentNumber eq '{NUMBER}'"
    assert company.told[2].body == {
        "externalDocumentNumber": NUMBER,
        "creditMemoDate": "2026-12-04",
        "customerNumber": "WEB-US",
        "currencyCode": "USD",
        "salesCreditMemoLines": [
            {
                "lineType": "Item",
                "lineObjectNumber": "REFUND",
                "description": "2 CD-1",
                "quantity": 1,
                "unitPrice": 25.5,
            },
            {
                "lineType": "Item",
                "lineObjectNumber": "FEE",
                "description": "Restocking fee",
                "quantity": -1,
                "unitPrice": 2.5,
            },
        ],
    }


async def test_credit_memo_that_was_not_posted_is_posted(company: Script, crediting: Any) -> None:
    for _ in range(2):
        company.says(f"GET {MEMOS}", rows({"id": BACK, "number": "1004", "status": "Draft"}))
    company.says(f"POST {MEMOS}({BACK})/Microsoft.NAV.post", b"", 504)
    assert await crediting.find("credit_memo", [refund()]) == [None]
    _error(await _sent(crediting, refund()), OutcomeUnknown)
    for _ in range(2):
        company.says(f"GET {MEMOS}", rows({"id": BACK, "number": "104001", "status": "Open"}))
    (found,) = await crediting.find("credit_memo", [refund()])
    assert found.reference == "104001"
    assert (await _sent(crediting, refund())).reference == "104001"


async def test_refund_without_an_item_is_a_case(company: Script, sender: Any) -> None:
    company.says(f"GET {MEMOS}", rows())
    company.says("GET salesOrders", rows(answers.order(answers.line(1, "CD-1", 4))))
    assert _error(await _sent(sender, refund()), NeedsEdit).value == "refund"
