# SPDX-License-Identifier: Apache-2.0
"""Tell Business Central what came back, through our extension, and what was given back for it; each once.

Goods come with a return order of their own for each receipt, money with a credit memo of services: whoever credits the
items themselves has the goods twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct, field

from crossdock.canonical.goods_return import Refund, ReturnedLine, ReturnReceipt
from crossdock.canonical.quantity import WHOLE_UNITS
from crossdock.connectors.business_central.changes import code
from crossdock.connectors.business_central.client import CallFailed, RestClient, query_of, text
from crossdock.connectors.business_central.order import OrderNames
from crossdock.connectors.business_central.stored import external_number, find_order
from crossdock.errors import AlreadyDone, NeedsEdit, OutcomeUnknown
from crossdock.sdk.sending import Delivered, Exchange, Outgoing

ITEM_RECEIPT: Final = "item_receipt"
CREDIT_MEMO: Final = "credit_memo"
OPERATIONS: Final = frozenset({ITEM_RECEIPT, CREDIT_MEMO})
_RETURNS: Final = "salesReturnOrders"
_MEMOS: Final = "salesCreditMemos"
_DRAFT: Final = "Draft"
_ZERO: Final = Decimal(0)
# Packs: a line of the extension's return orders is in the item's base unit.
_PACKS: Final = WHOLE_UNITS - {"EA", "C62"}


class _ReturnLine(Struct, rename="camel"):
    line_sequence: int
    quantity: Decimal = _ZERO
    received_quantity: Decimal = _ZERO


class _ReturnOrder(Struct, rename="camel"):
    id: str
    number: str
    lines: list[_ReturnLine] = field(default_factory=list)

    @property
    def left(self) -> list[_ReturnLine]:
        return [line for line in self.lines if line.received_quantity < line.quantity]


class _Memo(Struct, rename="camel"):
    id: str
    number: str
    status: str = ""


class _SoldLine(Struct, rename="camel"):
    line_object_number: str = ""
    unit_price: Decimal = _ZERO


class _Sold(Struct, rename="camel"):
    """The order, or its posted invoice: who it was sold to, at what prices."""

    customer_number: str
    order_number: str = ""
    sales_invoice_lines: list[_SoldLine] = field(default_factory=list)


class ReturnsDesk:
    """Returns in one company. `order_key`: how `known` begins that names its sales orders. `scrap_location`: where
    scrapped goods are kept, "" = they are not taken into stock. `translate`: what it takes, by operation."""

    def __init__(
        self,
        client: RestClient,
        names: OrderNames,
        order_key: str,
        scrap_location: str,
        translate: Mapping[str, Callable[[Any], Any]],
    ) -> None:
        self._client = client
        self._names = names
        self._order_key = order_key
        self._scrap_location = scrap_location
        self._translate = translate

    async def send(self, item: Outgoing) -> Delivered:
        """One of OPERATIONS, looked for first. Raises CallFailed, NeedsEdit, or AlreadyDone."""
        return await (self._receive(item) if item.operation == ITEM_RECEIPT else self._credit(item))

    async def find(self, item: Outgoing) -> Delivered | None:
        """The return order when all of it is received, the credit memo when it is posted. Raises CallFailed."""
        if item.operation == ITEM_RECEIPT:
            stored, exchange = await self._return_order(item)
            return Delivered(reference=stored.number, exchange=exchange) if stored and not stored.left else None
        memo, exchange = await self._memo(item)
        return Delivered(reference=memo.number, exchange=exchange) if memo and memo.status != _DRAFT else None

    async def _receive(self, item: Outgoing) -> Delivered:
        receipt: ReturnReceipt = item.document
        stored, exchange = await self._return_order(item)
        if stored is None:
            goods = [line for line in receipt.lines if self._scrap_location or line.disposition != "scrap"]
            if not goods:
                raise AlreadyDone("everything was scrapped: nothing comes into stock", reference="none")
            await self._order_back(item, receipt, goods)
            stored, exchange = await self._return_order(item)
            if stored is None:
                raise CallFailed(OutcomeUnknown("the return order that was made is not there", rule="answer"), exchange)
        if stored.left:
            lines = [
                {"lineSequence": line.line_sequence, "quantity": line.quantity - line.received_quantity}
                for line in stored.left
            ]
            path = f"{_RETURNS}({stored.id})/Microsoft.NAV.receive"
            reply = await self._client.record("POST", path, body={"lines": lines}, extension=True)
            exchange = reply.exchange if reply is not None else exchange
        return Delivered(reference=stored.number, exchange=exchange)

    async def _order_back(self, item: Outgoing, receipt: ReturnReceipt, goods: list[ReturnedLine]) -> None:
        reference = self._order_reference(item)
        sold = await self._sold(reference)
        prices = {code(line.line_object_number): line.unit_price for line in sold.sales_invoice_lines}
        lines = []
        for line in goods:
            number = self._names.sku.get(line.sku, line.sku)
            if line.quantity.unit in _PACKS:
                raise NeedsEdit(
                    f"goods came back in {line.quantity.unit}, and a return order counts in the item's base unit",
                    field="lines[].quantity.unit",
                    rule="business_central.return_unit",
                    value=line.quantity.unit,
                    fix="say what came back in the base unit, then retry",
                )
            place = self._scrap_location if line.disposition == "scrap" else receipt.location
            lines.append(
                {
                    "item": number,
                    "quantity": line.quantity.value,
                    "price": prices.get(code(number), _ZERO),
                    "location": self._names.location.get(place, place),
                }
            )
        body = self._translate[ITEM_RECEIPT](
            {
                "document": receipt,
                "known": item.known,
                "reference": item.reference,
                "names": {
                    "external_number": external_number(item.reference),
                    "customer": sold.customer_number,
                    "order_number": sold.order_number,
                },
                "lines": lines,
            }
        )
        await self._client.record("POST", _RETURNS, body=body, extension=True)

    async def _credit(self, item: Outgoing) -> Delivered:
        refund: Refund = item.document
        memo, exchange = await self._memo(item)
        if memo is None:
            sold = await self._sold(refund.order_key)
            body = self._translate[CREDIT_MEMO](
                {
                    "document": refund,
                    "known": item.known,
                    "reference": item.reference,
                    "names": {
                        "external_number": external_number(item.reference),
                        "customer": sold.customer_number,
                        "currency": self._names.currency,
                    },
                    "lines": self._given(refund),
                }
            )
            await self._client.record("POST", _MEMOS, body=body)
            memo, exchange = await self._memo(item)
            if memo is None:
                raise CallFailed(OutcomeUnknown("the credit memo that was made is not there", rule="answer"), exchange)
        if memo.status != _DRAFT:
            return Delivered(reference=memo.number, exchange=exchange)
        reply = await self._client.record("POST", f"{_MEMOS}({memo.id})/Microsoft.NAV.post")
        # Posting gives it another number.
        posted, _ = await self._memo(item)
        return Delivered(
            reference=posted.number if posted is not None else memo.number,
            exchange=reply.exchange if reply is not None else exchange,
        )

    def _given(self, refund: Refund) -> list[dict[str, Any]]:
        """What was given back of each line, and the fee that was kept, as services: quantity and price."""
        service = self._service(refund, "refund")
        lines = [
            {"item": service, "description": f"{line.quantity.value} {line.sku}", "quantity": 1, "price": line.amount}
            for line in refund.lines
            if line.amount.amount
        ]
        if refund.fee is not None and refund.fee.amount:
            fee = self._service(refund, "restocking_fee" if "restocking_fee" in self._names.charge_items else "fee")
            lines.append({"item": fee, "description": "Restocking fee", "quantity": -1, "price": refund.fee})
        return lines

    def _service(self, refund: Refund, kind: str) -> str:
        number = self._names.charge_items.get(kind)
        if number is None:
            raise NeedsEdit(
                f"no item of Business Central stands for a {kind.replace('_', ' ')}",
                field="lines",
                rule="business_central.charge_item",
                value=kind,
                fix=f"add charge_items: {{{kind}: <number of a service>}} to the settings, then retry",
            )
        return number

    async def _sold(self, reference: str) -> _Sold:
        """Who the order with our `reference` was sold to, from the order, or from its invoice when that is all there
        is. NeedsEdit when there is neither."""
        stored = await find_order(self._client, reference)
        if stored is not None:
            lines = [_SoldLine(line.line_object_number, line.unit_price) for line in stored.lines]
            return _Sold(str(stored.header.get("customerNumber", "")), stored.number, lines)
        wanted = f"externalDocumentNumber eq {text(external_number(reference))}"
        query = query_of(filter=wanted, expand="salesInvoiceLines", top="1")
        page = await self._client.page("salesInvoices", query, _Sold)
        if page.rows:
            return page.rows[0]
        raise NeedsEdit(
            "Business Central has neither a sales order nor an invoice for this return",
            field="order_key",
            rule="business_central.order_known",
            value=reference,
            fix="retry after the order has reached Business Central, or correct the order the return belongs to",
        )

    def _order_reference(self, item: Outgoing) -> str:
        """Our reference of the order: a receipt names its return alone, and what is known of the order goes with it."""
        before = f"{self._order_key}/"
        found = next((name.removeprefix(before) for name in item.known if name.startswith(before)), "")
        if not found:
            raise NeedsEdit(
                "Business Central was never told of the order whose goods came back",
                field="return_key",
                rule="business_central.order_known",
                value=item.document.return_key,
                fix="retry after the order has reached Business Central",
            )
        return found

    async def _return_order(self, item: Outgoing) -> tuple[_ReturnOrder | None, Exchange]:
        query = query_of(filter=_named(item), expand="lines", top="2")
        page = await self._client.page(_RETURNS, query, _ReturnOrder, extension=True)
        return (_only(page.rows, item), page.exchange)

    async def _memo(self, item: Outgoing) -> tuple[_Memo | None, Exchange]:
        page = await self._client.page(_MEMOS, query_of(filter=_named(item), top="2"), _Memo)
        return (_only(page.rows, item), page.exchange)


def _named(item: Outgoing) -> str:
    return f"externalDocumentNumber eq {text(external_number(item.reference))}"


def _only(rows: list[Any], item: Outgoing) -> Any:
    if len(rows) > 1:
        raise NeedsEdit(
            "Business Central has more than one document with this external document number",
            field="return_key",
            rule="business_central.one_document",
            value=external_number(item.reference),
            fix="delete the one that was entered twice in Business Central, then retry",
        )
    return rows[0] if rows else None
