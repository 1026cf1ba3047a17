# SPDX-License-Identifier: Apache-2.0
"""What every statement about stock must say right: a SKU of the catalog, a location of the estate, a sound quantity."""

from __future__ import annotations

from decimal import Decimal

from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import NeedsEdit

# Beyond this a quantity is a mistake, and no ledger could hold what it adds up to.
_MOST_DIGITS = 15


def unknown_sku(sku: str, field: str) -> NeedsEdit:
    """What to say of a SKU that the catalog does not have."""
    return NeedsEdit(
        f"SKU {sku!r} is not in the catalog",
        field=field,
        rule="stock.sku_known",
        value=sku,
        fix="add the product, map it in crosswalk `sku`, or put the right SKU",
    )


def unknown_location(location: str, field: str) -> NeedsEdit:
    """What to say of a location that the estate does not have."""
    return NeedsEdit(
        f"location {location!r} is not in the estate",
        field=field,
        rule="stock.location_known",
        value=location,
        fix="add the location to the estate, or put the right one",
    )


def fits(value: Decimal) -> bool:
    """Whether the ledger can hold `value`: 15 digits on either side of the point."""
    return -_MOST_DIGITS <= value.adjusted() < _MOST_DIGITS


def in_base(product: ProductFacts, quantity: Quantity, field: str) -> Decimal | NeedsEdit:
    """`quantity` in the product's base unit, or what is wrong with it; `field`: where the quantity stands."""
    value = product.in_base(quantity)
    if value is None or (product.unit in WHOLE_UNITS and value != value.to_integral_value()):
        known = ", ".join([product.unit, *sorted(product.factors)])
        return NeedsEdit(
            f"the quantity is in {quantity.unit}, the product is kept in {product.unit}"
            if value is None
            else f"{quantity.value} {quantity.unit} is {value} {product.unit}, which is not whole",
            field=f"{field}.unit",
            rule="stock.unit",
            value=quantity.unit,
            fix=f"put the quantity in one of {known}, or give the product the unit with what it holds",
        )
    if not fits(value):
        return NeedsEdit(
            f"{value:.3E} is no quantity of stock",
            field=f"{field}.value",
            rule="stock.quantity",
            value=f"{value:.3E}",
            fix="put the quantity that was moved or counted",
        )
    return value


def not_counted(value: Decimal, field: str) -> NeedsEdit:
    """What to say of a count or a notice that is below zero."""
    return NeedsEdit(
        f"{value} cannot be there",
        field=f"{field}.value",
        rule="stock.sign",
        value=value,
        fix="put the quantity, which is never below zero",
    )
