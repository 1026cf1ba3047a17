# SPDX-License-Identifier: Apache-2.0
"""Invoices (`!transform/invoice`, and a billing run as an accountant makes it), payments applied to them, deposits.

An invoice bills what was fulfilled and is on no other one; items that are no goods go whole with the first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from crossdock.sandbox.netsuite.problems import NetSuiteError
from crossdock.sandbox.netsuite.records import Account, Record

_DAYS = 30


class Biller:
    """Makes the records of what orders are billed and paid, and keeps orders and invoices in step."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def run(self, orders: tuple[str, ...]) -> list[Record]:
        """A billing run over `orders` (internal ids; none: all): an invoice for each of which something is to bill."""
        every = self._account.all("salesOrder")
        chosen = [self._account.get("salesOrder", ident) for ident in orders] if orders else list(every.values())
        return [self.invoice(order, {}) for order in chosen if self._billable(order)]

    def invoice(self, order: Record, body: dict[str, Any]) -> Record:
        """An invoice for all that is to bill of a sales order. Raises NetSuiteError when that is nothing."""
        billable = self._billable(order)
        if not billable:
            raise NetSuiteError(400, "INVALID_INITIALIZE_REF", "There is nothing to bill on the order.")
        first = not self._of(order)
        lines = [self._line(order, line, quantity, number) for number, (line, quantity) in enumerate(billable, start=1)]
        shipping = (order.get("shippingCost") or 0) if first else 0
        total = round(sum(line["amount"] or 0 for line in lines) + shipping, 2)
        today = datetime.now(UTC).date()
        ident = self._account.new_id()
        record = {
            "externalId": body.get("externalId"),
            "id": ident,
            "tranId": f"INV{ident}",
            "tranDate": today.isoformat(),
            "dueDate": (today + timedelta(days=_DAYS)).isoformat(),
            "createdFrom": {"id": order["id"], "refName": f"Sales Order #{order['tranId']}"},
            "entity": order["entity"],
            "currency": order.get("currency"),
            "shippingCost": shipping or None,
            "status": "A",
            "total": total,
            "amountRemaining": total,
            "item": lines,
        }
        self._account.add("invoice", record)
        for line, quantity in billable:
            line["quantityBilled"] = line.get("quantityBilled", 0) + quantity
        if all(line.get("quantityBilled", 0) >= line["quantity"] for line in order["item"]):
            order["status"] = "G"
        self._account.keep("salesOrder", order)
        return record

    def pay(self, invoice: Record, amount: float | None) -> Record:
        """A customer payment applied to an invoice, of all that is open or of `amount`."""
        remaining = invoice["amountRemaining"]
        paid = remaining if amount is None else amount
        if invoice["status"] != "A" or not 0 < paid <= remaining:
            raise NetSuiteError(400, "USER_ERROR", f"The amount {paid} is not within the {remaining} that are open.")
        ident = self._account.new_id()
        record = {
            "id": ident,
            "tranId": f"PYMT{ident}",
            "tranDate": datetime.now(UTC).date().isoformat(),
            "entity": invoice["entity"],
            "currency": invoice.get("currency"),
            "payment": paid,
            "status": "B",
            "apply": [{"line": 1, "apply": True, "doc": {"id": invoice["id"]}, "amount": paid}],
        }
        self._account.add("customerPayment", record)
        invoice["amountRemaining"] = round(remaining - paid, 2)
        invoice["status"] = "A" if invoice["amountRemaining"] else "B"
        self._account.keep("invoice", invoice)
        return record

    def void(self, invoice: Record) -> Record:
        """Void an invoice: it stays, its amounts are nothing, and what it billed is to bill again."""
        if invoice["status"] != "A" or invoice["amountRemaining"] != invoice["total"]:
            raise NetSuiteError(400, "USER_ERROR", "An invoice that was paid cannot be voided.")
        order = self._account.get("salesOrder", invoice["createdFrom"]["id"])
        by_line = {line["line"]: line for line in order["item"]}
        for line in invoice["item"]:
            by_line[line["orderLine"]]["quantityBilled"] -= line["quantity"]
            line["amount"] = 0
        invoice.update(status="V", total=0, amountRemaining=0, shippingCost=None)
        self._account.keep("invoice", invoice)
        self._account.keep("salesOrder", order)
        return invoice

    def deposit(self, body: dict[str, Any]) -> Record:
        """A customer deposit: money that came in before there was an invoice. Raises NetSuiteError."""
        for name, title in (("customer", "Customer"), ("payment", "Payment Amount")):
            if not body.get(name):
                raise NetSuiteError(400, "USER_ERROR", f"Please enter value(s) for: {title}.", f"$.{name}")
        if body["payment"] <= 0:
            raise NetSuiteError(400, "USER_ERROR", "The payment amount must be above zero.", "$.payment")
        head = dict(body)
        head["customer"] = self._account.resolve(body["customer"], "customer", "$.customer")
        for name in ("currency", "subsidiary"):
            if body.get(name):
                head[name] = self._account.resolve(body[name], name, f"$.{name}")
        if body.get("salesOrder"):
            given = body["salesOrder"]
            key = str(given.get("id") or f"eid:{given.get('externalId')}")
            order = self._account.find("salesOrder", key)
            if order is None or order["entity"]["id"] != head["customer"]["id"]:
                raise NetSuiteError(400, "INVALID_KEY_OR_REF", "Invalid sales order of this customer.", "$.salesOrder")
            head["salesOrder"] = {"id": order["id"], "refName": f"Sales Order #{order['tranId']}"}
        ident = self._account.new_id()
        record = {**head, "id": ident, "entity": head["customer"], "status": "A"}
        record["tranId"] = body.get("tranId") or f"DEP{ident}"
        self._account.add("customerDeposit", record)
        self._remember(record)
        return record

    def _remember(self, record: Record) -> None:
        name = f"customerDeposit {record.get('externalId') or record['id']}"
        made = [*self._account.books.table("created_by_external_id").get(name, []), record["id"]]
        self._account.books.put("created_by_external_id", name, made)

    def _of(self, order: Record) -> list[Record]:
        """The invoices of an order that hold."""
        every = self._account.all("invoice")
        made = [every[ident] for ident in self._account.by_origin.get(order["id"], ()) if ident in every]
        return [record for record in made if record["status"] != "V"]

    def _billable(self, order: Record) -> list[tuple[dict[str, Any], float]]:
        goods = self._account.catalog.by_sku()
        found = []
        for line in order["item"]:
            billed = line.get("quantityBilled", 0)
            is_goods = line["item"]["refName"] in goods
            left = (line["quantityFulfilled"] if is_goods else line["quantity"]) - billed
            if left > 0:
                found.append((line, left, is_goods))
        ready = any(is_goods for *_, is_goods in found) or all(
            line["item"]["refName"] not in goods for line in order["item"]
        )
        return [(line, left) for line, left, _ in found] if ready else []

    def _line(self, order: Record, line: dict[str, Any], quantity: float, number: int) -> dict[str, Any]:
        """A line of an invoice; the one that completes an order line has what earlier ones left of its amount."""
        whole = line.get("amount") or 0
        amount = round(whole * quantity / line["quantity"], 2)
        if line.get("quantityBilled", 0) + quantity >= line["quantity"]:
            amount = round(whole - self._billed(order, line["line"]), 2)
        return {
            "line": number,
            "orderLine": line["line"],
            "item": line["item"],
            "description": line.get("description"),
            "quantity": quantity,
            "rate": line.get("rate"),
            "amount": amount,
        }

    def _billed(self, order: Record, number: int) -> float:
        lines = [line for record in self._of(order) for line in record["item"]]
        return sum((line["amount"] or 0 for line in lines if line["orderLine"] == number), 0.0)
