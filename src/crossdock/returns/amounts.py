# SPDX-License-Identifier: Apache-2.0
"""What money goes back for goods: each line's share of what was paid, and of it what so many of the line are worth.

Nothing is worked out from what was given back before, but from how much has come back in all: whichever way goods come
back in parts, together they get what they would have got at once, and all of them get exactly what was paid.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal

from crossdock.canonical.money import minor_unit
from crossdock.canonical.sales_order import OrderLine, SalesOrder

ZERO = Decimal(0)
# Far more digits than amounts, quantities and their products have: nothing is rounded but on purpose.
_EXACT = Context(prec=140)


def step_of(order: SalesOrder) -> Decimal:
    """The smallest amount that is reckoned with: the currency's, or a smaller one in which total or charges are."""
    told = (order.total, *(one.amount for one in order.charges))
    exponents = [one.amount.as_tuple().exponent for one in told]
    finest = [Decimal(1).scaleb(exponent) for exponent in exponents if isinstance(exponent, int)]
    return min(minor_unit(order.currency), *finest)


def shares(order: SalesOrder, keeps: Collection[str] = ()) -> dict[str, Decimal]:
    """Each line's share of what was paid, less charges of the kinds in `keeps`; together they are exactly that.

    Discounts, charges and tax of the order as a whole are spread over its lines by what these cost (by quantity where
    nothing costs anything); what rounding leaves over goes to the lines that it took most from. Never below zero.
    """
    kept = sum((one.amount.amount for one in order.charges if one.kind in keeps), ZERO)
    paid = max(_EXACT.subtract(order.total.amount, max(kept, ZERO)), ZERO)
    weights = [max(_cost(line, order), ZERO) for line in order.lines]
    if not any(weights):
        weights = [max(line.quantity.value, ZERO) for line in order.lines]
    dealt = spread(paid, weights, step_of(order))
    return {line.line: share for line, share in zip(order.lines, dealt, strict=True)}


def spread(amount: Decimal, weights: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """`amount` (a multiple of `step`, not below zero) in parts by `weights`, each a multiple of `step`, together
    exactly `amount`: the largest remainders are rounded up. Zeros when there is no weight at all."""
    whole = sum(weights, ZERO)
    if not whole:
        return [ZERO for _ in weights]
    exact = [_EXACT.divide(_EXACT.multiply(amount, weight), whole) for weight in weights]
    parts = [one.quantize(step, ROUND_FLOOR, _EXACT) for one in exact]
    left = int(_EXACT.divide(_EXACT.subtract(amount, sum(parts, ZERO)), step).to_integral_value())
    # A line that costs nothing gets nothing, whatever is left over.
    by_rest = sorted(
        (index for index in range(len(parts)) if weights[index]), key=lambda index: (parts[index] - exact[index], index)
    )
    for index in by_rest[:left]:
        parts[index] += step
    return parts


def worth(share: Decimal, back: Decimal, ordered: Decimal, step: Decimal) -> Decimal:
    """What `back` of `ordered` of a line are worth of its `share`: grows with `back`, and is all of it at the end."""
    if back >= ordered:
        return share
    if back <= 0:
        return ZERO
    return _EXACT.divide(_EXACT.multiply(share, back), ordered).quantize(step, ROUND_HALF_UP, _EXACT)


def fee_of(gross: Decimal, percent: Decimal, step: Decimal) -> Decimal:
    """What is kept of `gross`: grows with it, and is never more."""
    return _EXACT.divide(_EXACT.multiply(gross, percent), Decimal(100)).quantize(step, ROUND_HALF_UP, _EXACT)


def within(parts: Mapping[str, Decimal], most: Decimal) -> dict[str, Decimal]:
    """`parts`, cut from the last one on so that together they are not more than `most`."""
    left, cut = max(most, ZERO), dict[str, Decimal]()
    for name, amount in parts.items():
        cut[name] = min(amount, left)
        left -= cut[name]
    return cut


def _cost(line: OrderLine, order: SalesOrder) -> Decimal:
    """What a line costs with its own tax, where it says it and the prices do not hold it already."""
    tax = line.tax.amount if line.tax is not None and not order.taxes_included else ZERO
    return _EXACT.add(line.total.amount, tax)
