# SPDX-License-Identifier: Apache-2.0
"""Idempotent Receiver of shipments: a reference is filed once, and no line ships more than was ordered."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crossdock.sandbox.market import fields
from crossdock.sandbox.market.records import Market, in_utc, now_text
from crossdock.sandbox.problems import Problem, problem

MAX_LINES = 1_000
MAX_NUMBERS = 100
FIELDS = frozenset({"reference", "carrier", "tracking_numbers", "lines", "shipped_at"})
LINE_FIELDS = frozenset({"line", "quantity"})


class ShipmentFile:
    """The shipments of every order."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self.rows: dict[str, dict[str, Any]] = market.books.table("shipments")
        self._of_order: dict[str, dict[str, str]] = {}
        self.index()

    def index(self) -> None:
        """Which shipments each order has, by reference."""
        self._of_order = {}
        for ident, row in self.rows.items():
            self._of_order.setdefault(row["order"], {})[row["sent"]["reference"]] = ident

    def of_order(self, order: str) -> list[dict[str, Any]]:
        """The shipments of an order as the contract shows them, oldest first."""
        return [self.shown(ident) for ident in self._of_order.get(order, {}).values()]

    def shown(self, ident: str) -> dict[str, Any]:
        """One shipment: what was sent, with its id."""
        row = self.rows[ident]
        return {"id": ident, **row["sent"], "received_at": row["received_at"]}

    def file(self, order: dict[str, Any], sent: Any) -> tuple[int, str, list[Problem]]:
        """File a shipment of `order`: status, its id ("" when refused), what is wrong with it."""
        errors = _check(sent)
        if errors:
            return 422, "", errors
        content = _content(sent)
        known = self._of_order.get(order["id"], {}).get(sent["reference"])
        if known is not None:
            if self.rows[known]["content"] == content:
                return 200, known, []
            return 409, known, [problem("reference", "conflict", "this reference is there with other content")]
        errors = self._refusals(order, sent)
        if errors:
            return 422, "", errors
        ident = f"csh_{self._market.books.bump('shipments'):08d}"
        row = {"order": order["id"], "sent": sent, "content": content, "received_at": now_text()}
        self._market.books.put("shipments", ident, row)
        self._of_order.setdefault(order["id"], {})[sent["reference"]] = ident
        return 201, ident, []

    def _refusals(self, order: dict[str, Any], sent: dict[str, Any]) -> list[Problem]:
        if order["status"] == "cancelled":
            return [problem("", "order_cancelled", "the order was cancelled: nothing of it ships")]
        left = {line["line"]: Decimal(line["quantity"]) for line in order["lines"]}
        for ident in self._of_order.get(order["id"], {}).values():
            for line in self.rows[ident]["sent"]["lines"]:
                left[line["line"]] -= Decimal(line["quantity"])
        errors = []
        for place, line in enumerate(sent["lines"]):
            number, where = line["line"], f"lines[{place}]"
            if number not in left:
                errors.append(problem(f"{where}.line", "unknown_line", f"the order has no line {number}"))
            elif Decimal(line["quantity"]) > left[number]:
                said = f"line {number} has {format(left[number], 'f')} left to ship, {line['quantity']} were sent"
                errors.append(problem(f"{where}.quantity", "over_shipped", said))
        return errors


def _content(sent: dict[str, Any]) -> dict[str, Any]:
    """What two tellings of one shipment have in common."""
    shipped_at = fields.instant(sent["shipped_at"])
    return {
        "carrier": sent.get("carrier") or None,
        "tracking_numbers": sorted(sent.get("tracking_numbers") or ()),
        "lines": sorted([line["line"], _plain(line["quantity"])] for line in sent["lines"]),
        "shipped_at": in_utc(shipped_at) if shipped_at is not None else None,
    }


def _plain(quantity: str) -> str:
    return format(Decimal(quantity).normalize(), "f")


def _check(sent: Any) -> list[Problem]:
    if not isinstance(sent, dict):
        return [problem("", "wrong_type", "a shipment is an object")]
    return [
        *fields.unknown(sent, FIELDS),
        *fields.text(sent.get("reference"), "reference", 512),
        *fields.text(sent.get("carrier"), "carrier", 100, required=False),
        *fields.moment(sent.get("shipped_at"), "shipped_at"),
        *_numbers(sent.get("tracking_numbers")),
        *_lines(sent.get("lines")),
    ]


def _numbers(numbers: Any) -> list[Problem]:
    if numbers is None:
        return []
    if not isinstance(numbers, list):
        return [problem("tracking_numbers", "wrong_type", "tracking_numbers is an array")]
    if len(numbers) > MAX_NUMBERS:
        return [problem("tracking_numbers", "too_many", f"at most {MAX_NUMBERS} tracking numbers")]
    errors: list[Problem] = []
    seen: set[str] = set()
    for place, number in enumerate(numbers):
        where = f"tracking_numbers[{place}]"
        found = fields.text(number, where, 100)
        if not found and number in seen:
            found = [problem(where, "duplicate_number", f"{number} is there twice")]
        errors += found
        if not found:
            seen.add(number)
    return errors


def _lines(lines: Any) -> list[Problem]:
    if lines is None:
        return [problem("lines", "required", "a shipment needs lines")]
    if not isinstance(lines, list):
        return [problem("lines", "wrong_type", "lines is an array")]
    if not lines:
        return [problem("lines", "no_lines", "a shipment needs at least one line")]
    if len(lines) > MAX_LINES:
        return [problem("lines", "too_many", f"at most {MAX_LINES} lines, {len(lines)} were sent")]
    errors: list[Problem] = []
    seen: set[int] = set()
    for place, line in enumerate(lines):
        where = f"lines[{place}]"
        found = _line(line, where)
        if not found and line["line"] in seen:
            found = [problem(f"{where}.line", "duplicate_line", f"line {line['line']} is there twice")]
        errors += found
        if not found:
            seen.add(line["line"])
    return errors


def _line(line: Any, where: str) -> list[Problem]:
    if not isinstance(line, dict):
        return [problem(where, "wrong_type", "a line is an object")]
    errors = fields.unknown(line, LINE_FIELDS, f"{where}.")
    number = line.get("line")
    if number is None:
        errors.append(problem(f"{where}.line", "required", "give the line number"))
    elif not isinstance(number, int) or isinstance(number, bool) or number < 1:
        errors.append(problem(f"{where}.line", "wrong_type", "line is a positive integer"))
    return [*errors, *fields.quantity(line.get("quantity"), f"{where}.quantity")]
