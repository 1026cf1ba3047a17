# SPDX-License-Identifier: Apache-2.0
"""Returns in a simulated NetSuite account: authorized, received and credited, each once, of what was fulfilled only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from crossdock.canonical.goods_return import (
    Disposition,
    GoodsReturn,
    Refund,
    RefundLine,
    ReturnedLine,
    ReturnLine,
    ReturnReceipt,
)
from crossdock.canonical.money import Money
from crossdock.canonical.quantity import Quantity
from crossdock.errors import NeedsEdit, OutcomeUnknown
from crossdock.sandbox.faults import Fault
from crossdock.sandbox.netsuite.simulator import NetSuiteConfig, NetSuiteSim
from crossdock.sdk.sending import Delivered, Failed, Outgoing
from tests.connectors.netsuite.test_simulated import NOW, PUBLIC, _order, _outgoing, _sender, _sent, _shipment

KEY = "shopify-us/R-1"


@pytest.fixture
async def account() -> AsyncIterator[NetSuiteSim]:
    async with NetSuiteSim(
        NetSuiteConfig(certificate=PUBLIC, extra_items=("FREIGHT-OUT", "TAX-OUT", "FEE"))
    ) as simulator:
        yield simulator


@pytest.fixture
def sender(account: NetSuiteSim, open_sender: Any) -> Any:
    items = {"shipping": "FREIGHT-OUT", "tax": "TAX-OUT", "restocking_fee": "FEE"}
    names = {"location": {"WH-EAST": "1"}}

    def named(connector: str, **config: Any) -> Any:
        return open_sender(connector, names=names, **config)

    return _sender(account, named, charge_items=items, scrap_location="2")


def _quantity(value: int) -> Quantity:
    return Quantity(Decimal(value))


def asked(order: Outgoing, quantities: dict[str, int], key: str = KEY, **changes: Any) -> Outgoing:
    lines = tuple(
        ReturnLine(line=line.line, sku=line.sku, quantity=_quantity(quantities[line.sku]), reason="damaged")
        for line in order.document.lines
        if line.sku in quantities
    )
    document = GoodsReturn(
        return_key=key,
        order_key=order.reference,
        number="R-1",
        channel="shopify-us",
        requested_at=NOW,
        location="WH-EAST",
        lines=lines,
    )
    return _outgoing("return_authorization", replace(document, **changes), key)


def came(*lines: tuple[str, int, Disposition], ident: str = "rcv-1") -> Outgoing:
    receipt = ReturnReceipt(
        receipt_id=ident,
        source="warehouse",
        return_key=KEY,
        location="WH-EAST",
        received_at=NOW,
        lines=tuple(
            ReturnedLine(line=sku, sku=sku, quantity=_quantity(count), disposition=where) for sku, count, where in lines
        ),
    )
    return _outgoing("item_receipt", receipt, f"{KEY}/{ident}")


def refund(*lines: tuple[str, int, str], fee: str = "", ident: str = "rcv-1") -> Outgoing:
    total = sum((Decimal(amount) for _, _, amount in lines), Decimal(0)) - Decimal(fee or 0)
    document = Refund(
        refund_key=f"{KEY}/{ident}",
        return_key=KEY,
        order_key="shopify-us/1",
        channel="shopify-us",
        number="R-1",
        resolution="refund",
        currency="USD",
        refunded_at=NOW,
        lines=tuple(
            RefundLine(line=sku, sku=sku, quantity=_quantity(count), amount=Money(Decimal(amount), "USD"))
            for sku, count, amount in lines
        ),
        fee=Money(Decimal(fee), "USD") if fee else None,
        total=Money(total, "USD"),
    )
    return _outgoing("credit_memo", document, document.refund_key)


async def fulfilled(sender: Any, quantities: dict[str, int] | None = None) -> Outgoing:
    """An order of two CD-00001 and two CD-00002 of which `quantities` (all of them) have left."""
    order = _order("CD-00001", "CD-00002")
    known = {"netsuite/sales_order": await _sent(sender, order)}
    left = quantities or {line.sku: int(line.quantity.value) for line in order.document.lines}
    (outcome,) = await sender.send("item_fulfillment", [_shipment(order, left, known)])
    assert isinstance(outcome, Delivered), outcome
    return order


async def test_a_return_is_authorized_once_for_the_lines_that_come_back(account: NetSuiteSim, sender: Any) -> None:
    item = asked(await fulfilled(sender), {"CD-00001": 1})
    assert await sender.find(item.operation, [item]) == [None]
    (made,) = await sender.send(item.operation, [item])
    assert isinstance(made, Delivered), made
    assert await sender.find(item.operation, [item]) == [Delivered(reference=made.reference)]
    (held,) = account.account.all("returnAuthorization").values()
    assert (held["status"], held["externalId"], [line["quantity"] for line in held["item"]]) == (
        "B",
        "shopify-us-R-1",
        [1],
    )
    (again,) = await sender.send(item.operation, [replace(item, attempt=2)])
    assert again == Delivered(reference=made.reference)
    assert account.counts()["return_authorizations"] == 1


async def test_an_answer_that_was_lost_makes_no_second_one(account: NetSuiteSim, sender: Any) -> None:
    item = asked(await fulfilled(sender), {"CD-00001": 1})
    account.faults.add(Fault(kind="cut_after", count=1, match="!transform"))
    (lost,) = await sender.send(item.operation, [item])
    assert isinstance(lost, Failed)
    assert isinstance(lost.error, OutcomeUnknown)
    (found,) = await sender.find(item.operation, [item])
    assert found is not None
    assert account.counts()["created_more_than_once_by_external_id"] == 0


async def test_what_has_not_left_is_not_authorized(account: NetSuiteSim, sender: Any) -> None:
    order = await fulfilled(sender, {"CD-00001": 1})
    (outcome,) = await sender.send("return_authorization", [asked(order, {"CD-00002": 1})])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert outcome.error.rule == "netsuite.remaining"
    unknown = asked(replace(order, reference="shopify-us/none"), {"CD-00001": 1})
    (outcome,) = await sender.send("return_authorization", [unknown])
    assert isinstance(outcome, Failed)
    assert outcome.error.rule == "netsuite.return_known"


async def test_two_returns_never_take_the_same_goods(account: NetSuiteSim, sender: Any) -> None:
    order = await fulfilled(sender)
    (first,) = await sender.send("return_authorization", [asked(order, {"CD-00001": 2})])
    assert isinstance(first, Delivered)
    (second,) = await sender.send("return_authorization", [asked(order, {"CD-00001": 1}, "shopify-us/R-2")])
    assert isinstance(second, Failed)
    assert isinstance(second.error, NeedsEdit)


async def test_a_cancelled_return_has_its_lines_closed_once(account: NetSuiteSim, sender: Any) -> None:
    order = await fulfilled(sender)
    item = replace(asked(order, {"CD-00001": 2}), operation="return_cancel")
    (none,) = await sender.send("return_cancel", [item])
    assert none == Delivered(reference="none")
    await sender.send("return_authorization", [asked(order, {"CD-00001": 2})])
    references = {(await sender.send("return_cancel", [item]))[0].reference for _ in range(2)}
    assert len(references) == 1
    (held,) = account.account.all("returnAuthorization").values()
    assert held["status"] == "H"
    assert await sender.find("return_cancel", [item]) == [Delivered(reference=references.pop())]
    (again,) = await sender.send("return_authorization", [asked(order, {"CD-00001": 2}, "shopify-us/R-2")])
    assert isinstance(again, Delivered)


async def test_goods_are_received_by_disposition_and_credited_to_the_cent(account: NetSuiteSim, sender: Any) -> None:
    order = await fulfilled(sender)
    await sender.send("return_authorization", [asked(order, {"CD-00001": 2, "CD-00002": 1})])
    place = account.account.catalog.locations[0].code
    had = account.account.on_hand("CD-00001", place) or 0
    receipt = came(("CD-00001", 1, "restock"), ("CD-00001", 1, "scrap"), ("CD-00002", 1, "quarantine"))
    (got,) = await sender.send("item_receipt", [receipt])
    assert isinstance(got, Delivered), got
    scrapped = account.account.catalog.locations[1].code
    assert account.account.books.table("adjusted")[f"CD-00001@{scrapped}"] == 1
    assert len(got.reference.split(",")) == 2
    assert account.account.on_hand("CD-00001", place) == had + 1
    assert await sender.find("item_receipt", [receipt]) == [Delivered(reference=got.reference)]
    (again,) = await sender.send("item_receipt", [replace(receipt, attempt=2)])
    assert isinstance(again, Delivered)
    assert again.reference == got.reference
    memo = refund(("CD-00001", 2, "20.50"), ("CD-00002", 1, "3.25"), fee="2.00")
    for attempt in (1, 2):
        (credited,) = await sender.send("credit_memo", [replace(memo, attempt=attempt)])
        assert isinstance(credited, Delivered), credited
    (record,) = account.account.all("creditMemo").values()
    assert record["total"] == 21.75
    (held,) = account.account.all("returnAuthorization").values()
    assert (held["status"], account.counts()["item_receipts"]) == ("G", 2)
    assert account.counts()["created_more_than_once_by_external_id"] == 0


@pytest.mark.parametrize("lost", [1, 2])
async def test_a_receipt_that_was_lost_half_way_is_finished(account: NetSuiteSim, sender: Any, lost: int) -> None:
    order = await fulfilled(sender)
    await sender.send("return_authorization", [asked(order, {"CD-00001": 2})])
    receipt = came(("CD-00001", 1, "restock"), ("CD-00001", 1, "scrap"))
    account.faults.add(Fault(kind="cut_after", count=lost, match="itemReceipt"))
    for attempt in range(1, 5):
        (outcome,) = await sender.send("item_receipt", [replace(receipt, attempt=attempt)])
        if isinstance(outcome, Delivered):
            break
    assert isinstance(outcome, Delivered)
    assert account.counts()["item_receipts"] == 2
    (held,) = account.account.all("returnAuthorization").values()
    assert [line["quantityReceived"] for line in held["item"]] == [2]


async def test_more_than_was_authorized_is_neither_received_nor_credited(account: NetSuiteSim, sender: Any) -> None:
    order = await fulfilled(sender)
    await sender.send("return_authorization", [asked(order, {"CD-00001": 1})])
    (outcome,) = await sender.send("item_receipt", [came(("CD-00001", 2, "restock"))])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    (outcome,) = await sender.send("credit_memo", [refund(("CD-00001", 1, "10.00"))])
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, NeedsEdit)
    assert account.counts()["credit_memos"] == 0
