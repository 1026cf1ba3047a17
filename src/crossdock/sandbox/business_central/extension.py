# SPDX-License-Identifier: Apache-2.0
"""The API page of Crossdock's AL extension: shipments posted without an invoice, and sales return orders."""

from __future__ import annotations

from typing import Any

from crossdock.sandbox.business_central.check import Body
from crossdock.sandbox.business_central.post import Posting
from crossdock.sandbox.business_central.problems import NO_RELATION, NO_VALUE, SAME_KEY, BusinessCentralError, dialog
from crossdock.sandbox.business_central.records import Record, Store
from crossdock.sandbox.business_central.stock import Movement, Stock

RELATION = (
    "The field {field} of table {table} contains a value ({value}) that cannot be found "
    "in the related table ({related})."
)
STEP = 10_000


class Extension:
    """Writes what the API page takes (checked by check.check_body)."""

    def __init__(self, store: Store, stock: Stock, posting: Posting) -> None:
        self._store = store
        self._stock = stock
        self._posting = posting

    def create(self, collection: str, body: Body) -> Record:
        """File one entry. Raises BusinessCentralError."""
        with self._store.transaction():
            if collection == "salesOrderShipments":
                return self._ship(body.values, body.lines.get("lines", []))
            return self._return(body.values, body.lines.get("lines", []))

    def _ship(self, values: dict[str, Any], lines: list[dict[str, Any]]) -> Record:
        reference = _need(values, "externalReference")
        if self._store.one("salesOrderShipments", "externalReference", reference) is not None:
            text = "The Sales Order Shipment already exists. Identification fields and values: External Reference="
            raise BusinessCentralError(400, SAME_KEY, f"{text}'{reference}'")
        order = self._store.one("salesOrders", "number", _need(values, "orderNumber"))
        if order is None:
            raise dialog(f"The sales order {values['orderNumber']} cannot be found.")
        sold = {line["sequence"]: line for line in self._store.lines("salesOrderLines", order["id"])}
        quantities: dict[str, Any] = {}
        places: dict[str, str] = {}
        for line in lines:
            held = sold.get(_need(line, "lineSequence"))
            if held is None or held["lineType"] == "Comment":
                raise dialog(f"Sales order {order['number']} has no line {line['lineSequence']} that can be shipped.")
            if held["id"] in quantities:
                raise dialog(f"Line {line['lineSequence']} is told twice.")
            if _need(line, "quantity") <= 0:
                raise dialog("Quantity must be above zero.")
            quantities[held["id"]] = line["quantity"]
            place = self._location(line.get("locationCode", ""), "Crossdock Shipment Line")
            if place is not None and self._has_stock(held):
                places[held["id"]] = place["id"]
        if not quantities:
            raise dialog("There is nothing to post.")
        shipment = self._posting.ship(order, quantities, values.get("shipmentDate"), places)
        if not order.get("_released"):
            self._posting.reopen(order["id"])
        dated = {"shipmentDate": shipment["postingDate"], **values, "orderNumber": order["number"]}
        made = self._store.add("salesOrderShipments", {**dated, "documentNumber": shipment["number"]})
        for line in lines:
            item = sold[line["lineSequence"]]["lineObjectNumber"]
            row = {"documentId": made["id"], "itemNumber": item, **line}
            self._store.add("salesOrderShipmentLines", row)
        return self._store.get("salesOrderShipments", made["id"])

    def _return(self, values: dict[str, Any], lines: list[dict[str, Any]]) -> Record:
        if self._store.one("customers", "number", _need(values, "customerNumber")) is None:
            raise dialog("The sell-to customer cannot be found.")
        if not lines:
            raise dialog("A sales return order needs at least one line.")
        made = self._store.add(
            "salesReturnOrders", {**values, "number": self._store.number("S-RETORD"), "status": "Open"}
        )
        for place, line in enumerate(lines, start=1):
            self._return_line(made, place * STEP, line)
        key = values.get("externalDocumentNumber", "")
        if key:
            before = self._store.books.table("creations").get(f"salesReturnOrders/{key}", [])
            self._store.put_own("creations", f"salesReturnOrders/{key}", [*before, made["id"]])
        return self._store.get("salesReturnOrders", made["id"])

    def _return_line(self, order: Record, sequence: int, line: dict[str, Any]) -> None:
        item = self._store.one("items", "number", _need(line, "itemNumber"))
        if item is None:
            text = RELATION.format(field="No.", table="Sales Line", value=line["itemNumber"], related="Item")
            raise BusinessCentralError(400, NO_RELATION, text)
        self._location(line.get("locationCode", ""), "Sales Line")
        if _need(line, "quantity") <= 0:
            raise dialog("Quantity must be above zero.")
        row = {"unitPrice": item.get("unitPrice", 0), **line, "documentId": order["id"], "lineSequence": sequence}
        self._store.add("salesReturnOrderLines", {**row, "receivedQuantity": 0})

    def receive(self, order: Record, given: dict[str, Any]) -> None:
        """`Microsoft.NAV.receive`: post the receipt of `lines`. Raises BusinessCentralError for more than remains."""
        lines = given.get("lines")
        if not isinstance(lines, list) or not lines or not all(_is_receipt(line) for line in lines):
            raise dialog("lines must hold at least one {lineSequence, quantity}, with a quantity above zero.")
        with self._store.transaction():
            number = self._store.number("S-RCPT")
            for told in lines:
                held = {line["lineSequence"]: line for line in self._held(order)}.get(told["lineSequence"])
                if held is None:
                    raise dialog(f"Return order {order['number']} has no line {told['lineSequence']}.")
                self._receive_line(order, held, told["quantity"], number)
            after = self._held(order)
            whole = all(line["receivedQuantity"] >= line["quantity"] for line in after)
            order = self._store.get("salesReturnOrders", order["id"])
            self._store.change("salesReturnOrders", order, status="Received" if whole else "Partially Received")
            self._store.put_own("receipts", number, {"number": number, "order": order["number"], "lines": lines})

    def _receive_line(self, order: Record, line: Record, quantity: Any, number: str) -> None:
        remaining = line["quantity"] - line["receivedQuantity"]
        if quantity > remaining:
            raise dialog(f"You cannot receive more than {remaining} units.")
        self._store.change("salesReturnOrderLines", line, receivedQuantity=line["receivedQuantity"] + quantity)
        place, source = line.get("locationCode", ""), order["customerNumber"]
        self._stock.move(Movement(line["itemNumber"], place, quantity, "Sale", "Sales Return Receipt", number, source))

    def _location(self, code: str, table: str) -> Record | None:
        """The location with `code`, None for "". Raises BusinessCentralError when there is none."""
        found = self._store.one("locations", "code", code) if code else None
        if code and found is None:
            text = RELATION.format(field="Location Code", table=table, value=code, related="Location")
            raise BusinessCentralError(400, NO_RELATION, text)
        return found

    def _has_stock(self, line: Record) -> bool:
        item = self._store.one("items", "number", line["lineObjectNumber"]) if line["lineType"] == "Item" else None
        return item is not None and item.get("type", "Inventory") == "Inventory"

    def _held(self, order: Record) -> list[Record]:
        return self._store.lines("salesReturnOrderLines", order["id"])


def _need(values: dict[str, Any], name: str) -> Any:
    if values.get(name) in (None, ""):
        raise BusinessCentralError(400, NO_VALUE, f"Field '{name}' must not be blank or empty.")
    return values[name]


def _is_receipt(line: Any) -> bool:
    if not isinstance(line, dict) or set(line) != {"lineSequence", "quantity"}:
        return False
    numbers = isinstance(line["lineSequence"], int) and isinstance(line["quantity"], int | float)
    return numbers and not isinstance(line["quantity"], bool) and line["quantity"] > 0
