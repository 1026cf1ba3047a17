# SPDX-License-Identifier: Apache-2.0
"""Draft the sales order that a request stands for: what the caller left out is derived, and nothing else is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from secrets import token_hex

from msgspec import Struct

from crossdock.canonical.money import Money, minor_unit
from crossdock.canonical.party import Party
from crossdock.canonical.quantity import EACH, WHOLE_UNITS, Quantity
from crossdock.canonical.sales_order import Charge, OrderLine, SalesOrder
from crossdock.catalog.cache import Catalog
from crossdock.errors import NeedsEdit
from crossdock.orders.request import BuyerRequest, ChargeRequest, OrderLineRequest, OrderRequest
from crossdock.orders.validate import beyond, out_of_range, too_many_lines

ZERO = Decimal(0)
# Amounts have at most 15 digits before and 50 after the point: their product is exact, and rounded once.
_EXACT = Context(prec=140, rounding=ROUND_HALF_UP)

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
    failures = [*_unusable(request, setting)]
    if failures:
        return failures
    currency = request.currency or setting.currency
    step = minor_unit(currency)
    lines: list[OrderLine] = []
    for index, line in enumerate(request.lines):
        made = _line(index, line, currency, step, setting)
        if isinstance(made, NeedsEdit):
            failures.append(made)
        else:
            lines.append(made)
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
        lines=tuple(lines),
        charges=charges,
        tax=None if request.tax is None else Money(request.tax, currency),
        taxes_included=request.taxes_included,
        total=Money(_total(request, lines, charges), currency),
        note=request.note,
    )


def _unusable(request: OrderRequest, setting: Setting) -> Iterator[NeedsEdit]:
    """Numbers that nothing can be reckoned with."""
    products = setting.catalog.products
    for index, line in enumerate(request.lines):
        at = f"lines[{index}]"
        for name in ("quantity", "unit_price", "discount", "tax", "total"):
            value: Decimal | None = getattr(line, name)
            if value is not None:
                yield from _no_number(f"{at}.{name}", value)
        if line.quantity.is_finite() and not beyond(line.quantity):
            product = products.get(setting.catalog.sku(setting.source, line.sku) or line.sku)
            unit = line.unit or (product.unit if product is not None else EACH)
            if unit in WHOLE_UNITS and line.quantity != line.quantity.to_integral_value():
                yield NeedsEdit(
                    f"{line.quantity} {unit}: goods counted in {unit} come whole",
                    field=f"{at}.quantity",
                    rule="order.quantity_whole",
                    value=line.quantity,
                    fix=f"put {_up(line.quantity)}, or another unit",
                )
    for index, charge in enumerate(request.charges):
        yield from _no_number(f"charges[{index}].amount", charge.amount)
    for name in ("tax", "total"):
        amount: Decimal | None = getattr(request, name)
        if amount is not None:
            yield from _no_number(name, amount)


def _no_number(field: str, value: Decimal) -> Iterator[NeedsEdit]:
    if not value.is_finite():
        reason, fix = f"{value} is no number", "put a decimal number"
        yield NeedsEdit(reason, field=field, rule="order.number", value=str(value), fix=fix)
    elif beyond(value):
        yield out_of_range(field, value)


def _plain(value: Decimal) -> Decimal:
    """The same number without an exponent above zero: 1E+3 is 1000."""
    exponent = value.as_tuple().exponent
    return value.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else value


def _up(value: Decimal) -> Decimal:
    return value.to_integral_value(rounding="ROUND_CEILING")


def _line(index: int, line: OrderLineRequest, currency: str, step: Decimal, setting: Setting) -> OrderLine | NeedsEdit:
    catalog = setting.catalog
    sku = catalog.sku(setting.source, line.sku) or line.sku
    product = catalog.products.get(sku)
    quantity = Quantity(_plain(line.quantity), line.unit or (product.unit if product is not None else EACH))
    price = line.unit_price
    if price is None:
        # An unknown SKU has no price either; that it is unknown is what must be said.
        price = setting.price_of(sku, quantity) if product is not None else ZERO
        if price is None:
            return NeedsEdit(
                f"no price is known for {quantity.value} {quantity.unit} of {sku}",
                field=f"lines[{index}].unit_price",
                rule="order.price_known",
                fix="put the unit price",
            )
    total = line.total
    if total is None:
        due = _EXACT.subtract(_EXACT.multiply(quantity.value, price), line.discount or ZERO)
        total = _EXACT.quantize(due, step)
    return OrderLine(
        line=line.line or str(index + 1),
        sku=line.sku,
        description=line.description,
        quantity=quantity,
        unit_price=Money(price, currency),
        discount=None if line.discount is None else Money(line.discount, currency),
        tax=None if line.tax is None else Money(line.tax, currency),
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
