# SPDX-License-Identifier: Apache-2.0
"""Find the order lines that an invoice means when its ERP knows SKUs only: those of the SKU, in the order's order."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from msgspec.structs import replace

from crossdock.billing.check import ZERO
from crossdock.billing.known import OrderedLine
from crossdock.canonical.billing import Invoice, InvoiceLine
from crossdock.canonical.money import Money, minor_unit
from crossdock.canonical.quantity import Quantity

AS_ORDERED = "ZZ"
"""UN/ECE Recommendation 20: mutually defined. The unit that was ordered in."""


def name_lines(invoice: Invoice, ordered: Mapping[str, OrderedLine], taken: Mapping[str, Decimal]) -> Invoice:
    """`invoice` with every line of a SKU put on the order's lines of that SKU; itself when there is none to put.

    `taken`: what other invoices have of each line. A line is filled up to what is left of it before the next; what is
    more than all of them goes on the last, so that the check says so. Amounts are shared by quantity, to the minor unit
    and without loss. What cannot be placed stays as it is.
    """
    if all(line.line for line in invoice.lines):
        return invoice
    # A credit memo gives back what was invoiced, so what was is there to be given.
    left = {name: one.quantity - taken.get(name, ZERO) for name, one in ordered.items()}
    if invoice.kind == "credit_memo":
        left = {name: taken.get(name, ZERO) for name in ordered}
    for line in invoice.lines:
        if line.line in left:
            left[line.line] -= line.quantity.value
    made: list[InvoiceLine] = []
    for line in invoice.lines:
        made += [line] if line.line else _placed(line, ordered, left)
    return replace(invoice, lines=tuple(made))


def _placed(line: InvoiceLine, ordered: Mapping[str, OrderedLine], left: dict[str, Decimal]) -> list[InvoiceLine]:
    unit = line.quantity.unit
    fits = [name for name, one in ordered.items() if one.sku == line.sku and unit in (AS_ORDERED, one.unit)]
    wanted = line.quantity.value
    shares: list[tuple[str, Decimal]] = []
    for name in fits:
        share = min(max(left[name], ZERO), wanted)
        if share > ZERO:
            shares.append((name, share))
            wanted -= share
    if fits and (wanted or not shares):
        # More than is left of any: on the line that was filled last.
        name, share = shares.pop() if shares else (fits[-1], ZERO)
        shares.append((name, share + wanted))
    for name, share in shares:
        left[name] -= share
    try:
        quantities = [Quantity(share, ordered[name].unit) for name, share in shares]
    except ValueError:  # a part of a piece: the check names the line
        return [line]
    amounts = _shared(line.total, [share for _, share in shares])
    return [
        replace(line, line=name, quantity=quantity, total=amount)
        for (name, _), quantity, amount in zip(shares, quantities, amounts, strict=True)
    ] or [line]


def _shared(money: Money, parts: list[Decimal]) -> list[Money]:
    """`money` in proportion to `parts`; the last has what rounding leaves."""
    whole, cent = sum(parts, ZERO), minor_unit(money.currency)
    given = [(money.amount * part / whole).quantize(cent, ROUND_HALF_UP) if whole else ZERO for part in parts[:-1]]
    return [Money(amount, money.currency) for amount in [*given, money.amount - sum(given, ZERO)][: len(parts)]]
