# SPDX-License-Identifier: Apache-2.0
"""Returns at the simulated warehouse: what it is to expect, each reference once, and what comes back of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from crossdock.sandbox.host import ControlError
from crossdock.sandbox.problems import Problem, problem
from crossdock.sandbox.warehouse.accept import MAX_LINES, Checker, text, unknown
from crossdock.sandbox.warehouse.records import Warehouse, now_text

RETURN_FIELDS = frozenset({"reference", "order_reference", "location", "note", "lines"})
LINE_FIELDS = frozenset({"line", "sku", "quantity", "unit", "reason"})
DISPOSITIONS = ("restock", "quarantine", "scrap")
OPEN = ("expected", "partly_received")


class ComeBack(msgspec.Struct, forbid_unknown_fields=True):
    """So much of a line came back. `disposition`: restock, quarantine or scrap."""

    line: int
    quantity: int
    disposition: str = "restock"
    condition: str | None = None


class ReceiveRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What came back of the return `reference`; without `lines` all that is still to come. `tell` says how often it is
    told: 0 = it is lost, more than once = again under another message id."""

    reference: str
    lines: list[ComeBack] | None = None
    disposition: str = "restock"
    tell: int = 1


class ReturnDesk:
    """The returns that a warehouse expects."""

    def __init__(self, warehouse: Warehouse, checker: Checker) -> None:
        self._warehouse = warehouse
        self._checker = checker
        self.returns: dict[str, dict[str, Any]] = warehouse.books.table("returns")

    def check(self, given: Any) -> tuple[dict[str, Any] | None, list[Problem]]:
        """The return in its normal form, or None and everything that is wrong with it."""
        if not isinstance(given, dict):
            return None, [problem("", "wrong_type", "a return is an object")]
        errors = unknown(given, RETURN_FIELDS, "")
        for name in ("reference", "order_reference", "location"):
            errors += text(given.get(name), name, required=True, limit=64)
        errors += text(given.get("note"), "note", required=False, limit=500)
        if not errors and given["location"] not in self._checker.locations:
            said = f"{given['location']} is not a location of this warehouse"
            errors.append(problem("location", "unknown_location", said))
        lines = given.get("lines")
        if not isinstance(lines, list) or not 0 < len(lines) <= MAX_LINES:
            return None, [*errors, problem("lines", "no_lines", f"a return has 1 to {MAX_LINES} lines")]
        numbers: set[int] = set()
        for place, line in enumerate(lines):
            found = self._checker.line(line, f"lines[{place}]", LINE_FIELDS)
            if not found:
                found += text(line.get("reason"), f"lines[{place}].reason", required=False)
                if line["line"] in numbers:
                    found.append(problem(f"lines[{place}].line", "duplicate_line", f"line {line['line']} is twice"))
                numbers.add(line["line"])
            errors += found
        if errors:
            return None, errors
        return {
            "reference": given["reference"],
            "order_reference": given["order_reference"],
            "location": given["location"],
            "note": given.get("note"),
            "lines": [
                {**line, "quantity": format(Decimal(line["quantity"]).normalize(), "f"), "reason": line.get("reason")}
                for line in lines
            ],
        }, []

    def take(self, content: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """File a checked return: 201 when it is new, 200 when it is there, 409 when it is another one or cancelled."""
        held = self.of(content["reference"])
        if held is not None:
            same = held["content"] == content and held["status"] != "cancelled"
            return (200 if same else 409), held
        stamp = now_text()
        made = {
            "id": f"wrt_{self._warehouse.books.bump('returns'):08d}",
            "reference": content["reference"],
            "status": "expected",
            "created_at": stamp,
            "updated_at": stamp,
            "content": content,
            "received": {str(line["line"]): "0" for line in content["lines"]},
        }
        self._keep(made)
        return 201, made

    def of(self, reference: str) -> dict[str, Any] | None:
        """The return with this reference."""
        return next((one for one in self.returns.values() if one["reference"] == reference), None)

    def cancel(self, held: dict[str, Any]) -> bool:
        """Expect it no more; False when something of it has come."""
        if held["status"] == "expected":
            held["status"] = "cancelled"
            self._keep(held)
        return bool(held["status"] == "cancelled")

    def receive(self, request: ReceiveRequest) -> dict[str, Any]:
        """Goods come back: stock follows their disposition, and one event tells of all of them. The receipt."""
        held = self.of(request.reference)
        if held is None or held["status"] not in OPEN or not 0 <= request.tell <= 10:
            raise ControlError(f"no return {request.reference} is expected, or tell is not 0 to 10")
        content = held["content"]
        expected = {line["line"]: line for line in content["lines"]}
        due = {n: Decimal(line["quantity"]) - Decimal(held["received"][str(n)]) for n, line in expected.items()}
        came = request.lines
        if came is None:
            came = [ComeBack(n, int(left), request.disposition) for n, left in due.items() if left > 0]
        for one in came:
            if one.line not in expected or not 0 < one.quantity <= due[one.line]:
                raise ControlError(f"line {one.line}: {one.quantity} cannot come back")
            if one.disposition not in DISPOSITIONS:
                raise ControlError(f"a disposition is one of {', '.join(DISPOSITIONS)}")
            due[one.line] -= one.quantity
        for one in came:
            sku, quantity = expected[one.line]["sku"], Decimal(one.quantity)
            if one.disposition != "scrap":
                self._warehouse.put_back(sku, content["location"], quantity)
            self._warehouse.books.bump(f"returned.{one.disposition}", int(quantity))
        held["received"] = {str(n): format(Decimal(line["quantity"]) - due[n], "f") for n, line in expected.items()}
        held["status"] = "partly_received" if any(due.values()) else "received"
        self._keep(held)
        receipt = self._receipt(held, came)
        for _ in range(request.tell):
            self._warehouse.tell("return.received", {"return": receipt}, request.reference)
        return receipt

    def _receipt(self, held: dict[str, Any], came: list[ComeBack]) -> dict[str, Any]:
        content = held["content"]
        expected = {line["line"]: line for line in content["lines"]}
        return {
            "id": f"rcv_{self._warehouse.books.bump('receipts'):08d}",
            "reference": held["reference"],
            "order_reference": content["order_reference"],
            "location": content["location"],
            "received_at": now_text(),
            "final": held["status"] == "received",
            "lines": [
                {
                    "line": one.line,
                    "sku": expected[one.line]["sku"],
                    "quantity": str(one.quantity),
                    "unit": "EA",
                    "disposition": one.disposition,
                    "condition": one.condition,
                }
                for one in came
            ],
        }

    def _keep(self, held: dict[str, Any]) -> None:
        held["updated_at"] = now_text()
        self._warehouse.books.put("returns", held["id"], held)


def shown_return(held: dict[str, Any]) -> dict[str, Any]:
    """A return as the contract shows it."""
    content = held["content"]
    return {
        "id": held["id"],
        **content,
        "status": held["status"],
        "created_at": held["created_at"],
        "updated_at": held["updated_at"],
        "lines": [{**line, "quantity_received": held["received"][str(line["line"])]} for line in content["lines"]],
    }
