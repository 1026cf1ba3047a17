# SPDX-License-Identifier: Apache-2.0
"""The simulator's own books, for those who count from outside."""

from __future__ import annotations

from typing import Any

from crossdock.sandbox.business_central.entities import ENTITIES
from crossdock.sandbox.business_central.records import Record, Store

TABLES = {
    "shipments": "salesShipments",
    "invoices": "salesInvoices",
    "credit_memos": "salesCreditMemos",
    "return_orders": "salesReturnOrders",
    "customers": "customers",
    "items": "items",
}
"""What the control surface calls them, and the entity set they are."""


class OwnBooks:
    """Counts over the store. Orders that were invoiced whole are counted too, though the API shows them no more."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def counts(self) -> dict[str, Any]:
        """How many of each there are, and how many were made more than once under one external number."""
        made = self._store.all("creations")
        twice = {key: idents for key, idents in made.items() if len(idents) > 1}
        return {
            "orders": len(self._store.all("salesOrders")) + len(self._store.all("archive")),
            "open_orders": len(self._store.all("salesOrders")),
            "shipments": len(self._store.all("salesShipments")),
            "invoices": sum(1 for one in self._store.all("salesInvoices").values() if one["status"] != "Draft"),
            "credit_memos": sum(1 for one in self._store.all("salesCreditMemos").values() if one["status"] != "Draft"),
            "return_orders": len(self._store.all("salesReturnOrders")),
            "receipts": len(self._store.all("receipts")),
            "created_more_than_once": {
                collection: sum(1 for key in twice if key.startswith(f"{collection}/"))
                for collection in ("salesOrders", "salesInvoices", "salesCreditMemos", "salesReturnOrders")
            },
        }

    def table(self, name: str) -> dict[str, Any] | None:
        """One of the books in full; None when there is no such one."""
        match name:
            case "orders":
                live = [self._whole("salesOrders", order) for order in self._store.all("salesOrders").values()]
                gone = [self._archived(order) for order in self._store.all("archive").values()]
                return {"orders": [*live, *gone]}
            case "stock":
                rows = self._store.all("locationStock").values()
                return {"stock": [_plain(row) for row in rows]}
            case "creations" | "receipts" | "deliveries":
                return {name: self._store.all(name)}
            case "subscriptions":
                return {name: [_plain(row) for row in self._store.all(name).values()]}
        collection = TABLES.get(name)
        if collection is None:
            return None
        return {name: [self._whole(collection, record) for record in self._store.all(collection).values()]}

    def _whole(self, collection: str, record: Record) -> Record:
        """A record with its lines, and for an order whether it is still open."""
        shown = _plain(record)
        if collection == "salesOrders":
            shown["state"] = "open"
        for lines in ENTITIES[collection].parts.values():
            shown["lines"] = [_plain(line) for line in self._store.lines(lines, record["id"])]
        return shown

    @staticmethod
    def _archived(order: Record) -> Record:
        return {**_plain(order), "state": "invoiced", "lines": [_plain(line) for line in order["_lines"]]}


def _plain(record: Record) -> Record:
    return {name: value for name, value in record.items() if not name.startswith("_")}
