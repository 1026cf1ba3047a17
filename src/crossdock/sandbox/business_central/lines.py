# SPDX-License-Identifier: Apache-2.0
"""Lines of sales documents: what they sell, their amounts, and what is still to ship and to invoice."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crossdock.sandbox.business_central.entities import BLANK_ID, ENTITIES, PARENTS
from crossdock.sandbox.business_central.problems import (
    FIELD_VALUE,
    NO_RELATION,
    READ_ONLY,
    SAME_KEY,
    BusinessCentralError,
    dialog,
)
from crossdock.sandbox.business_central.records import Record, Store
from crossdock.sandbox.business_central.seed import UNIT
from crossdock.sandbox.business_central.stock import Stock

ORDER_LINES = "salesOrderLines"
SOURCES = {"Item": ("items", "itemId", "Item"), "Account": ("accounts", "accountId", "G/L Account")}
POSTED_BY = ("shippedQuantity", "invoicedQuantity")
RELEASED_FIELDS = frozenset({"shipQuantity", "invoiceQuantity", "shipmentDate", "description", "description2"})
RELATION = (
    "The field {field} of table Sales Line contains a value ({value}) that cannot be found "
    "in the related table ({table})."
)
RELEASED = (
    "Status must be equal to 'Open'  in Sales Header: Document Type=Order, No.={number}. Current value is 'Released'."
)
NOT_INVOICED = "Qty. Shipped Not Invoiced must be equal to '0'  in Sales Line: Document No.={number}."
SHIPPED = "Quantity Shipped must be equal to '0'  in Sales Line: Document No.={number}, Line No.={sequence}."
SET_UNTIL_SHIPPED = frozenset(
    {"itemId", "accountId", "lineObjectNumber", "lineType", "unitOfMeasureId", "unitOfMeasureCode"}
)
TAKEN_OVER = ("description", "unitPrice")
STEP = 10_000
CENT = Decimal("0.01")


def plain(value: Decimal) -> int | float:
    """A decimal as JSON shows it."""
    return int(value) if value == value.to_integral_value() else float(value)


def exact(value: Any) -> Decimal:
    """A JSON number without the noise of binary fractions."""
    return Decimal(str(value))


class Lines:
    """Writes checked lines (see check.Body) of orders, invoices and credit memos."""

    def __init__(self, store: Store, stock: Stock) -> None:
        self._store = store
        self._stock = stock

    def add(self, collection: str, document: Record, values: dict[str, Any]) -> Record:
        """File a new line of a document that may still be changed. Raises BusinessCentralError."""
        _refuse_posted(values)
        line = {"quantity": 0, **values, "documentId": document["id"]}
        line["sequence"] = self._sequence(collection, document, values.get("sequence"))
        self._source(line, values)
        if collection == ORDER_LINES:
            line |= {"shippedQuantity": 0, "invoicedQuantity": 0}
            _instruct(line, values)
        _amounts(line)
        made = self._store.add(collection, line)
        if collection == ORDER_LINES:
            self._stock.outstanding(None, made)
        return made

    def change(self, collection: str, line: Record, values: dict[str, Any]) -> Record:
        """File a line with other values. Raises BusinessCentralError and then changes nothing."""
        _refuse_posted(values)
        document = self._store.get(PARENTS[collection], line["documentId"])
        if document.get("_released") and not set(values) <= RELEASED_FIELDS:
            raise BusinessCentralError(400, FIELD_VALUE, RELEASED.format(number=document["number"]))
        if values.get("sequence", line["sequence"]) != line["sequence"]:
            values = {**values, "sequence": self._sequence(collection, document, values["sequence"])}
        if values.get("documentId", line["documentId"]) != line["documentId"]:
            raise dialog("The documentId cannot be changed.")
        _refuse_shipped(document, line, {name for name, value in values.items() if line.get(name) != value})
        merged = {**line, **values}
        if {"itemId", "accountId", "lineObjectNumber", "lineType"} & set(values):
            # Something else is sold: its description and price come anew from there, unless they are told.
            merged = {name: value for name, value in merged.items() if name in values or name not in TAKEN_OVER}
        self._source(merged, values)
        if collection == ORDER_LINES:
            _instruct(merged, values)
        _amounts(merged, values)
        changed = self._store.change(collection, line, **merged)
        if collection == ORDER_LINES:
            self._stock.outstanding(line, changed)
        return changed

    def remove(self, collection: str, line: Record) -> None:
        """Delete a line that nothing was posted of. Raises BusinessCentralError."""
        document = self._store.get(PARENTS[collection], line["documentId"])
        if document.get("_released"):
            raise BusinessCentralError(400, FIELD_VALUE, RELEASED.format(number=document["number"]))
        if _not_invoiced(line):
            raise BusinessCentralError(400, FIELD_VALUE, NOT_INVOICED.format(number=document["number"]))
        self.forget(collection, line)

    def forget(self, collection: str, line: Record) -> None:
        """Take a line out without asking."""
        self._store.remove(collection, line)
        if collection == ORDER_LINES:
            self._stock.outstanding(line, None)

    def _sequence(self, collection: str, document: Record, wanted: int | None) -> int:
        taken = {line["sequence"] for line in self._store.by(collection, "documentId", document["id"])}
        if not wanted:
            return (max(taken, default=0) // STEP + 1) * STEP
        if wanted in taken:
            text = f"The Sales Line already exists. Identification fields and values: Line No.='{wanted}'"
            raise BusinessCentralError(400, SAME_KEY, text)
        return wanted

    def _source(self, line: Record, values: dict[str, Any]) -> None:
        kind = self._kind(line, values)
        line["lineType"] = kind
        if kind == "Comment":
            if values.get("lineObjectNumber"):
                text = RELATION.format(field="No.", value=values["lineObjectNumber"], table="Standard Text")
                raise BusinessCentralError(400, NO_RELATION, text)
            line |= {"unitPrice": 0, "quantity": 0}
            return
        if kind not in SOURCES:
            raise dialog(f"Lines of type {kind} are not simulated.")
        collection, by_id, table = SOURCES[kind]
        found = self._sold(line, values, collection, by_id, table)
        if found.get("blocked") is True:
            text = f"Blocked must be equal to 'No'  in {table}: No.={found['number']}. Current value is 'Yes'."
            raise BusinessCentralError(400, FIELD_VALUE, text)
        line |= {by_id: found["id"], "lineObjectNumber": found["number"]}
        line["description"] = line.get("description") or found["displayName"]
        line.setdefault("unitPrice", found.get("unitPrice", 0))
        self._place(line)

    def _kind(self, line: Record, values: dict[str, Any]) -> str:
        if "lineType" in values:
            return str(values["lineType"])
        if values.get("itemId", BLANK_ID) != BLANK_ID:
            return "Item"
        if values.get("accountId", BLANK_ID) != BLANK_ID:
            return "Account"
        return str(line.get("lineType", "Comment"))

    def _sold(self, line: Record, values: dict[str, Any], collection: str, by_id: str, table: str) -> Record:
        ident = values.get(by_id, BLANK_ID) if {by_id, "lineObjectNumber"} & set(values) else line.get(by_id, BLANK_ID)
        number = values.get("lineObjectNumber", "")
        found = self._store.find(collection, ident) if ident != BLANK_ID else None
        if ident != BLANK_ID and found is None:
            raise dialog(f'The "{by_id}" does not match to a {table}.')
        if found is not None and number and found["number"] != number:
            raise dialog(f'The "{by_id}" and the "lineObjectNumber" do not match to a specific {table}.')
        found = found or self._store.one(collection, "number", number)
        if found is None:
            text = RELATION.format(field="No.", value=number, table=table)
            raise BusinessCentralError(400, NO_RELATION, text)
        return found

    def _place(self, line: Record) -> None:
        if line.get("locationId", BLANK_ID) != BLANK_ID and self._store.find("locations", line["locationId"]) is None:
            raise dialog('The "locationId" does not match to a Location.')
        if line.setdefault("unitOfMeasureCode", UNIT) != UNIT:
            value = line["unitOfMeasureCode"]
            text = RELATION.format(field="Unit of Measure Code", value=value, table="Item Unit of Measure")
            raise BusinessCentralError(400, NO_RELATION, text)


def _refuse_posted(values: dict[str, Any]) -> None:
    for name in POSTED_BY:
        if name in values:
            raise BusinessCentralError(400, READ_ONLY, f"Control '{name}' is read-only.")


def _not_invoiced(line: Record) -> bool:
    return bool(line.get("shippedQuantity", 0) != line.get("invoicedQuantity", 0))


def _refuse_shipped(document: Record, line: Record, changed: set[str]) -> None:
    """What was shipped was of this item, and is at this location until it is invoiced."""
    if changed & SET_UNTIL_SHIPPED and line.get("shippedQuantity", 0):
        text = SHIPPED.format(number=document["number"], sequence=line["sequence"])
        raise BusinessCentralError(400, FIELD_VALUE, text)
    if "locationId" in changed and _not_invoiced(line):
        raise BusinessCentralError(400, FIELD_VALUE, NOT_INVOICED.format(number=document["number"]))


def _instruct(line: Record, values: dict[str, Any]) -> None:
    """What is to ship and to invoice: all that remains, unless it is told; changing the one sets the other anew."""
    if line["quantity"] < line["shippedQuantity"] or line["quantity"] < 0:
        raise dialog(f"Quantity must not be less than {line['shippedQuantity']} in Sales Line No.={line['sequence']}.")
    remaining = line["quantity"] - line["shippedQuantity"]
    if "shipQuantity" in values:
        if not 0 <= values["shipQuantity"] <= remaining:
            raise dialog(f"You cannot ship more than {remaining} units.")
    elif "quantity" in values or "shipQuantity" not in line:
        line["shipQuantity"] = remaining
    most = line["shipQuantity"] + line["shippedQuantity"] - line["invoicedQuantity"]
    if "invoiceQuantity" in values:
        if not 0 <= values["invoiceQuantity"] <= most:
            raise dialog(f"You cannot invoice more than {most} units.")
    elif {"quantity", "shipQuantity"} & set(values) or "invoiceQuantity" not in line:
        line["invoiceQuantity"] = most


def _amounts(line: Record, values: dict[str, Any] | None = None) -> None:
    """The computed amounts. A discount is told as an amount or in percent; the last one told sets the other."""
    given = line if values is None else values
    gross = exact(line["quantity"]) * exact(line["unitPrice"])
    if "discountAmount" in given and ("discountPercent" not in given or not given["discountPercent"]):
        discount = exact(line["discountAmount"])
        percent = discount / gross * 100 if gross else Decimal(0)
    else:
        percent = exact(line.get("discountPercent", 0))
        discount = gross * percent / 100
    net = (gross - discount).quantize(CENT, ROUND_HALF_UP)
    line |= {
        "discountAmount": plain(discount.quantize(CENT, ROUND_HALF_UP)),
        "discountPercent": plain(percent.quantize(Decimal("0.00001"), ROUND_HALF_UP)),
        "amountExcludingTax": plain(net),
        "amountIncludingTax": plain(net),
        "netAmount": plain(net),
        "netAmountIncludingTax": plain(net),
    }


def total(store: Store, collection: str, document: Record) -> dict[str, Any]:
    """The totals of a document over its lines; its own discount lowers them."""
    lines = store.by(next(iter(ENTITIES[collection].parts.values())), "documentId", document["id"])
    whole = sum((exact(line["amountExcludingTax"]) for line in lines), Decimal(0))
    net = plain(whole - exact(document.get("discountAmount", 0)))
    return {"totalAmountExcludingTax": net, "totalTaxAmount": 0, "totalAmountIncludingTax": net}
