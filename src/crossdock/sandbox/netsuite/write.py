# SPDX-License-Identifier: Apache-2.0
"""Creating and updating records. Lines that are sent again without `replace` are ADDED: an upsert repeated doubles
the order."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crossdock.sandbox.netsuite.problems import NetSuiteError
from crossdock.sandbox.netsuite.records import Account, Record

REFERENCES = {"entity": "customer", "currency": "currency", "subsidiary": "subsidiary", "location": "location"}
LINE_REFERENCES = {"item": "inventoryItem", "location": "location", "inventorylocation": "location"}


class Writer:
    """Writes cleaned bodies (see validate.BodyCheck)."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def create(self, kind: str, body: dict[str, Any]) -> Record:
        """File a new record. Raises NetSuiteError."""
        if kind == "itemFulfillment":
            raise NetSuiteError(400, "USER_ERROR", "An item fulfillment is made by transforming a sales order.")
        if kind in ("returnAuthorization", "itemReceipt", "creditMemo", "invoice", "customerPayment"):
            raise NetSuiteError(400, "USER_ERROR", f"A {kind} is made by a transform (others are not simulated).")
        if kind != "salesOrder":
            return self._create_plain(kind, body)
        if not body.get("entity"):
            raise NetSuiteError(400, "USER_ERROR", "Please enter value(s) for: Customer.", "$.entity")
        if not body.get("item"):
            raise NetSuiteError(
                400, "USER_ERROR", "You must enter at least one line item for this transaction.", "$.item"
            )
        head = self._head(body)
        lines = [self._line(line, place) for place, line in enumerate(body["item"])]
        for number, line in enumerate(lines, start=1):
            line["line"] = number
        status = (head.pop("orderStatus", None) or {"id": "B"})["id"]
        record = {"tranDate": None, **head, "id": self._account.new_id(), "status": status, "item": lines}
        record["tranId"] = head.get("tranId") or f"SO{record['id']}"
        if not record.get("currency"):
            record["currency"] = self._account.resolve({"id": "1"}, "currency", "$.currency")
        self._account.add("salesOrder", record)
        self._remember(record)
        return record

    def update(self, kind: str, record: Record, body: dict[str, Any], replaced: frozenset[str]) -> Record:
        """Change a record; sublists in `replaced` are exchanged, others grow. Raises NetSuiteError and then changes
        nothing."""
        changed = dict(record)
        external = body.get("externalId")
        taken = self._account.find(kind, f"eid:{external}") if external else None
        if taken is not None and taken["id"] != record["id"]:
            raise NetSuiteError(400, "USER_ERROR", "This record already exists.", "$.externalId")
        changed.update(
            self._head(body)
            if kind == "salesOrder"
            else {name: value for name, value in body.items() if name != "item"}
        )
        if kind == "salesOrder":
            status = changed.pop("orderStatus", None)
            if status is not None and record["status"] in "AB":
                changed["status"] = status["id"]
            if "item" in body:
                changed["item"] = self._merge(record["item"], body["item"], replace="item" in replaced)
        if kind == "itemFulfillment" and "package" in body and "package" not in replaced:
            changed["package"] = [*record.get("package", []), *body["package"]]
        self._account.keep(kind, changed)
        self._account.books.bump(f"{kind}.updated")
        return changed

    def _create_plain(self, kind: str, body: dict[str, Any]) -> Record:
        needed = "itemId" if kind == "inventoryItem" else "companyName"
        if not body.get(needed) and not (kind == "customer" and body.get("lastName")):
            raise NetSuiteError(400, "USER_ERROR", f"Please enter value(s) for: {needed}.", f"$.{needed}")
        record = {**body, "id": self._account.new_id(), "isInactive": bool(body.get("isInactive"))}
        if kind == "customer":
            record.setdefault("entityId", record.get("externalId") or record["id"])
        self._account.add(kind, record)
        return record

    def _head(self, body: dict[str, Any]) -> dict[str, Any]:
        head = {name: value for name, value in body.items() if name != "item"}
        for name, kind in REFERENCES.items():
            if head.get(name) is not None:
                head[name] = self._account.resolve(head[name], kind, f"$.{name}")
        return head

    def _line(self, line: dict[str, Any], place: int) -> dict[str, Any]:
        where = f"$.item.items[{place}]"
        made = dict(line)
        if not made.get("item"):
            raise NetSuiteError(400, "USER_ERROR", "Please enter value(s) for: Item.", f"{where}.item")
        for name, kind in LINE_REFERENCES.items():
            if made.get(name) is not None:
                made[name] = self._account.resolve(made[name], kind, f"{where}.{name}")
        quantity = made.get("quantity", 1)
        if quantity is None or quantity <= 0:
            raise NetSuiteError(400, "USER_ERROR", "Quantity must be above zero.", f"{where}.quantity")
        made["quantity"] = quantity
        if made.get("amount") is None and made.get("rate") is not None:
            made["amount"] = float(round(Decimal(str(made["rate"])) * Decimal(str(quantity)), 2))
        made["quantityFulfilled"] = 0
        return made

    def _merge(self, held: list[dict[str, Any]], sent: list[dict[str, Any]], *, replace: bool) -> list[dict[str, Any]]:
        lines = [] if replace else [dict(line) for line in held]
        by_number = {line["line"]: line for line in held}
        following = max(by_number, default=0)
        for place, line in enumerate(sent):
            number = line.get("line")
            before = by_number.get(number) if number is not None else None
            if before is None:
                following += 1
                lines.append({**self._line(line, place), "line": following})
                continue
            merged = self._line({**before, **line}, place)
            merged.update(line=number, quantityFulfilled=before["quantityFulfilled"])
            lines = [entry for entry in lines if entry["line"] != number]
            lines.append(merged)
        lines.sort(key=lambda line: line["line"])
        kept = {line["line"]: line["quantity"] for line in lines}
        for line in held:
            if line["quantityFulfilled"] > kept.get(line["line"], 0):
                raise NetSuiteError(
                    400,
                    "USER_ERROR",
                    f"Line {line['line']} has been fulfilled and cannot be removed or lowered.",
                    "$.item",
                )
        return lines

    def _remember(self, record: Record) -> None:
        """Who was created under which names: an order that came twice under two ids stays visible, also after a
        deletion."""
        for table, name in (
            ("created_by_external_id", record.get("externalId")),
            ("created_by_other_ref", record.get("otherRefNum")),
        ):
            if name:
                made = [*self._account.books.table(table).get(name, []), record["id"]]
                self._account.books.put(table, name, made)
