# SPDX-License-Identifier: Apache-2.0
"""Check an invoice or a payment against its order: pure, every failure at once with field, rule, value and fix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from msgspec import Struct

from crossdock.billing.known import BilledOrder, OrderedLine
from crossdock.canonical.billing import Invoice, Payment
from crossdock.canonical.money import Money, minor_unit
from crossdock.canonical.quantity import Quantity
from crossdock.errors import NeedsEdit

ZERO = Decimal(0)
_MOST = Decimal(10) ** 15
_FINEST = -10


class Billed(Struct, kw_only=True):
    """What an order was billed without the document in hand. `lines`: order line → quantity on invoices that hold."""

    lines: dict[str, Decimal]
    invoiced: Decimal = ZERO
    credited: Decimal = ZERO
    paid: Decimal = ZERO
    refunded: Decimal = ZERO


def check_invoice(invoice: Invoice, order: BilledOrder, billed: Billed) -> list[NeedsEdit]:
    """What is wrong with an invoice; of one that is void only its numbers and currency are looked at."""
    failures = [*_numbers("invoice", invoice.total, invoice.tax, *(charge.amount for charge in invoice.charges))]
    failures += _numbers("invoice", *(line.total for line in invoice.lines))
    if failures:
        return failures
    failures += _currency("invoice", invoice.currency, order)
    if invoice.status == "void":
        return failures
    for index, line in enumerate(invoice.lines):
        failures += _line(index, line.line, line.sku, line.quantity, order.lines)
    if not failures:
        failures += _sum(invoice)
        failures += _quantities(invoice, order.lines, billed)
        failures += _credit(invoice, billed)
    return failures


def check_payment(payment: Payment, order: BilledOrder, billed: Billed) -> list[NeedsEdit]:
    """What is wrong with a payment or refund; of one that is reversed only amount and currency are looked at."""
    amount = payment.amount.amount
    failures = [*_numbers("payment", payment.amount)]
    if failures:
        return failures
    failures += _currency("payment", payment.amount.currency, order)
    if amount <= ZERO:
        fix = "put an amount above zero; money that goes back is a refund"
        failures.append(_edit("payment", "amount", "amount", amount, f"the amount is {amount}", fix))
    elif payment.status == "settled" and payment.kind == "refund" and billed.refunded + amount > billed.paid:
        left = billed.paid - billed.refunded
        reason = f"{amount} would be given back, {left} of what was paid is left"
        failures.append(_edit("payment", "refund", "amount", amount, reason, f"put {left} or less"))
    return failures


def _line(
    index: int, line: str, sku: str, quantity: Quantity, ordered: Mapping[str, OrderedLine]
) -> Iterator[NeedsEdit]:
    at = f"lines[{index}]"
    if not line:
        reason = f"the order has no line of {sku} in {quantity.unit}"
        yield _edit("invoice", "line_known", f"{at}.sku", sku, reason, "put the SKU of one of its lines, and its line")
        return
    if line not in ordered:
        yield _edit("invoice", "line_known", f"{at}.line", line, f"the order has no line {line}", "put a line of it")
        return
    asked = ordered[line]
    if sku != asked.sku:
        reason = f"line {line} is {asked.sku}, not {sku}"
        yield _edit("invoice", "sku", f"{at}.sku", sku, reason, f"put {asked.sku}")
    if quantity.unit != asked.unit:
        reason = f"line {line} is ordered in {asked.unit}, invoiced in {quantity.unit}"
        yield _edit("invoice", "unit", f"{at}.quantity", quantity.unit, reason, f"put the quantity in {asked.unit}")
    if quantity.value <= ZERO:
        reason = f"the quantity is {quantity.value}"
        fix = "put a quantity above zero; what is given back is a credit memo"
        yield _edit("invoice", "quantity", f"{at}.quantity", quantity.value, reason, fix)


def _quantities(invoice: Invoice, ordered: Mapping[str, OrderedLine], billed: Billed) -> Iterator[NeedsEdit]:
    if invoice.kind == "credit_memo":
        return
    for line, quantity in quantities_of(invoice).items():
        before = billed.lines.get(line, ZERO)
        most = ordered[line].quantity
        if before + quantity > most:
            reason = f"line {line}: {quantity} invoiced, {before} of {most} ordered were already"
            yield _edit(
                "invoice", "quantity_ordered", f"lines[{line}].quantity", quantity, reason, f"put {most - before}"
            )


def _credit(invoice: Invoice, billed: Billed) -> Iterator[NeedsEdit]:
    left = billed.invoiced - billed.credited
    if invoice.kind == "credit_memo" and invoice.total.amount > left:
        reason = f"{invoice.total.amount} would be credited, {left} of what was invoiced is left"
        yield _edit("invoice", "credit", "total", invoice.total.amount, reason, f"put {left} or less")


def quantities_of(invoice: Invoice) -> dict[str, Decimal]:
    """How much of each order line is on it."""
    found: dict[str, Decimal] = {}
    for line in invoice.lines:
        found[line.line] = found.get(line.line, ZERO) + line.quantity.value
    return found


def _sum(invoice: Invoice) -> Iterator[NeedsEdit]:
    if not invoice.lines and not invoice.charges:
        yield _edit("invoice", "not_empty", "lines", 0, "there is nothing on it", "add what is charged, or void it")
        return
    amounts = [line.total for line in invoice.lines] + [charge.amount for charge in invoice.charges]
    amounts += [] if invoice.tax is None else [invoice.tax]
    for money in (*amounts, invoice.total):
        if money.currency != invoice.currency:
            reason = f"an amount is in {money.currency}, the invoice in {invoice.currency}"
            yield _edit(
                "invoice", "currency_one", "lines", money.currency, reason, f"put every amount in {invoice.currency}"
            )
            return
    due = sum((money.amount for money in amounts), ZERO)
    if invoice.total.amount < ZERO:
        reason = f"the total is {invoice.total.amount}"
        yield _edit("invoice", "total_positive", "total", invoice.total.amount, reason, "put a total of zero or more")
    elif abs(due - invoice.total.amount) > minor_unit(invoice.currency) * max(1, len(invoice.lines)):
        reason = f"the total is {invoice.total.amount}, lines + charges + tax add up to {due}"
        yield _edit(
            "invoice", "total", "total", invoice.total.amount, reason, f"put {due} or mend the line that is wrong"
        )


def _currency(of: str, currency: str, order: BilledOrder) -> Iterator[NeedsEdit]:
    if currency != order.currency:
        reason = f"the {of} is in {currency}, order {order.order_key} in {order.currency}"
        yield _edit(of, "currency", "currency", currency, reason, f"put {order.currency}, or name the right order")


def _numbers(of: str, *amounts: Money | None) -> Iterator[NeedsEdit]:
    for money in amounts:
        if money is None:
            continue
        exponent = money.amount.as_tuple().exponent
        if abs(money.amount) >= _MOST or (isinstance(exponent, int) and exponent < _FINEST):
            shown = f"{money.amount:.3E}"
            yield _edit(of, "number_range", "total", shown, f"{shown} is no amount of money", "put the right amount")


def _edit(of: str, rule: str, field: str, value: object, reason: str, fix: str) -> NeedsEdit:
    return NeedsEdit(reason, field=field, rule=f"{of}.{rule}", value=value, fix=fix)
