# SPDX-License-Identifier: Apache-2.0
"""Stock by item and location, moved by item ledger entries."""

from __future__ import annotations

import msgspec

from crossdock.sandbox.business_central.problems import dialog
from crossdock.sandbox.business_central.records import Record, Store, guid_of
from crossdock.sandbox.business_central.seed import stock_row

NOT_ENOUGH = "You have insufficient quantity of Item {item} on inventory."


class Movement(msgspec.Struct, frozen=True):
    """Goods come (positive) or go. `kind` is the type of the ledger entry, `paper` the type of the posted document."""

    item: str
    place: str
    quantity: float
    kind: str
    paper: str = " "
    number: str = ""
    source: str = ""


class Stock:
    """`reserve`: what open order lines ask for at a location is reserved there. `prevent_negative`: no goods go that
    are not there (a setting of the vendor's, off by default there too)."""

    def __init__(self, store: Store, *, reserve: bool, prevent_negative: bool) -> None:
        self._store = store
        self._reserve = reserve
        self._prevent_negative = prevent_negative

    def level(self, sku: str, place: str) -> float | None:
        row = self._row(sku, place)
        return None if row is None else float(row["quantityOnHand"])

    def move(self, movement: Movement) -> None:
        """Post a ledger entry. Items that are no inventory have none. Raises BusinessCentralError."""
        item = self._store.one("items", "number", movement.item)
        if item is None or item.get("type", "Inventory") != "Inventory":
            return
        row = self._row(movement.item, movement.place)
        if row is None:
            row = self._store.add("locationStock", stock_row(item["number"], movement.place, 0))
        after = row["quantityOnHand"] + movement.quantity
        if self._prevent_negative and movement.quantity < 0 and after < 0:
            raise dialog(NOT_ENOUGH.format(item=movement.item))
        self._store.change("locationStock", row, quantityOnHand=after)
        item = self._store.get("items", item["id"])
        self._store.flow("items", item, inventory=item.get("inventory", 0) + movement.quantity)
        self._store.add("itemLedgerEntries", self._entry(movement))

    def outstanding(self, before: Record | None, after: Record | None) -> None:
        """An order line changed: what it still asks for at its location changes with it."""
        if not self._reserve:
            return
        for line, sign in ((before, -1), (after, 1)):
            if line is not None and line.get("lineType") == "Item" and line.get("locationId"):
                self._promise(line, sign * (line["quantity"] - line["shippedQuantity"]))

    def _promise(self, line: Record, quantity: float) -> None:
        place = self._store.find("locations", line["locationId"])
        row = self._row(line["lineObjectNumber"], place["code"]) if place else None
        if row is not None and quantity:
            self._store.change("locationStock", row, quantityReserved=row["quantityReserved"] + quantity)

    def _row(self, sku: str, place: str) -> Record | None:
        return self._store.find("locationStock", guid_of(f"stock/{sku}@{place}"))

    def _entry(self, movement: Movement) -> Record:
        return {
            "entryNumber": self._store.books.bump("ledger"),
            "itemNumber": movement.item,
            "postingDate": self._store.today(),
            "entryType": movement.kind,
            "sourceNumber": movement.source,
            "sourceType": "Customer" if movement.source else " ",
            "documentNumber": movement.number,
            "documentType": movement.paper,
            "quantity": movement.quantity,
            "_place": movement.place,
        }
