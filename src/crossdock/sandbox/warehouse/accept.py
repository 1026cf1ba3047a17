# SPDX-License-Identifier: Apache-2.0
"""Idempotent Receiver of fulfillment orders: every rule of the contract's field table, one outcome per item."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from crossdock.sandbox.catalog import Catalog
from crossdock.sandbox.problems import Problem, problem

MAX_BATCH = 200
MAX_LINES = 1_000
MAX_QUANTITY = Decimal(1_000_000)
SERVICES = frozenset({"standard", "express", "economy"})
ORDER_FIELDS = frozenset({"reference", "order_reference", "location", "requested_service", "ship_to", "lines"})
ADDRESS_REQUIRED = ("name", "address1", "city", "postal_code", "country")
ADDRESS_FIELDS = frozenset({*ADDRESS_REQUIRED, "company", "address2", "region", "phone", "email"})
LINE_FIELDS = frozenset({"line", "sku", "quantity", "unit"})


class Checker:
    """Checks one fulfillment order and collects what is wrong with it."""

    def __init__(self, catalog: Catalog) -> None:
        self._skus = frozenset(product.sku for product in catalog.products)
        self.locations = frozenset(place.code for place in catalog.locations)
        """Codes of the locations there are."""

    def check(self, order: Any) -> tuple[dict[str, Any] | None, list[Problem]]:
        """Return the order in its normal form, or None and the problems."""
        if not isinstance(order, dict):
            return None, [problem("", "wrong_type", "a fulfillment order is an object")]
        errors = unknown(order, ORDER_FIELDS, "")
        for name in ("reference", "order_reference"):
            errors += text(order.get(name), name, required=True, limit=64)
        errors += text(order.get("location"), "location", required=True, limit=64)
        if not errors and order["location"] not in self.locations:
            errors.append(
                problem("location", "unknown_location", f"{order['location']} is not a location of this warehouse")
            )
        service = order.get("requested_service", "standard")
        if not isinstance(service, str) or service not in SERVICES:
            errors.append(problem("requested_service", "bad_service", f"give one of {', '.join(sorted(SERVICES))}"))
        errors += _address(order.get("ship_to"))
        lines, line_errors = self._lines(order.get("lines"))
        errors += line_errors
        if errors:
            return None, errors
        address = {name: order["ship_to"].get(name) for name in sorted(ADDRESS_FIELDS)}
        return {
            "reference": order["reference"],
            "order_reference": order["order_reference"],
            "location": order["location"],
            "requested_service": service,
            "ship_to": address,
            "lines": lines,
        }, []

    def _lines(self, lines: Any) -> tuple[list[dict[str, Any]], list[Problem]]:
        if lines is None:
            return [], [problem("lines", "required", "a fulfillment order needs lines")]
        if not isinstance(lines, list):
            return [], [problem("lines", "wrong_type", "lines is an array")]
        if not lines:
            return [], [problem("lines", "no_lines", "a fulfillment order needs at least one line")]
        if len(lines) > MAX_LINES:
            return [], [problem("lines", "too_many_lines", f"at most {MAX_LINES} lines, {len(lines)} were sent")]
        errors: list[Problem] = []
        numbers: set[int] = set()
        made = []
        for place, line in enumerate(lines):
            where = f"lines[{place}]"
            found = self.line(line, where)
            if not found and line["line"] in numbers:
                found = [problem(f"{where}.line", "duplicate_line", f"line {line['line']} is there twice")]
            errors += found
            if not found:
                numbers.add(line["line"])
                quantity = format(Decimal(line["quantity"]).normalize(), "f")
                made.append({"line": line["line"], "sku": line["sku"], "quantity": quantity, "unit": line["unit"]})
        return made, errors

    def line(self, line: Any, where: str, fields: frozenset[str] = LINE_FIELDS) -> list[Problem]:
        """What is wrong with a line of goods."""
        if not isinstance(line, dict):
            return [problem(where, "wrong_type", "a line is an object")]
        errors = unknown(line, fields, f"{where}.")
        number = line.get("line")
        if number is None:
            errors.append(problem(f"{where}.line", "required", "give the line number"))
        elif not isinstance(number, int) or isinstance(number, bool) or number < 1:
            errors.append(problem(f"{where}.line", "wrong_type", "line is a positive integer"))
        errors += text(line.get("sku"), f"{where}.sku", required=True, limit=64)
        if isinstance(line.get("sku"), str) and line["sku"] not in self._skus:
            errors.append(problem(f"{where}.sku", "unknown_sku", f"{line['sku'][:64]} is not stocked here"))
        errors += _quantity(line.get("quantity"), f"{where}.quantity")
        if line.get("unit") != "EA":
            errors.append(problem(f"{where}.unit", "bad_unit", "this warehouse counts in EA"))
        return errors


def unknown(value: dict[str, Any], known: frozenset[str], prefix: str) -> list[Problem]:
    """A problem for each field that is not in the contract."""
    return [
        problem(f"{prefix}{name}", "unknown_field", "this field is not in the contract")
        for name in value
        if name not in known
    ]


def text(value: Any, field: str, *, required: bool, limit: int = 200) -> list[Problem]:
    """What is wrong with a text of at most `limit` characters."""
    if value is None or value == "":
        return [problem(field, "required", "this field is required")] if required else []
    if not isinstance(value, str):
        return [problem(field, "wrong_type", "this field is a string")]
    return [problem(field, "too_long", f"at most {limit} characters")] if len(value) > limit else []


def _address(address: Any) -> list[Problem]:
    if address is None:
        return [problem("ship_to", "required", "a fulfillment order needs an address")]
    if not isinstance(address, dict):
        return [problem("ship_to", "wrong_type", "ship_to is an object")]
    errors = unknown(address, ADDRESS_FIELDS, "ship_to.")
    for name in sorted(ADDRESS_FIELDS):
        errors += text(address.get(name), f"ship_to.{name}", required=name in ADDRESS_REQUIRED)
    country = address.get("country")
    if (
        isinstance(country, str)
        and country
        and not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper())
    ):
        errors.append(problem("ship_to.country", "bad_country", "give the two letters of ISO 3166-1"))
    return errors


def _quantity(value: Any, field: str) -> list[Problem]:
    if value is None:
        return [problem(field, "required", "this field is required")]
    if not isinstance(value, str):
        return [problem(field, "wrong_type", "a quantity is a decimal string")]
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return [problem(field, "bad_quantity", "a quantity is a decimal string such as 3 or 2.5")]
    if not amount.is_finite() or not 0 < amount <= MAX_QUANTITY:
        return [problem(field, "bad_quantity", f"a quantity is above 0 and at most {MAX_QUANTITY}")]
    return []
