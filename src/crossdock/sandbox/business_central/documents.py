# SPDX-License-Identifier: Apache-2.0
"""Sales orders, invoices and credit memos: created with their lines, changed, deleted."""

from __future__ import annotations

from typing import Any

from crossdock.sandbox.business_central.entities import BLANK_ID, ENTITIES
from crossdock.sandbox.business_central.lines import NOT_INVOICED, RELEASED, Lines, total
from crossdock.sandbox.business_central.problems import FIELD_VALUE, SAME_KEY, BusinessCentralError, dialog
from crossdock.sandbox.business_central.records import Record, Store

SERIES = {"salesOrders": "S-ORD", "salesInvoices": "S-INV", "salesCreditMemos": "S-CR"}
DATES = {"salesOrders": "orderDate", "salesInvoices": "invoiceDate", "salesCreditMemos": "creditMemoDate"}
LINES = {collection: next(iter(ENTITIES[collection].parts)) for collection in SERIES}
CURRENCIES = ("USD", "CAD", "EUR", "GBP")
ADDRESS = {
    "AddressLine1": "addressLine1",
    "AddressLine2": "addressLine2",
    "City": "city",
    "State": "state",
    "PostCode": "postalCode",
    "Country": "country",
}
NO_CUSTOMER = "A customerNumber or a customerId must be provided."
CUSTOMER_FIELDS = frozenset({"customerId", "customerNumber", "billToCustomerId", "billToCustomerNumber"})
BLOCKED = "You cannot {verb} this type of document when Customer {number} is blocked with type {blocked}"
UNKNOWN_IDS = {"paymentTermsId": "Payment Terms", "shipmentMethodId": "Shipment Method"}


