# SPDX-License-Identifier: Apache-2.0
"""Check the lines of an order: retired products, units and packs, contract prices (margin guard)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from msgspec import Struct

from crossdock.canonical.money import minor_unit
from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import ProductFacts
from crossdock.catalog.price import Asked, quote
from crossdock.catalog.priced import PricedLine, WantedLine
from crossdock.errors import NeedsEdit
from crossdock.orders.failure import edit

# Numbers of an order have 15 digits before and 50 after the point at most: their products are exact.
_EXACT = Context(prec=140)
_ZERO = Decimal(0)


class Tolerance(Struct, frozen=True, kw_only=True):
    """How far a unit price may be from the contract price: `percent` of it or `amount`, whichever is more."""

    percent: Decimal = _ZERO
    amount: Decimal = _ZERO


def check_products(order: SalesOrder, products: Mapping[str, ProductFacts]) -> Iterator[NeedsEdit]:
    """Lines whose product is not sold any more."""
    for index, line in enumerate(order.lines):
        product = products.get(line.sku)
        if product is not None and not product.active:
            instead = next((sku for sku in product.substitutes if sku in products and products[sku].active), "")
            yield edit(
                f"lines[{index}].sku",
                "product_retired",
                line.sku,
                f"{line.sku} is retired",
                f"put {instead}, which replaces it, or take the line out" if instead else "take the line out",
            )


def check_units(order: SalesOrder, products: Mapping[str, ProductFacts]) -> Iterator[NeedsEdit]:
    """Lines in a unit the product is not sold by, or in no multiple of its pack."""
    for index, line in enumerate(order.lines):
        product = products.get(line.sku)
        if product is None or line.quantity.value <= _ZERO:
            continue
        factor = product.factor(line.quantity.unit)
        if factor is None:
            known = " or ".join([product.unit, *sorted(product.factors)])
            yield edit(
                f"lines[{index}].quantity.unit",
                "unit_known",
                line.quantity.unit,
                f"{line.sku} is not sold by {line.quantity.unit}",
                f"put {known}, or add the unit to the product",
            )
        elif product.pack is not None:
            yield from _pack(index, line, product, factor)


def _pack(index: int, line: OrderLine, product: ProductFacts, factor: Decimal) -> Iterator[NeedsEdit]:
    pack = product.pack or factor
    held = _EXACT.multiply(line.quantity.value, factor)
    packs = _EXACT.divide(held, pack)
    if packs == packs.to_integral_value():
        return
    nearest = [
        Quantity(_EXACT.multiply(whole, pack), product.unit)
        for whole in (packs.to_integral_value(ROUND_CEILING), packs.to_integral_value(ROUND_FLOOR))
        if whole > _ZERO and _countable(_EXACT.multiply(whole, pack), product.unit)
    ]
    nearest.sort(key=lambda one: abs(one.value - held))
    told = " or ".join(_in_unit(one, line.quantity.unit, factor) for one in nearest)
    yield edit(
        f"lines[{index}].quantity",
        "pack_size",
        line.quantity.value,
        f"{line.sku} is sold in packs of {pack:f} {product.unit}, the line asks for {held:f}",
        f"put {told}" if told else "put a multiple of the pack",
    )


def _countable(value: Decimal, unit: str) -> bool:
    return unit not in WHOLE_UNITS or value == value.to_integral_value()


def _in_unit(quantity: Quantity, unit: str, factor: Decimal) -> str:
    """So many base units in the line's unit, where it comes out even; else in the base unit."""
    value = _EXACT.divide(quantity.value, factor)
    even = _EXACT.multiply(value, factor) == quantity.value and _countable(value, unit)
    return f"{_short(value)} {unit}" if even else f"{_short(quantity.value)} {quantity.unit}"


def check_prices(
    order: SalesOrder, products: Mapping[str, ProductFacts], book: PriceBook, group: str, tolerance: Tolerance
) -> Iterator[NeedsEdit]:
    """Lines whose price, less the line's discount, is further from what the customer's lists say than is tolerated.

    Lists are those in effect when the order was placed, with or without taxes as the order is.
    """
    asked = Asked(
        customer=order.customer.id,
        group=group,
        channel=order.channel,
        currency=order.currency,
        at=order.placed_at,
        taxes_included=order.taxes_included,
    )
    lines = [(index, line) for index, line in enumerate(order.lines) if _priceable(line, order.currency, products)]
    priced = quote(book, products, asked, [WantedLine(line.sku, line.quantity) for _, line in lines])
    for (index, line), contract in zip(lines, priced, strict=True):
        if contract.unit_price is None:
            yield edit(
                f"lines[{index}].unit_price",
                "price_known",
                line.unit_price.amount,
                f"there is nothing to compare the price of {line.sku} with: {contract.reason}",
                f"add {line.sku} to a price list in {order.currency}",
            )
        else:
            yield from _compare(index, line, contract, contract.unit_price, tolerance)


def _priceable(line: OrderLine, currency: str, products: Mapping[str, ProductFacts]) -> bool:
    """Whether there is something to compare: what is wrong otherwise is told by other rules."""
    product = products.get(line.sku)
    return (
        product is not None
        and product.factor(line.quantity.unit) is not None
        and line.quantity.value > _ZERO
        and line.unit_price.currency == currency
    )


def _compare(
    index: int, line: OrderLine, contract: PricedLine, price: Decimal, tolerance: Tolerance
) -> Iterator[NeedsEdit]:
    quantity, step = line.quantity.value, minor_unit(line.unit_price.currency)
    off = _off(price, tolerance, step)
    discount = line.discount.amount if line.discount is not None else _ZERO
    asked = _EXACT.subtract(_EXACT.multiply(quantity, line.unit_price.amount), discount)
    least, most = max(_EXACT.subtract(price, off), _ZERO), _EXACT.add(price, off)
    if _EXACT.multiply(quantity, least) <= asked <= _EXACT.multiply(quantity, most):
        return
    low = asked < _EXACT.multiply(quantity, least)
    edge = least if low else most
    if discount:
        # What the unit price must be so that it is the edge after the discount.
        edge = _EXACT.add(edge, _EXACT.divide(discount, quantity))
    put = edge.quantize(min(step, _step(price)), ROUND_CEILING if low else ROUND_FLOOR, _EXACT)
    after = f", less a discount of {discount} on the line" if discount else ""
    yield edit(
        f"lines[{index}].unit_price",
        "contract_price",
        line.unit_price.amount,
        f"the unit price is {line.unit_price.amount}{after}; it should be {_short(price)} ({contract.reason}), "
        f"at most {_short(off)} {'less' if low else 'more'}",
        f"put {_short(put)} or {'more' if low else 'less'}, or change what it is compared with",
    )


def _off(price: Decimal, tolerance: Tolerance, step: Decimal) -> Decimal:
    """By how much the price may differ. One that has more decimals than the
    currency may be rounded to them."""
    off = max(_EXACT.divide(_EXACT.multiply(price, tolerance.percent), Decimal(100)), tolerance.amount)
    return max(off, step / 2) if _EXACT.remainder(price, step) else off


def _step(price: Decimal) -> Decimal:
    exponent = price.as_tuple().exponent
    return Decimal(1).scaleb(exponent) if isinstance(exponent, int) else Decimal(1)


def _short(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
