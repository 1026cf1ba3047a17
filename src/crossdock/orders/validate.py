# SPDX-License-Identifier: Apache-2.0
"""Validate an order before any ERP sees it: every failure at once, each with field, rule, value and fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache

from crossdock.canonical.money import Money, minor_unit
from crossdock.canonical.sales_order import Cancellation, Charge, OrderLine, SalesOrder
from crossdock.errors import NeedsEdit
from crossdock.orders.failure import edit

ZERO = Decimal(0)
# Beyond these a number is a mistake, and arithmetic with it would overflow or be rounded.
_MOST_DIGITS = 15
_MOST_DECIMALS = 50
_step_of = lru_cache(maxsize=256)(minor_unit)
_AMOUNTS = ("unit_price", "discount", "tax", "total")


def failures_of(order: SalesOrder, known_sku: Callable[[str], bool], max_lines: int) -> list[NeedsEdit]:
    """Everything that is wrong with `order`; empty when it may go to the ERP.

    Totals: a line is quantity × unit price − discount, the order is lines + charges + tax (tax is within the prices
    when `taxes_included`), each within one minor unit of the currency per line summed.
    """
    failures = [*_shape(order, max_lines), *_numbers(order.lines, order.charges, order.tax, order.total)]
    if not failures:
        failures += _lines(order.lines, order.currency, known_sku)
        failures += _charges(order.charges, order.currency)
        failures += _totals(order)
    return failures


def cancellation_failures(note: Cancellation, known_sku: Callable[[str], bool]) -> list[NeedsEdit]:
    """Everything that is wrong with a cancellation; empty when it may be taken in."""
    failures = list(_numbers(note.lines, note.charges, None, note.total))
    if not failures:
        failures += _lines(note.lines, note.currency, known_sku)
        failures += _charges(note.charges, note.currency)
        failures += _currencies("total", note.currency, note.total)
    if not note.lines and not note.charges:
        failures.append(edit("lines", "not_empty", 0, "there is nothing on it", "add what is given back"))
    return failures


def too_many_lines(count: int, most: int) -> NeedsEdit:
    """The failure of an order of `count` lines."""
    reason = f"the order has {count} lines, at most {most} are taken"
    return edit("lines", "max_lines", count, reason, "split the order, or raise routing.max_lines in the estate")


def _shape(order: SalesOrder, max_lines: int) -> Iterator[NeedsEdit]:
    if not order.lines and not order.charges:
        yield edit("lines", "not_empty", 0, "the order has no lines", "add at least one line")
    if len(order.lines) > max_lines:
        yield too_many_lines(len(order.lines), max_lines)
    if order.status == "open" and order.ship_to is None and order.lines:
        yield edit("ship_to", "ship_to", None, "there is no address to ship to", "add the address")


def _numbers(
    lines: tuple[OrderLine, ...], charges: tuple[Charge, ...], tax: Money | None, total: Money
) -> Iterator[NeedsEdit]:
    # Places get their names only when something is wrong there, which is hardly ever.
    for index, line in enumerate(lines):
        if beyond(line.quantity.value):
            yield out_of_range(f"lines[{index}].quantity", line.quantity.value)
    if beyond(total.amount):
        yield out_of_range("total", total.amount)
    if tax is not None and beyond(tax.amount):
        yield out_of_range("tax", tax.amount)
    for index, charge in enumerate(charges):
        if beyond(charge.amount.amount):
            yield out_of_range(f"charges[{index}].amount", charge.amount.amount)
    for index, line in enumerate(lines):
        for name in _AMOUNTS:
            money: Money | None = getattr(line, name)
            if money is not None and beyond(money.amount):
                yield out_of_range(f"lines[{index}].{name}", money.amount)


def beyond(value: Decimal) -> bool:
    """Whether a finite `value` has too many digits to be an amount or a quantity of an order."""
    if -10 <= value.adjusted() < _MOST_DIGITS and len(str(value)) < 40:
        # At most 40 digits from the first one on: far from the last decimal allowed.
        return False
    exponent = value.as_tuple().exponent
    return value.adjusted() >= _MOST_DIGITS or (isinstance(exponent, int) and exponent < -_MOST_DECIMALS)


def out_of_range(at: str, value: Decimal) -> NeedsEdit:
    """The failure of a number at `at` that is `beyond` what an order holds."""
    shown = f"{value:.3E}"
    return edit(at, "number_range", shown, f"{shown} is no amount or quantity of an order", "put the right number")


def _lines(lines: tuple[OrderLine, ...], currency: str, known_sku: Callable[[str], bool]) -> Iterator[NeedsEdit]:
    step = _step_of(currency)
    seen: set[str] = set()
    for index, line in enumerate(lines):
        at = f"lines[{index}]"
        if line.line in seen:
            yield edit(
                f"{at}.line", "line_unique", line.line, f"line id {line.line} is there twice", "number the lines"
            )
        seen.add(line.line)
        if not known_sku(line.sku):
            yield edit(
                f"{at}.sku",
                "sku_known",
                line.sku,
                f"SKU {line.sku!r} is not in the catalog",
                "add the product, map it in crosswalk `sku`, or put the right SKU",
            )
        if line.quantity.value <= ZERO:
            value = line.quantity.value
            yield edit(f"{at}.quantity", "quantity", value, f"quantity is {value}", "put a quantity above zero")
        price = line.unit_price.amount
        if price < ZERO:
            yield edit(f"{at}.unit_price", "price", price, f"unit price is {price}", "put a price of zero or more")
        yield from _currencies(at, currency, line.unit_price, line.discount, line.tax, line.total)
        due = line.quantity.value * price - (line.discount.amount if line.discount is not None else ZERO)
        if abs(due - line.total.amount) > step:
            yield edit(
                f"{at}.total",
                "line_total",
                line.total.amount,
                f"line total is {line.total.amount}, quantity × price − discount is {due}",
                f"put {due} or mend quantity, price or discount",
            )


def _charges(charges: tuple[Charge, ...], currency: str) -> Iterator[NeedsEdit]:
    for index, charge in enumerate(charges):
        yield from _currencies(f"charges[{index}]", currency, charge.amount)


def _currencies(at: str, currency: str, *amounts: Money | None) -> Iterator[NeedsEdit]:
    for money in amounts:
        if money is not None and money.currency != currency:
            yield edit(
                at,
                "currency_one",
                money.currency,
                f"an amount is in {money.currency}, the order is in {currency}",
                "put every amount in the order's currency",
            )
            return


def _totals(order: SalesOrder) -> Iterator[NeedsEdit]:
    if order.total.currency != order.currency:
        yield from _currencies("total", order.currency, order.total)
        return
    yield from _currencies("tax", order.currency, order.tax)
    if order.total.amount < ZERO:
        value = order.total.amount
        yield edit("total", "total_positive", value, f"the order's total is {value}", "put a total of zero or more")
    due = sum((line.total.amount for line in order.lines), ZERO)
    due += sum((charge.amount.amount for charge in order.charges), ZERO)
    if order.tax is not None and not order.taxes_included:
        due += order.tax.amount
    allowed = _step_of(order.currency) * max(1, len(order.lines))
    if abs(due - order.total.amount) > allowed:
        yield edit(
            "total",
            "total",
            order.total.amount,
            f"the total is {order.total.amount}, lines + charges + tax add up to {due}",
            f"put {due} or mend the line that is wrong",
        )
