# SPDX-License-Identifier: Apache-2.0
"""Tax on an order: which rate is due on what, and whether the order's own tax is that. Pure.

`TaxService` is what is asked for rates; the estate's table is one, a tax engine behind a cache would be another.
Nothing here asks anybody over the network: an order is examined from memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from crossdock.canonical.money import minor_unit
from crossdock.canonical.party import Address
from crossdock.canonical.sales_order import SalesOrder
from crossdock.errors import NeedsEdit
from crossdock.orders.failure import edit

# Amounts have 15 digits before and 50 after the point at most, a rate has few: their products are exact.
_EXACT = Context(prec=140, rounding=ROUND_HALF_UP)
_HUNDRED = Decimal(100)
_ZERO = Decimal(0)
_TAXED_CHARGES = frozenset({"shipping", "fee", "discount"})


class TaxRate(Struct, frozen=True):
    """What is due: `percent` of the net amount, under `code`, the tax context that ERPs know it by."""

    percent: Decimal
    code: str


class TaxService(Protocol):
    """Says which rate is due; answers from memory."""

    def rate(self, entity: str, ship_to: Address, sku: str) -> TaxRate | None:
        """The rate that legal entity `entity` owes on `sku` sent to `ship_to`; `sku` "" = charges. None = not known."""


class TaxRule(Struct, frozen=True, kw_only=True):
    """A row of the table: what is sent by `entity` to `country` and `region`, of SKUs that begin with `sku_prefix`
    ("" = any), is taxed at `rate`."""

    rate: TaxRate
    entity: str = ""
    country: str = ""
    region: str = ""
    sku_prefix: str = ""


class TaxTable(Struct, frozen=True):
    """A TaxService of rules, of which the first that fits counts."""

    rules: tuple[TaxRule, ...]

    def rate(self, entity: str, ship_to: Address, sku: str) -> TaxRate | None:
        """As TaxService says."""
        for rule in self.rules:
            if (
                rule.entity in ("", entity)
                and rule.country in ("", ship_to.country)
                and rule.region in ("", ship_to.region)
                and sku.startswith(rule.sku_prefix)
            ):
                return rule.rate
        return None


class TaxDue(Struct, frozen=True):
    """What is due on an order, rounded line by line, and how far that may be off by rounding; both in its currency.
    `unknown`: the field of the first thing whose rate nobody knows, "" = all are known."""

    amount: Decimal
    within: Decimal
    unknown: str = ""


def tax_due(order: SalesOrder, service: TaxService) -> TaxDue | None:
    """The tax on lines and charges of `order`, whose entity is in place; None when there is nothing to reckon with: no
    address, or amounts in other currencies."""
    if order.ship_to is None or any(line.total.currency != order.currency for line in order.lines):
        return None
    parts = [(f"lines[{n}].sku", line.sku, line.total.amount) for n, line in enumerate(order.lines)]
    parts += [
        (f"charges[{n}]", "", charge.amount.amount)
        for n, charge in enumerate(order.charges)
        if charge.kind in _TAXED_CHARGES and charge.amount.currency == order.currency
    ]
    step = minor_unit(order.currency)
    amount, unknown = _ZERO, ""
    for field, sku, taxed in parts:
        rate = service.rate(order.entity, order.ship_to, sku)
        if rate is None:
            unknown = unknown or field
            continue
        whole = _HUNDRED + rate.percent if order.taxes_included else _HUNDRED
        due = _EXACT.divide(_EXACT.multiply(taxed, rate.percent), whole)
        amount += _EXACT.quantize(due, step)
    return TaxDue(amount, step * max(1, len(parts)), unknown)


def check_tax(order: SalesOrder, service: TaxService) -> Iterator[NeedsEdit]:
    """Whether the tax that `order` names is what is due, within rounding. Where prices include tax and it names none,
    there is nothing to check."""
    due = tax_due(order, service)
    if due is None:
        return
    if due.unknown:
        where = f"{order.ship_to.country} {order.ship_to.region}".strip() if order.ship_to is not None else ""
        yield edit(
            due.unknown,
            "tax_known",
            where,
            f"no tax rule fits what {order.entity or 'the entity'} sends to {where}",
            "add a rule to `tax` in the estate",
        )
        return
    on_charges = sum((one.amount.amount for one in order.charges if one.kind == "tax"), _ZERO)
    named = order.tax.amount if order.tax is not None else _ZERO
    if order.taxes_included and order.tax is None:
        return
    said = named if order.taxes_included else named + on_charges
    if abs(said - due.amount) <= due.within:
        return
    put = due.amount if order.taxes_included else due.amount - on_charges
    fix = f"put {put}"
    if not order.taxes_included:
        fix += f" and a total of {order.total.amount - named + put}"
    reason = f"the tax is {said}, by the estate's rates it is {due.amount}"
    yield edit("tax", "tax", named, reason, fix, about=str(due.amount))


def with_tax_codes(order: SalesOrder, service: TaxService) -> SalesOrder:
    """`order` with the tax context code of every line that has none and whose rate is known."""
    ship_to = order.ship_to
    if ship_to is None:
        return order
    lines = []
    for line in order.lines:
        rate = None if line.tax_code else service.rate(order.entity, ship_to, line.sku)
        lines.append(line if rate is None or not rate.code else replace(line, tax_code=rate.code))
    return replace(order, lines=tuple(lines))
