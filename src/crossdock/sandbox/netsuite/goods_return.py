# SPDX-License-Identifier: Apache-2.0
"""Returns: `!transform/returnAuthorization` of a sales order, and of that an item receipt and a credit memo.

None of them is idempotent. Without `?replace=item` lines that are not named come along whole.
"""

from __future__ import annotations

from typing import Any

from crossdock.sandbox.netsuite.problems import NetSuiteError
from crossdock.sandbox.netsuite.records import Account, Record

RETURNABLE = frozenset("DEFG")
RECEIVABLE = frozenset("BDE")
_PREFIX = {"returnAuthorization": "RMA", "itemReceipt": "IR", "creditMemo": "CM"}


class ReturnMaker:
    """Makes the records of a return and keeps lines, status and stock in step."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def authorize(self, order: Record, body: dict[str, Any], *, replaced: bool) -> Record:
        """A return authorization for what was fulfilled of a sales order and is in no other one."""
        self._free("returnAuthorization", body)
        if order["status"] not in RETURNABLE:
            detail = "The order cannot be transformed: nothing of it has been fulfilled."
            raise NetSuiteError(400, "INVALID_INITIALIZE_REF", detail)
        taken = self._taken(order)
        left = {line["line"]: line["quantityFulfilled"] - taken.get(line["line"], 0) for line in order["item"]}
        lines: list[dict[str, Any]] = []
        for source, asked, entry in self._chosen(order["item"], body, left, replaced=replaced):
            rate = source.get("rate")
            lines.append(
                {
                    "line": len(lines) + 1,
                    "orderLine": source["line"],
                    "item": source["item"],
                    "quantity": asked,
                    "rate": entry.get("rate", rate),
                    "amount": entry.get("amount", None if rate is None else round(rate * asked, 2)),
                    "quantityReceived": 0,
                    "quantityBilled": 0,
                    "isClosed": False,
                }
            )
        status = (body.get("orderStatus") or {"id": "A"})["id"]
        location = body.get("location")
        extra = {
            "entity": order["entity"],
            "currency": order.get("currency"),
            "location": None if location is None else self._account.resolve(location, "location", "$.location"),
            "status": status,
        }
        return self._file("returnAuthorization", order, body, lines, extra)

    def receive(self, held: Record, body: dict[str, Any]) -> Record:
        """An item receipt; a line that is not mentioned is received whole. Goods go into stock at the line's
        location, or the authorization's."""
        self._free("itemReceipt", body)
        if held["status"] not in RECEIVABLE:
            raise NetSuiteError(400, "INVALID_INITIALIZE_REF", "The return authorization is not pending receipt.")
        left = {line["line"]: line["quantity"] - line["quantityReceived"] for line in held["item"]}
        lines: list[dict[str, Any]] = []
        place = (held.get("location") or {}).get("refName")
        for source, asked, entry in self._chosen(held["item"], body, left, replaced=False):
            where = entry.get("location")
            at = place if where is None else self._account.resolve(where, "location", "$.item")["refName"]
            lines.append(
                {
                    "line": len(lines) + 1,
                    "orderLine": source["line"],
                    "item": source["item"],
                    "quantity": asked,
                    "location": at,
                }
            )
            source["quantityReceived"] += asked
            if at:
                self._account.adjust(source["item"]["refName"], at, asked)
        whole = all(line["quantityReceived"] >= line["quantity"] for line in held["item"])
        held["status"] = "F" if whole else "D"
        self._account.keep("returnAuthorization", held)
        return self._file("itemReceipt", held, body, lines, {"entity": held["entity"], "status": "Y"})

    def credit(self, held: Record, body: dict[str, Any], *, replaced: bool) -> Record:
        """A credit memo for what was received and has not been credited; lines with an item of their own are added."""
        self._free("creditMemo", body)
        left = {line["line"]: line["quantityReceived"] - line["quantityBilled"] for line in held["item"]}
        added = [entry for entry in body.get("item", []) if entry.get("orderLine") is None]
        ours = {**body, "item": [entry for entry in body.get("item", []) if entry.get("orderLine") is not None]}
        lines: list[dict[str, Any]] = []
        for source, asked, entry in self._chosen(held["item"], ours, left, replaced=replaced):
            amount = entry.get("amount", round((source.get("rate") or 0) * asked, 2))
            lines.append({"line": len(lines) + 1, "item": source["item"], "quantity": asked, "amount": amount})
            source["quantityBilled"] += asked
        for entry in added:
            item = self._account.resolve(entry.get("item"), "inventoryItem", "$.item.items.item")
            amount = entry.get("amount", entry.get("rate", 0))
            lines.append({"line": len(lines) + 1, "item": item, "quantity": entry.get("quantity"), "amount": amount})
        if all(line["quantityBilled"] >= line["quantity"] for line in held["item"]):
            held["status"] = "G"
        self._account.keep("returnAuthorization", held)
        total = round(sum(line["amount"] or 0 for line in lines), 2)
        extra = {"entity": held["entity"], "currency": held.get("currency"), "status": "A", "total": total}
        return self._file("creditMemo", held, body, lines, extra)

    def close(self, held: Record, sent: list[dict[str, Any]]) -> Record:
        """Change lines that are named by their number; nothing else of a return authorization is simulated."""
        lines = {line["line"]: dict(line) for line in held["item"]}
        for place, entry in enumerate(sent):
            line = lines.get(entry.get("line", 0))
            if line is None:
                raise NetSuiteError(400, "INVALID_KEY_OR_REF", "There is no such line.", f"$.item.items[{place}].line")
            if entry.get("isClosed") and line["quantityReceived"]:
                raise NetSuiteError(
                    400, "USER_ERROR", "A line of which goods were received cannot be closed.", "$.item"
                )
            line["isClosed"] = bool(entry.get("isClosed", line["isClosed"]))
        held["item"] = list(lines.values())
        if all(line["isClosed"] for line in held["item"]):
            held["status"] = "H"
        self._account.keep("returnAuthorization", held)
        return held

    def _free(self, kind: str, body: dict[str, Any]) -> None:
        if self._account.find(kind, f"eid:{body.get('externalId') or ''}") is not None:
            raise NetSuiteError(400, "USER_ERROR", "This record already exists.", "$.externalId")

    def _taken(self, order: Record) -> dict[int, float]:
        taken: dict[int, float] = {}
        for held in self._account.all("returnAuthorization").values():
            if held["createdFrom"]["id"] == order["id"]:
                for line in held["item"]:
                    if not line["isClosed"]:
                        taken[line["orderLine"]] = taken.get(line["orderLine"], 0) + line["quantity"]
        return taken

    def _chosen(
        self, lines: list[dict[str, Any]], body: dict[str, Any], left: dict[int, float], *, replaced: bool
    ) -> list[tuple[dict[str, Any], float, dict[str, Any]]]:
        """The lines that are meant with their quantities; each line once. Raises NetSuiteError."""
        named: dict[int, dict[str, Any]] = {}
        for place, entry in enumerate(body.get("item", [])):
            number = entry.get("orderLine")
            if number not in left:
                where = f"$.item.items[{place}].orderLine"
                raise NetSuiteError(400, "INVALID_KEY_OR_REF", f"Order line {number} is not there.", where)
            if number in named:
                raise NetSuiteError(400, "USER_ERROR", f"Order line {number} is there twice.", "$.item")
            named[number] = entry
        chosen = []
        for line in lines:
            entry = named.get(line["line"], {})
            if entry.get("itemReceive") is False or (replaced and line["line"] not in named):
                continue
            remaining = left[line["line"]]
            asked = entry.get("quantity", remaining)
            if not named.get(line["line"]) and remaining <= 0:
                continue
            if asked is None or not 0 < asked <= remaining or line.get("isClosed"):
                detail = f"The quantity {asked} of line {line['line']} is not within the {remaining} that remain."
                raise NetSuiteError(400, "USER_ERROR", detail, "$.item")
            chosen.append((line, asked, entry))
        if not chosen:
            raise NetSuiteError(400, "USER_ERROR", "You must have at least one valid line item.", "$.item")
        return chosen

    def _file(
        self, kind: str, source: Record, body: dict[str, Any], lines: list[dict[str, Any]], extra: dict[str, Any]
    ) -> Record:
        dropped = ("item", "orderStatus", "createdFrom", *extra)
        head = {name: value for name, value in body.items() if name not in dropped}
        ident = self._account.new_id()
        record = {
            **head,
            **extra,
            "id": ident,
            "createdFrom": {"id": source["id"], "refName": f"#{source['tranId']}"},
            "item": lines,
        }
        record["tranId"] = head.get("tranId") or f"{_PREFIX[kind]}{ident}"
        self._account.add(kind, record)
        external = record.get("externalId")
        if external:
            name = f"{kind} {external}"
            made = [*self._account.books.table("created_by_external_id").get(name, []), ident]
            self._account.books.put("created_by_external_id", name, made)
        return record