class Documents:
    """Writes checked bodies. Orders that were invoiced whole leave `salesOrders`, as they do there; the simulator's
    own table `archive` keeps them for those who count."""

    def __init__(self, store: Store, lines: Lines, currency: str) -> None:
        self._store = store
        self._lines = lines
        self._currency = currency

    def create(self, collection: str, values: dict[str, Any], lines: list[dict[str, Any]]) -> Record:
        """File a document with its lines, all or nothing. Raises BusinessCentralError."""
        with self._store.transaction():
            today = self._store.today()
            head = {DATES[collection]: today, "postingDate": today, "partialShipping": True, **values}
            head = {name: value for name, value in head.items() if name in ENTITIES[collection].fields}
            customer = self._customer(head, "customer", "sell-to")
            if customer is None:
                raise dialog(NO_CUSTOMER)
            self._head(collection, head, values, customer)
            document = self._store.add(
                collection, {**head, "number": self._store.number(SERIES[collection]), "status": "Draft"}
            )
            for line in lines:
                self._lines.add(LINES[collection], document, line)
            self._count(collection, document)
            return self.settle(collection, document["id"])

    def change(self, collection: str, document: Record, values: dict[str, Any]) -> Record:
        """File a document with other values. Raises BusinessCentralError and then changes nothing."""
        self.must_be_draft(collection, document)
        with self._store.transaction():
            head = {**document, **values}
            if CUSTOMER_FIELDS & set(values):
                if document.get("_released"):
                    raise dialog("The customer of a released order cannot be changed.")
                self._head(collection, head, values, self._changed_customer(head, values))
            self._refer(head)
            self._store.change(collection, document, **head)
            return self.settle(collection, document["id"])

    def remove(self, collection: str, document: Record) -> None:
        """Delete a document with its lines. Raises BusinessCentralError."""
        self.must_be_draft(collection, document)
        lines = self._store.lines(LINES[collection], document["id"])
        if any(line.get("shippedQuantity", 0) != line.get("invoicedQuantity", 0) for line in lines):
            raise BusinessCentralError(400, FIELD_VALUE, NOT_INVOICED.format(number=document["number"]))
        with self._store.transaction():
            self.discard(collection, document)
        self._store.books.bump(f"{collection}.deleted")

    def discard(self, collection: str, document: Record) -> None:
        """Take a document out with its lines, without asking."""
        for line in self._store.lines(LINES[collection], document["id"]):
            self._lines.forget(LINES[collection], line)
        self._store.remove(collection, self._store.get(collection, document["id"]))

    def settle(self, collection: str, ident: str) -> Record:
        """Set the totals and what follows from the lines; the document as it is then."""
        document = self._store.get(collection, ident)
        values = total(self._store, collection, document)
        if collection == "salesOrders":
            lines = self._store.by(LINES[collection], "documentId", ident)
            sold = [line for line in lines if line["quantity"]]
            values["fullyShipped"] = bool(sold) and all(line["shippedQuantity"] >= line["quantity"] for line in sold)
        if any(document.get(name) != value for name, value in values.items()):
            return self._store.change(collection, document, **values)
        return document

    def must_be_draft(self, collection: str, document: Record) -> None:
        """Raises BusinessCentralError for a posted invoice or credit memo: nothing of it can be changed."""
        if collection != "salesOrders" and document["status"] != "Draft":
            raise dialog(f"The {ENTITIES[collection].name} {document['number']} is posted and cannot be changed.")

    def may_grow(self, collection: str, document: Record) -> None:
        """Raises BusinessCentralError when no line can be added: something of the document was posted."""
        self.must_be_draft(collection, document)
        if document.get("_released"):
            raise BusinessCentralError(400, FIELD_VALUE, RELEASED.format(number=document["number"]))

    def may_trade(self, document: Record, verb: str) -> None:
        """Raises BusinessCentralError when the customer is blocked for that."""
        customer = self._store.find("customers", document["customerId"])
        blocked = " " if customer is None else customer.get("blocked", " ")
        if blocked == "All" or (verb == "post" and blocked == "Ship"):
            raise dialog(BLOCKED.format(verb=verb, number=document["customerNumber"], blocked=blocked))

    def _head(self, collection: str, head: Record, values: dict[str, Any], customer: Record) -> None:
        head |= {"customerId": customer["id"], "customerNumber": customer["number"]}
        head["customerName"] = customer["displayName"]
        self.may_trade(head, "create")
        billed = self._customer(values, "billToCustomer", "bill-to") or customer
        head |= {"billToCustomerId": billed["id"], "billToCustomerNumber": billed["number"]}
        head["billToName"] = billed["displayName"]
        known = ENTITIES[collection].fields
        for prefix, source in (("sellTo", customer), ("shipTo", customer), ("billTo", billed)):
            for name, own in ADDRESS.items():
                if prefix + name in known and prefix + name not in values:
                    head[prefix + name] = source.get(own, "")
        if "shipToName" in known and "shipToName" not in values:
            head["shipToName"] = customer["displayName"]
        for name in ("email", "phoneNumber"):
            if name not in values:
                head[name] = customer.get(name, "")
        self._refer(head)

    def _changed_customer(self, head: Record, values: dict[str, Any]) -> Record:
        wanted = {name: value for name, value in values.items() if name in ("customerId", "customerNumber")}
        return self._customer(wanted or head, "customer", "sell-to") or self._store.get("customers", head["customerId"])

    def _customer(self, given: dict[str, Any], name: str, role: str) -> Record | None:
        ident, number = given.get(f"{name}Id", BLANK_ID), given.get(f"{name}Number", "")
        if ident == BLANK_ID and not number:
            return None
        found = self._store.find("customers", ident) if ident != BLANK_ID else None
        if ident == BLANK_ID:
            found = self._store.one("customers", "number", number)
        if found is None:
            raise dialog(f"The {role} customer cannot be found.")
        if number and found["number"] != number:
            raise dialog(f"The {role} customer values do not match to a specific Customer.")
        return found

    def _refer(self, head: Record) -> None:
        code = head.get("currencyCode") or self._currency
        if code not in CURRENCIES and code != self._currency:
            raise dialog('The "currencyCode" does not match to a Currency.')
        if head.get("currencyId", BLANK_ID) != BLANK_ID:
            raise dialog('The "currencyId" does not match to a Currency.')
        head["currencyCode"] = code
        for name, table in UNKNOWN_IDS.items():
            if head.get(name, BLANK_ID) != BLANK_ID:
                raise dialog(f'The "{name}" does not match to a {table}.')
        if head.get("invoiceNumber"):
            invoice = self._store.one("salesInvoices", "number", head["invoiceNumber"])
            if invoice is None or invoice["status"] == "Draft":
                raise dialog('The "invoiceNumber" does not match to a posted Sales Invoice.')
            head["invoiceId"] = invoice["id"]

    def _count(self, collection: str, document: Record) -> None:
        """Which documents were created under which external number: one that came twice stays visible."""
        self._store.books.bump(f"{collection}.created")
        key = document.get("externalDocumentNumber", "")
        if key:
            made = self._store.books.table("creations").get(f"{collection}/{key}", [])
            self._store.put_own("creations", f"{collection}/{key}", [*made, document["id"]])


def create_plain(store: Store, collection: str, values: dict[str, Any]) -> Record:
    """File a customer, an item or a location. Raises BusinessCentralError when its number is taken."""
    name = "code" if collection == "locations" else "number"
    if collection == "items" and values.get("inventory"):
        raise dialog("Inventory cannot be changed in a POST request.")
    number = values.get(name) or store.number(collection[:3].upper())
    if store.one(collection, name, number) is not None:
        text = f"The record in table {ENTITIES[collection].name} already exists. Identification fields: No.='{number}'"
        raise BusinessCentralError(400, SAME_KEY, text)
    return store.add(collection, {"displayName": "", **values, name: number})
