# SPDX-License-Identifier: Apache-2.0
"""`!transform/itemFulfillment`: a sales order becomes an item fulfillment. Not idempotent."""

from __future__ import annotations

from typing import Any

from crossdock.sandbox.netsuite.problems import NetSuiteError
from crossdock.sandbox.netsuite.records import Account, Record

FULFILLABLE = frozenset("BDE")
RELIEVES = "C"


class Transformer:
    """Makes item fulfillments, and keeps the order's lines and status and the stock in step."""

    def __init__(self, account: Account, default_status: str) -> None:
        self._account = account
        self._default_status = default_status

    def fulfill(self, order: Record, body: dict[str, Any]) -> Record:
        """Fulfill what the lines say. A line that is not mentioned is fulfilled whole; `itemReceive: false` leaves it
        out.

        Raises NetSuiteError when the order cannot be fulfilled, a line is unknown, or more is asked than remains.
        """
        if order["status"] not in FULFILLABLE:
            detail = "The order cannot be transformed: it is not pending fulfillment or has nothing left to fulfill."
            raise NetSuiteError(400, "INVALID_INITIALIZE_REF", detail)
        chosen = self._choose(order, body.get("item", []))
        if not chosen:
            raise NetSuiteError(
                400, "USER_ERROR", "You must have at least one valid line item for this transaction.", "$.item"
            )
        status = (body.get("shipStatus") or {"id": self._default_status})["id"]
        lines = [
            {
                "line": number,
                "orderLine": line["line"],
                "item": line["item"],
                "quantity": quantity,
                "location": line.get("location"),
            }
            for number, (line, quantity) in enumerate(chosen, start=1)
        ]
        head = {
            name: value for name, value in body.items() if name not in ("item", "shipStatus", "createdFrom", "entity")
        }
        record = {
            **head,
            "id": self._account.new_id(),
            "createdFrom": {"id": order["id"], "refName": f"Sales Order #{order['tranId']}"},
            "entity": order["entity"],
            "shipStatus": status,
            "item": lines,
            "package": body.get("package", []),
            "relieved": False,
        }
        record["tranId"] = head.get("tranId") or f"IF{record['id']}"
        self._account.add("itemFulfillment", record)
        self._fulfilled(order, chosen)
        self.relieve(record)
        return record

    def relieve(self, record: Record) -> None:
        """Take the goods out of stock once: only a shipped fulfillment (C) does it."""
        if record["shipStatus"] != RELIEVES or record["relieved"]:
            return
        stock = self._account.books.table("relieved")
        for line in record["item"]:
            key = f"{line['item']['refName']}@{(line.get('location') or {}).get('refName', '')}"
            self._account.books.put("relieved", key, stock.get(key, 0) + line["quantity"])
        record["relieved"] = True
        self._account.keep("itemFulfillment", record)

    def _choose(self, order: Record, sent: list[dict[str, Any]]) -> list[tuple[dict[str, Any], float]]:
        by_line: dict[int, dict[str, Any]] = {}
        for place, entry in enumerate(sent):
            number = entry.get("orderLine")
            if number is None or number not in {line["line"] for line in order["item"]}:
                detail = f"Order line {number} is not on the order; give orderLine."
                raise NetSuiteError(400, "INVALID_KEY_OR_REF", detail, f"$.item.items[{place}].orderLine")
            by_line[number] = entry
        chosen = []
        for line in order["item"]:
            remaining = line["quantity"] - line["quantityFulfilled"]
            entry = by_line.get(line["line"], {})
            if remaining <= 0 and not entry.get("quantity"):
                continue
            if entry.get("itemReceive") is False:
                continue
            asked = entry.get("quantity")
            quantity = remaining if asked is None else asked
            if quantity <= 0 or quantity > remaining:
                detail = (
                    f"The quantity {quantity} of order line {line['line']} is not within the {remaining} that remain."
                )
                raise NetSuiteError(400, "USER_ERROR", detail, "$.item")
            location = entry.get("location")
            if location is not None:
                location = self._account.resolve(location, "location", "$.item.items.location")
            chosen.append(({**line, "location": location or line.get("location") or order.get("location")}, quantity))
        return chosen

    def _fulfilled(self, order: Record, chosen: list[tuple[dict[str, Any], float]]) -> None:
        moved = {line["line"]: quantity for line, quantity in chosen}
        for line in order["item"]:
            line["quantityFulfilled"] += moved.get(line["line"], 0)
        whole = all(line["quantityFulfilled"] >= line["quantity"] for line in order["item"])
        order["status"] = "F" if whole else "D"
        self._account.keep("salesOrder", order)
