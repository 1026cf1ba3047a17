# SPDX-License-Identifier: Apache-2.0
"""A line and its price: arithmetic that is exact until the end, in the unit of the line."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

from msgspec import Struct

from crossdock.canonical.money import minor_unit
from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.catalog.book import Offer

# Wide enough for price × quantity × factor; only what has no end in decimals is longer.
_EXACT = Context(prec=100)
_SHOWN = Decimal("0.000000001")
ONE = Decimal(1)
_step_of = lru_cache(maxsize=256)(minor_unit)


class WantedLine(Struct, frozen=True, gc=False):
    """What is to be priced. `line`: its name, told back."""

    sku: str
    quantity: Quantity
    line: str = ""


class Considered(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A list that names the SKU: what one costs by it, and why it wins or does not count."""

    list: str
    kind: str
    unit_price: Decimal | None = None
    why: str


class Break(Struct, frozen=True, kw_only=True, gc=False):
    """A quantity, in the line's unit, and what one costs from it on."""

    from_quantity: Decimal
    unit_price: Decimal


class PricedLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a line costs. `unit_price` and `total` are missing when there is no price; `reason` says why, or why it is
    this one.

    `list`: the price list that won, "" when it is the product's own price; `kind`: contract, group, channel, base or
    product. `from_quantity`: the quantity break that won; `next_break`: the next one. `considered`: every list that
    names the SKU, when an explanation is asked for.
    """

    line: str = ""
    sku: str
    quantity: Decimal
    unit: str
    unit_price: Decimal | None = None
    total: Decimal | None = None
    taxes_included: bool | None = None
    list: str = ""
    kind: str = ""
    from_quantity: Decimal | None = None
    next_break: Break | None = None
    reason: str
    considered: tuple[Considered, ...] = ()


class Found(Struct, frozen=True, gc=False):
    """An offer that counts for a line: how many base units one of the line's unit holds, and one of the offer's.

    `converted`: the offer is by another unit than the line.
    """

    offer: Offer
    line_factor: Decimal = ONE
    offer_factor: Decimal = ONE
    converted: bool = False


def price_of(found: Found, quantity: Decimal) -> tuple[Decimal, Decimal | None, Decimal | None]:
    """The price of one of the offer's units for so many of the line's, the break that makes it, and the next one."""
    following: Decimal | None = None
    if found.offer.breaks:
        held = _EXACT.multiply(quantity, found.line_factor) if found.converted else quantity
        for begins, price in found.offer.breaks:
            if (_EXACT.multiply(begins, found.offer_factor) if found.converted else begins) <= held:
                return price, begins, following
            following = begins
    return found.offer.price, None, following


def unit_price_of(found: Found, price: Decimal) -> Decimal:
    """The price of one of the line's units; rounded to nine decimals only when it has no end."""
    if not found.converted:
        return price
    product = _EXACT.multiply(price, found.line_factor)
    if found.offer_factor == ONE:
        return product
    exact = _EXACT.divide(product, found.offer_factor)
    if len(exact.as_tuple().digits) < _EXACT.prec:
        return exact
    return exact.quantize(_SHOWN, ROUND_HALF_UP, _EXACT)


def total_of(price: Decimal, quantity: Decimal, currency: str) -> Decimal:
    """price × quantity in the currency's minor unit, rounded half up."""
    return _EXACT.multiply(price, quantity).quantize(_step_of(currency), ROUND_HALF_UP, _EXACT)


def priced_by(found: Found, currency: str, wanted: WantedLine, considered: tuple[Considered, ...]) -> PricedLine:
    """The line at the price of the list that was found."""
    offer, quantity = found.offer, wanted.quantity
    price, begins, following = price_of(found, quantity.value)
    exact = price
    if found.converted:
        exact = _EXACT.divide(_EXACT.multiply(price, found.line_factor), found.offer_factor)
    return PricedLine(
        line=wanted.line,
        sku=wanted.sku,
        quantity=quantity.value,
        unit=quantity.unit,
        unit_price=unit_price_of(found, price),
        total=total_of(exact, quantity.value, currency),
        taxes_included=offer.of.taxes_included,
        list=offer.of.id,
        kind=offer.of.kind,
        from_quantity=None if begins is None else _in_line_unit(found, begins, quantity.unit),
        next_break=None if following is None else _next(found, following, quantity.unit),
        reason=_reason(found, begins),
        considered=considered,
    )


def priced_at(
    price: Decimal, currency: str, factor: Decimal, wanted: WantedLine, considered: tuple[Considered, ...]
) -> PricedLine:
    """The line at the product's own price, which is that of a base unit; one of the line's holds `factor` of it."""
    unit_price = price if factor == ONE else _EXACT.multiply(price, factor)
    return PricedLine(
        line=wanted.line,
        sku=wanted.sku,
        quantity=wanted.quantity.value,
        unit=wanted.quantity.unit,
        unit_price=unit_price,
        total=total_of(unit_price, wanted.quantity.value, currency),
        kind="product",
        reason="no price list in effect names it: the product's own price",
        considered=considered,
    )


def _in_line_unit(found: Found, quantity: Decimal, unit: str) -> Decimal:
    """The least of the line's unit that holds `quantity` of the offer's: whole where the unit is counted."""
    if not found.converted:
        return quantity
    held = _EXACT.divide(_EXACT.multiply(quantity, found.offer_factor), found.line_factor)
    if unit in WHOLE_UNITS or held == held.to_integral_value():
        return held.to_integral_value(ROUND_CEILING, _EXACT)
    return held.quantize(_SHOWN, ROUND_CEILING, _EXACT).normalize(_EXACT)


def _next(found: Found, begins: Decimal, unit: str) -> Break:
    price = next(price for from_quantity, price in found.offer.breaks if from_quantity == begins)
    return Break(from_quantity=_in_line_unit(found, begins, unit), unit_price=unit_price_of(found, price))


def _reason(found: Found, begins: Decimal | None) -> str:
    offer = found.offer
    reason = offer.of.told
    if begins is not None:
        reason = f"{reason}, from {begins:f} {offer.unit} on"
    return f"{reason}, converted from {offer.unit}" if found.converted else reason
