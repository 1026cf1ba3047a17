# SPDX-License-Identifier: Apache-2.0
"""Draft the sales order that a request stands for: what the caller left out is derived, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache
from secrets import token_hex

from msgspec import Struct

from crossdock.canonical.money import Money, minor_unit
from crossdock.canonical.party import Party
from crossdock.canonical.quantity import EACH, WHOLE_UNITS, Quantity
from crossdock.canonical.sales_order import Charge, OrderLine, SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.orders.failure import edit
from crossdock.orders.request import MOST_CHARGES, BuyerRequest, ChargeRequest, OrderLineRequest, OrderRequest
from crossdock.orders.validate import beyond, out_of_range, too_many_lines

ZERO = Decimal(0)
# Amounts have at most 15 digits before and 50 after the point: their product is exact, and rounded once.
_EXACT = Context(prec=140, rounding=ROUND_HALF_UP)
_step_of = lru_cache(maxsize=256)(minor_unit)

PriceOf = Callable[[str, Quantity], Decimal | None]
"""The unit price of so many of a SKU of ours, None where no price is known."""


class Setting(Struct, frozen=True):
    """What a draft is made with: the catalog and the system whose crosswalks name SKUs, the channel's currency, the
    most lines an order may have, and the price of what comes without one."""

    catalog: Catalog
    source: str
    currency: str
    max_lines: int
    price_of: PriceOf


class Identity(Struct, frozen=True):
    """Which order it is: its id, and when it was placed (UTC)."""

    id: str
    placed_at: datetime


def new_identity(at: datetime) -> Identity:
    """An id of its own for an order placed at `at`; ids of later orders sort behind it."""
    return Identity(f"ord_{int(at.timestamp() * 1000):012x}{token_hex(8)}", at)


def draft(request: OrderRequest, identity: Identity, setting: Setting) -> SalesOrder | list[NeedsEdit]:
    """The order that `request` asks for; or everything that keeps it from being one, each with its field."""
    if len(request.lines) > setting.max_lines:
        # Looking at each of them would take long.
        return [too_many_lines(len(request.lines), setting.max_lines)]
    if len(request.charges) > MOST_CHARGES:
        return [_too_many_charges(len(request.charges))]
    currency = request.currency or setting.currency
    step = _step_of(currency)
    # Most channels call goods as we do: then no name is looked up.
    named = setting.catalog.translates(setting.source, "sku")
    failures: list[NeedsEdit] = []
    lines: list[OrderLine] = []
    for index, line in enumerate(request.lines):
        ours = (setting.catalog.sku(setting.source, line.sku) or line.sku) if named else line.sku
        made = _line(index, line, ours, currency, step, setting)
        if isinstance(made, OrderLine):
            lines.append(made)
        else:
            failures += made
    for index, charge in enumerate(request.charges):
        failures += _no_number(f"charges[{index}].amount", charge.amount)
    for name, amount in (("tax", request.tax), ("total", request.total)):
        if amount is not None:
            failures += _no_number(name, amount)
    if failures:
        return failures
    charges = tuple(_charge(one, currency) for one in request.charges)
    return SalesOrder(
        order_key=f"{request.channel}/{identity.id}",
        number=request.number or identity.id,
        channel=request.channel,
        version=int(identity.placed_at.timestamp() * 1000),
        placed_at=identity.placed_at,
        currency=currency,
        customer=_party(request.customer),
        ship_to=request.ship_to,
        bill_to=request.bill_to,
        po_number=request.po_number,
        reservation=request.reservation,
        service=request.service,
        terms=request.terms,
        lines=tuple(lines),
        charges=charges,
        tax=None if request.tax is None else Money(request.tax, currency),
        taxes_included=request.taxes_included,
        total=Money(_total(request, lines, charges), currency),
        note=request.note,
    )


def _too_many_charges(count: int) -> NeedsEdit:
    reason = f"the order has {count} charges, at most {MOST_CHARGES} are taken"
    return edit("charges", "max_charges", count, reason, "put charges of one kind together")


def _usable(value: Decimal) -> bool:
    return value.is_finite() and not beyond(value)


def _unusable(index: int, line: OrderLineRequest) -> Iterator[NeedsEdit]:
    """Numbers of a line that nothing can be reckoned with."""
    for name in ("quantity", "unit_price", "discount", "tax", "total"):
        value: Decimal | None = getattr(line, name)
        if value is not None:
            yield from _no_number(f"lines[{index}].{name}", value)


def _no_number(field: str, value: Decimal) -> Iterator[NeedsEdit]:
    if not value.is_finite():
        reason, fix = f"{value} is no number", "put a decimal number"
        yield NeedsEdit(reason, field=field, rule="order.number", value=str(value), fix=fix)
    elif beyond(value):
        yield out_of_range(field, value)


def _not_whole(index: int, quantity: Decimal, unit: str) -> NeedsEdit:
    return NeedsEdit(
        f"{quantity} {unit}: goods counted in {unit} come whole",
        field=f"lines[{index}].quantity",
        rule="order.quantity_whole",
        value=quantity,
        fix=f"put {_up(quantity)}, or another unit",
    )


def _no_price(index: int, quantity: Quantity, sku: str) -> NeedsEdit:
    return NeedsEdit(
        f"no price is known for {quantity.value} {quantity.unit} of {sku}",
        field=f"lines[{index}].unit_price",
        rule="order.price_known",
        fix="put the unit price",
    )


def _plain(value: Decimal) -> Decimal:
    """The same number without an exponent above zero: 1E+3 is 1000."""
    exponent = value.as_tuple().exponent
    return value.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else value


def _up(value: Decimal) -> Decimal:
    return value.to_integral_value(rounding="ROUND_CEILING")


def _line(
    index: int, line: OrderLineRequest, sku: str, currency: str, step: Decimal, setting: Setting
) -> OrderLine | list[NeedsEdit]:
    """The line, whose SKU is `sku` in our words; or what keeps it from being one."""
    value, price, discount, tax, total = line.quantity, line.unit_price, line.discount, line.tax, line.total
    if not (
        _usable(value)
        and (price is None or _usable(price))
        and (discount is None or _usable(discount))
        and (tax is None or _usable(tax))
        and (total is None or _usable(total))
    ):
        return list(_unusable(index, line))
    product = setting.catalog.products.get(sku)
    unit = line.unit or (product.unit if product is not None else EACH)
    if unit in WHOLE_UNITS and value != value.to_integral_value():
        return [_not_whole(index, value, unit)]
    quantity = Quantity(_plain(value), unit)
    if price is None:
        # What is unknown, or nothing of, has no price either; that is what must be said, and examining says it.
        price = setting.price_of(sku, quantity) if product is not None and value > ZERO else ZERO
        if price is None:
            return [_no_price(index, quantity, sku)]
    if total is None:
        due = _EXACT.multiply(quantity.value, price)
        total = _EXACT.quantize(due if discount is None else _EXACT.subtract(due, discount), step)
    return OrderLine(
        line=line.line or str(index + 1),
        sku=line.sku,
        description=line.description,
        quantity=quantity,
        unit_price=Money(price, currency),
        discount=None if discount is None else Money(discount, currency),
        tax=None if tax is None else Money(tax, currency),
        total=Money(total, currency),
        location=line.location,
    )


def _charge(charge: ChargeRequest, currency: str) -> Charge:
    return Charge(
        kind=charge.kind, code=charge.code, description=charge.description, amount=Money(charge.amount, currency)
    )


def _party(buyer: BuyerRequest) -> Party:
    return Party(id=buyer.id, name=buyer.name, email=buyer.email, gln=buyer.gln)


def _total(request: OrderRequest, lines: list[OrderLine], charges: tuple[Charge, ...]) -> Decimal:
    if request.total is not None:
        return request.total
    due = ZERO
    for line in lines:
        due = _EXACT.add(due, line.total.amount)
    for charge in charges:
        due = _EXACT.add(due, charge.amount.amount)
    if request.tax is not None and not request.taxes_included:
        due = _EXACT.add(due, request.tax)
    return due
