# SPDX-License-Identifier: Apache-2.0
"""Posting: what is shipped leaves the stock and becomes a sales shipment, what is invoiced becomes a posted invoice."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from crossdock.sandbox.business_central.documents import LINES, Documents
from crossdock.sandbox.business_central.entities import BLANK_ID, ENTITIES
from crossdock.sandbox.business_central.lines import exact, plain
from crossdock.sandbox.business_central.problems import dialog
from crossdock.sandbox.business_central.records import Record, Store
from crossdock.sandbox.business_central.stock import Movement, Stock

NOTHING = "There is nothing to post."
NOT_COMPLETE = "This document cannot be shipped completely. Change the value in the Shipping Advice field to Partial."
SHIPPED_AS = {"Item": "Item", "Account": "G/L Account"}


class Posting:
    """Posts orders, invoices and credit memos."""

    def __init__(self, store: Store, stock: Stock, documents: Documents) -> None:
        self._store = store
        self._stock = stock
        self._documents = documents

    def ship_and_invoice(self, order: Record) -> None:
        """`Microsoft.NAV.shipAndInvoice`: ship what is to ship, invoice what is to invoice. Raises
        BusinessCentralError."""
        with self._store.transaction():
            lines = self._store.lines("salesOrderLines", order["id"])
            shipped = {line["id"]: line["shipQuantity"] for line in lines if line["shipQuantity"]}
            invoiced = {line["id"]: line["invoiceQuantity"] for line in lines if line["invoiceQuantity"]}
            if not shipped and not invoiced:
                raise dialog(NOTHING)
            if shipped:
                self.ship(order, shipped)
            if invoiced:
                self.invoice(self._store.get("salesOrders", order["id"]), invoiced)

    def ship(
        self,
        order: Record,
        quantities: Mapping[str, Any],
        date: str | None = None,
        places: Mapping[str, str] = MappingProxyType({}),
    ) -> Record:
        """Post a shipment of so much of each line (by id). Raises BusinessCentralError for more than remains.

        `places`: by line, the id of the location its goods leave instead of the line's own; the line keeps its own."""
        self._documents.may_trade(order, "post")
        lines = self._store.lines("salesOrderLines", order["id"])
        head = _taken(order, "salesShipments")
        number = self._store.number("S-SHPT")
        dates = dict.fromkeys(("postingDate", "invoiceDate", "dueDate"), date or self._store.today())
        shipment = self._store.add(
            "salesShipments", {**head, **dates, "number": number, "orderNumber": order["number"]}
        )
        for line in lines:
            quantity = quantities.get(line["id"], 0)
            if quantity:
                self._ship_line(shipment, line, quantity, places.get(line["id"], line.get("locationId", BLANK_ID)))
        self._store.change("salesOrders", self._store.get("salesOrders", order["id"]), status="Open", _released=True)
        after = self._documents.settle("salesOrders", order["id"])
        if not order["partialShipping"] and not after["fullyShipped"]:
            raise dialog(NOT_COMPLETE)
        self._store.books.bump("salesShipments.posted")
        return shipment

    def reopen(self, ident: str) -> None:
        """Let the lines of an order be changed again: posting has released it."""
        self._store.change("salesOrders", self._store.get("salesOrders", ident), status="Draft", _released=False)

    def _ship_line(self, shipment: Record, line: Record, quantity: Any, place: str) -> None:
        remaining = line["quantity"] - line["shippedQuantity"]
        if not 0 < quantity <= remaining:
            raise dialog(f"You cannot ship more than {remaining} units.")
        made = _taken(line, "salesShipmentLines")
        made |= {"documentId": shipment["id"], "documentNo": shipment["number"], "quantity": quantity}
        made["lineType"] = SHIPPED_AS[line["lineType"]]
        self._store.add("salesShipmentLines", made)
        self._goods({**line, "locationId": place}, -quantity, "Sales Shipment", shipment)
        done = line["shippedQuantity"] + quantity
        rest = line["quantity"] - done
        values = {
            "shippedQuantity": done,
            "shipQuantity": rest,
            "invoiceQuantity": rest + done - line["invoicedQuantity"],
        }
        changed = self._store.change("salesOrderLines", line, **values)
        self._stock.outstanding(line, changed)

    def invoice(self, order: Record, quantities: Mapping[str, Any]) -> Record:
        """Post an invoice over what was shipped. An order that is invoiced whole is gone from the orders then."""
        self._documents.may_trade(order, "post")
        head = _taken(order, "salesInvoices") | {"orderId": order["id"], "orderNumber": order["number"]}
        head |= dict.fromkeys(("postingDate", "invoiceDate", "dueDate"), self._store.today())
        invoice = self._store.add("salesInvoices", {**head, "number": self._store.number("PS-INV"), "status": "Open"})
        for line in self._store.lines("salesOrderLines", order["id"]):
            quantity = quantities.get(line["id"], 0)
            if not quantity:
                continue
            if quantity > line["shippedQuantity"] - line["invoicedQuantity"]:
                raise dialog(
                    f"You cannot invoice more than {line['shippedQuantity'] - line['invoicedQuantity']} units."
                )
            self._store.add("salesInvoiceLines", _part(line, invoice, quantity))
            done = line["invoicedQuantity"] + quantity
            most = line["shipQuantity"] + line["shippedQuantity"] - done
            self._store.change("salesOrderLines", line, invoicedQuantity=done, invoiceQuantity=most)
        self._share_discount(order, invoice)
        self._documents.settle("salesInvoices", invoice["id"])
        self._open(invoice["id"])
        self._store.books.bump("salesInvoices.posted")
        self._finish(order["id"])
        return self._store.get("salesInvoices", invoice["id"])

    def post(self, collection: str, document: Record) -> Record:
        """`Microsoft.NAV.post` of a draft: goods go with an invoice and come back with a credit memo."""
        self._documents.must_be_draft(collection, document)
        with self._store.transaction():
            self._documents.may_trade(document, "post")
            lines = [line for line in self._store.lines(LINES[collection], document["id"]) if line["quantity"]]
            if not lines:
                raise dialog(NOTHING)
            invoice = collection == "salesInvoices"
            number = self._store.number("PS-INV" if invoice else "PS-CR")
            posted = self._store.change(collection, document, number=number, status="Open")
            paper, sign = ("Sales Invoice", -1) if invoice else ("Sales Credit Memo", 1)
            for line in lines:
                self._goods(line, sign * line["quantity"], paper, posted)
            self._store.books.bump(f"{collection}.posted")
            return self._open(document["id"]) if invoice else posted

    def cancel(self, invoice: Record) -> Record:
        """`Microsoft.NAV.cancel` of a posted invoice: a corrective credit memo is posted over all of it."""
        with self._store.transaction():
            memo = self.post("salesCreditMemos", self.correct(invoice))
            self._store.change("salesInvoices", invoice, status="Canceled", remainingAmount=0)
            return self._store.change("salesCreditMemos", memo, status="Corrective")

    def correct(self, invoice: Record) -> Record:
        """`Microsoft.NAV.makeCorrectiveCreditMemo`: a draft credit memo over a posted invoice. Raises
        BusinessCentralError for an invoice that is a draft or canceled."""
        if invoice["status"] not in ("Open", "Paid"):
            raise dialog(f"You cannot correct the Sales Invoice {invoice['number']}: it is not an open posted invoice.")
        with self._store.transaction():
            head = _taken(invoice, "salesCreditMemos")
            head |= {"invoiceId": invoice["id"], "invoiceNumber": invoice["number"], "status": "Draft"}
            head |= {"creditMemoDate": self._store.today(), "number": self._store.number("S-CR")}
            memo = self._store.add("salesCreditMemos", head)
            for line in self._store.lines("salesInvoiceLines", invoice["id"]):
                made = _taken(line, "salesCreditMemoLines")
                self._store.add("salesCreditMemoLines", {**made, "documentId": memo["id"]})
            self._store.books.bump("salesCreditMemos.created")
            return self._store.get("salesCreditMemos", memo["id"])

    def _share_discount(self, order: Record, invoice: Record) -> None:
        """The order's own discount goes with its invoices in proportion to what they invoice."""
        discount = exact(order.get("discountAmount", 0))
        if discount:
            whole, part = (
                sum((exact(line["amountExcludingTax"]) for line in self._store.lines(lines, document)), Decimal(0))
                for lines, document in (("salesOrderLines", order["id"]), ("salesInvoiceLines", invoice["id"]))
            )
            share = plain((discount * part / whole).quantize(Decimal("0.01"))) if whole else 0
            invoice = self._store.get("salesInvoices", invoice["id"])
            self._store.change("salesInvoices", invoice, discountAmount=share)

    def _open(self, ident: str) -> Record:
        invoice = self._store.get("salesInvoices", ident)
        return self._store.change("salesInvoices", invoice, remainingAmount=invoice["totalAmountIncludingTax"])

    def _finish(self, ident: str) -> None:
        order = self._store.get("salesOrders", ident)
        lines = self._store.lines("salesOrderLines", ident)
        if all(line["invoicedQuantity"] >= line["quantity"] for line in lines):
            self._store.put_own("archive", ident, {**order, "_lines": lines})
            self._documents.discard("salesOrders", order)

    def _goods(self, line: Record, quantity: Any, paper: str, document: Record) -> None:
        if line["lineType"] != "Item":
            return
        place = self._store.find("locations", line.get("locationId", BLANK_ID))
        self._stock.move(
            Movement(
                line["lineObjectNumber"],
                place["code"] if place else "",
                quantity,
                "Sale",
                paper,
                document["number"],
                document["customerNumber"],
            )
        )


def _taken(source: Record, collection: str) -> Record:
    """What a posted document takes over of another: the properties that both have."""
    fields = ENTITIES[collection].fields
    return {
        name: value for name, value in source.items() if name in fields and name not in ("id", "lastModifiedDateTime")
    }


def _part(line: Record, invoice: Record, quantity: Any) -> Record:
    """An invoice line over a part of an order line; its amounts in proportion."""
    made = _taken(line, "salesInvoiceLines")
    share = exact(quantity) / exact(line["quantity"])
    for name in ("discountAmount", "amountExcludingTax", "amountIncludingTax", "netAmount", "netAmountIncludingTax"):
        made[name] = plain((exact(line[name]) * share).quantize(Decimal("0.01")))
    return {**made, "documentId": invoice["id"], "quantity": quantity}
