# SPDX-License-Identifier: Apache-2.0
"""Convert what left: a warehouse counts in the unit goods are kept in, ERP and channel in the unit of the order.

Of a case that left in two shipments nothing is told until it is whole; the shipment that completes it is told with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_FLOOR, Decimal

from msgspec.structs import replace

from crossdock.canonical.fulfillment import FulfillmentLine, Shipment
from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import NeedsEdit
from crossdock.fulfillment.lines import LineState

# Where a measured unit does not come out even; what is rounded off one shipment is in the next.
_FINEST = Decimal("0.000001")


def as_kept(
    shipment: Shipment, lines: Mapping[str, LineState], products: Mapping[str, ProductFacts]
) -> dict[str, Decimal] | NeedsEdit:
    """What left per line in the unit its goods are kept in, or which unit a line's product does not have."""
    quantities: dict[str, Decimal] = {}
    for package in shipment.packages:
        for line in package.lines:
            value = _kept(line, lines.get(line.line), products)
            if value is None:
                state = lines[line.line]
                return NeedsEdit(
                    f"line {line.line}: {line.quantity.value} {line.quantity.unit} of {state.sku} left, "
                    f"which is kept in {state.unit}",
                    field=f"packages.lines[{line.line}].quantity.unit",
                    rule="shipment.unit",
                    value=line.quantity.unit,
                    fix=f"put the quantity in {state.unit}, or give the product the unit with what it holds",
                )
            quantities[line.line] = quantities.get(line.line, Decimal(0)) + value
    return quantities


def as_ordered(shipment: Shipment, lines: Mapping[str, LineState], products: Mapping[str, ProductFacts]) -> Shipment:
    """The shipment in the order's units. `lines`: as they were before it; `as_kept` has found its units sound."""
    if not any(_counts_otherwise(line, lines[line.line]) for package in shipment.packages for line in package.lines):
        return shipment
    gone: dict[str, Decimal] = {}

    def told(inside: tuple[FulfillmentLine, ...]) -> Iterator[FulfillmentLine]:
        for line in inside:
            state = lines[line.line]
            value = _kept(line, state, products)
            if not state.unit or value is None:
                yield line
                continue
            before = gone.get(line.line, state.shipped)
            gone[line.line] = before + value
            quantity = _told(state, before + value) - _told(state, before)
            if quantity:
                yield replace(line, quantity=Quantity(quantity, state.of_order.unit if state.of_order else state.unit))

    return replace(
        shipment, packages=tuple(replace(package, lines=tuple(told(package.lines))) for package in shipment.packages)
    )


def _counts_otherwise(line: FulfillmentLine, state: LineState) -> bool:
    return state.of_order is not None or (bool(state.unit) and line.quantity.unit != state.unit)


def _kept(line: FulfillmentLine, state: LineState | None, products: Mapping[str, ProductFacts]) -> Decimal | None:
    if state is None or not state.unit:
        return line.quantity.value
    product = products.get(state.sku)
    kept = line.quantity if line.quantity.unit == state.unit or product is None else product.kept(line.quantity)
    return kept.value if kept is not None and kept.unit == state.unit else None


def _told(state: LineState, shipped: Decimal) -> Decimal:
    """How much of the order's line has left in whole, when so much of its goods has."""
    if state.of_order is None:
        return shipped
    if shipped >= state.ordered:
        return state.of_order.value
    told = state.of_order.value * shipped / state.ordered
    if state.of_order.unit in WHOLE_UNITS:
        return told.to_integral_value(ROUND_FLOOR)
    return told.quantize(_FINEST)
