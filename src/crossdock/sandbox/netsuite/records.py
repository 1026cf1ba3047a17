# SPDX-License-Identifier: Apache-2.0
"""What the simulated account holds: seeded master data, sales orders, item fulfillments, returns, and the indexes
they are found by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from crossdock.sandbox.books import Books
from crossdock.sandbox.catalog import Catalog
from crossdock.sandbox.netsuite.problems import NetSuiteError

CURRENCIES = {"1": "USD", "2": "CAD", "3": "EUR", "4": "GBP"}
SUBSIDIARIES = {"1": "Crossdock Distribution Inc."}
FIRST_CUSTOMER, FIRST_ITEM, FIRST_TRANSACTION = 1000, 5000, 100_000

TRANSACTIONS = (
    *("salesOrder", "itemFulfillment", "returnAuthorization", "itemReceipt", "creditMemo"),
    *("invoice", "customerPayment", "customerDeposit"),
)

Record = dict[str, Any]


def stamp() -> str:
    """Now, RFC 3339 in UTC to the second: NetSuite keeps no fractions."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Account:
    """Records by type and internal id, with indexes by external id, order number and origin."""

    def __init__(
        self, books: Books, catalog: Catalog, extra_customers: tuple[str, ...], extra_items: tuple[str, ...] = ()
    ) -> None:
        self.books = books
        self.catalog = catalog
        self._extra = extra_customers
        self._extra_items = extra_items
        self._opening = {f"{p.sku}@{place}": level for p in catalog.products for place, level in p.stock.items()}
        self.external: dict[tuple[str, str], str] = {}
        self.by_other_ref: dict[str, set[str]] = {}
        self.by_origin: dict[str, list[str]] = {}
        self.seed()

    def seed(self) -> None:
        """Master data where there is none yet, and the indexes."""
        if not self.books.table("inventoryItem"):
            self._seed_master()
        self.external, self.by_other_ref, self.by_origin = {}, {}, {}
        for kind in ("customer", "inventoryItem", *TRANSACTIONS):
            for record in self.books.table(kind).values():
                self._index(kind, record)

    def _seed_master(self) -> None:
        now = stamp()
        names: list[tuple[str, str, str | None]] = [
            (entry.code, f"{entry.first_name} {entry.last_name}", entry.email) for entry in self.catalog.customers
        ]
        names += [(code, code, None) for code in self._extra]
        customers, items = self.books.table("customer"), self.books.table("inventoryItem")
        for number, (code, name, email) in enumerate(names, start=FIRST_CUSTOMER + 1):
            record = {"entityId": code, "companyName": name, "email": email, "isInactive": False}
            customers[str(number)] = {
                "id": str(number),
                "externalId": code,
                **record,
                "lastModifiedDate": now,
                "createdDate": now,
            }
        goods: list[tuple[str, str, str | None]] = [(p.sku, p.title, p.gtin) for p in self.catalog.products]
        goods += [(code, code.title(), None) for code in self._extra_items]
        for number, (code, title, gtin) in enumerate(goods, start=FIRST_ITEM + 1):
            record = {"itemId": code, "displayName": title, "upcCode": gtin, "isInactive": False}
            items[str(number)] = {
                "id": str(number),
                "externalId": code,
                **record,
                "lastModifiedDate": now,
                "createdDate": now,
            }

    def all(self, kind: str) -> dict[str, Record]:
        return self.books.table(kind)

    def find(self, kind: str, key: str) -> Record | None:
        """By internal id, or by external id when the key begins with `eid:`."""
        ident = self.external.get((kind, key.removeprefix("eid:"))) if key.startswith("eid:") else key
        return None if ident is None else self.all(kind).get(ident)

    def get(self, kind: str, key: str) -> Record:
        record = self.find(kind, key)
        if record is None:
            raise NetSuiteError(
                404, "NONEXISTENT_ID", "The record instance does not exist. Provide a valid record instance ID."
            )
        return record

    def new_id(self) -> str:
        return str(FIRST_TRANSACTION + self.books.bump("ids"))

    def keep(self, kind: str, record: Record) -> None:
        record["lastModifiedDate"] = stamp()
        self.books.put(kind, record["id"], record)
        self._index(kind, record)

    def add(self, kind: str, record: Record) -> None:
        """File a new record. Raises NetSuiteError when its external id is taken."""
        external = record.get("externalId")
        if external is not None and (kind, external) in self.external:
            raise NetSuiteError(
                400, "USER_ERROR", "Error while accessing a resource. This record already exists.", "$.externalId"
            )
        record["createdDate"] = stamp()
        self.keep(kind, record)
        self.books.bump(f"{kind}.created")

    def remove(self, kind: str, record: Record) -> None:
        self.books.drop(kind, record["id"])
        self.external.pop((kind, record.get("externalId") or ""), None)
        self.by_other_ref.get(record.get("otherRefNum") or "", set()).discard(record["id"])
        self.books.bump(f"{kind}.deleted")

    def _index(self, kind: str, record: Record) -> None:
        external = record.get("externalId")
        if external:
            self.external[kind, external] = record["id"]
        if kind == "salesOrder" and record.get("otherRefNum"):
            self.by_other_ref.setdefault(record["otherRefNum"], set()).add(record["id"])
        if kind in TRANSACTIONS and "createdFrom" in record:
            made = self.by_origin.setdefault(record["createdFrom"]["id"], [])
            if record["id"] not in made:
                made.append(record["id"])

    def on_hand(self, sku: str, place: str) -> float | None:
        """What is on the books at a location: the opening stock, adjustments, less what shipped fulfillments took.

        None where there never was anything."""
        key = f"{sku}@{place}"
        opening = self._opening.get(key)
        adjusted = self.books.table("adjusted").get(key)
        relieved = self.books.table("relieved").get(key)
        if opening is None and adjusted is None and relieved is None:
            return None
        return float((opening or 0) + (adjusted or 0) - (relieved or 0))

    def adjust(self, sku: str, place: str, quantity: float) -> float | None:
        """Change what is on the books (an inventory adjustment or an item receipt); what is on hand then."""
        key = f"{sku}@{place}"
        self.books.put("adjusted", key, self.books.table("adjusted").get(key, 0) + quantity)
        return self.on_hand(sku, place)

    def resolve(self, given: Any, kind: str, path: str) -> dict[str, str]:
        """A reference as {id, refName}. Raises NetSuiteError INVALID_KEY_OR_REF for what is not there; `refName`
        alone finds nothing."""
        found = self._resolve(given, kind) if isinstance(given, dict) else None
        if found is None:
            shown = (
                {key: given.get(key) for key in ("id", "externalId") if given.get(key)}
                if isinstance(given, dict)
                else given
            )
            raise NetSuiteError(
                400, "INVALID_KEY_OR_REF", f"Invalid reference value {shown} for the field {path[2:]}.", path
            )
        return found

    def _resolve(self, given: dict[str, Any], kind: str) -> dict[str, str] | None:
        ident, external = given.get("id"), given.get("externalId")
        if kind in ("customer", "inventoryItem"):
            record = self.find(kind, f"eid:{external}" if ident is None else str(ident))
            if record is None or record.get("isInactive"):
                return None
            return {"id": record["id"], "refName": record.get("entityId") or record.get("itemId") or record["id"]}
        names = {
            "currency": CURRENCIES,
            "subsidiary": SUBSIDIARIES,
            "location": {str(number): place.code for number, place in enumerate(self.catalog.locations, start=1)},
        }[kind]
        for number, name in names.items():
            if ident == number or (ident is None and external is not None and external == name):
                return {"id": number, "refName": name}
        return None
