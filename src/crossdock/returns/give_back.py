# SPDX-License-Identifier: Apache-2.0
"""The money for what a receipt brought back: what all that came back is worth, less what was given for it before."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from crossdock.canonical.goods_return import Refund, RefundLine
from crossdock.canonical.money import Money
from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.returns.amounts import ZERO, fee_of, shares, step_of, within, worth
from crossdock.returns.sold import KnownReturn, Sold, SoldLine

# Where a measured unit does not come out even; what is rounded off one refund is in the next.
_FINEST = Decimal("0.000001")


def give_back(
    sold: Sold, row: KnownReturn, before: Mapping[str, Decimal], keeps: Collection[str], at: datetime, key: str
) -> Refund:
    """The refund for what came back of lines of `row` since `before`: how much of each line of the order had come back
    by then, of all returns. The lines of `row` count what came already; what is given for it is noted in them and in
    the row. `keeps`: charges that are not given back. `key`: names the refund."""
    step, due = step_of(sold.order), shares(sold.order, keeps)
    gross = {
        name: max(_worth(due, sold, name, sold.back(name), step) - _worth(due, sold, name, had, step), ZERO)
        for name, had in before.items()
    }
    gross = within(gross, sum(due.values(), ZERO) - sold.given_back)
    kept = ZERO
    for name, amount in gross.items():
        state = row.lines[name]
        state.gross += amount
        fee = fee_of(state.gross, state.fee_percent, step)
        kept += fee - state.fee
        state.fee = fee
    total = sum(gross.values(), ZERO) - kept
    row.refund += total
    row.fee += kept
    return Refund(
        refund_key=key,
        return_key=row.return_key,
        order_key=row.order_key,
        channel=row.channel,
        number=row.number,
        resolution="credit" if row.resolution == "credit" else "refund",
        currency=row.currency,
        refunded_at=at,
        lines=tuple(
            RefundLine(
                line=name,
                sku=row.lines[name].sku,
                quantity=whole_units(sold.lines[name], had, sold.back(name)),
                amount=Money(gross[name], row.currency),
            )
            for name, had in before.items()
        ),
        fee=Money(kept, row.currency) if kept else None,
        total=Money(total, row.currency),
    )


def _worth(due: Mapping[str, Decimal], sold: Sold, name: str, back: Decimal, step: Decimal) -> Decimal:
    return worth(due[name], back, sold.lines[name].ordered, step)


def whole_units(line: SoldLine, before: Decimal, after: Decimal) -> Quantity:
    """How many whole units of the order's line there are between `before` and `after`, both in the unit its goods are
    kept in. Parts told one after the other add up to the whole."""
    unit = line.line.quantity.unit
    return Quantity(_units(line, after) - _units(line, before), unit)


def _units(line: SoldLine, back: Decimal) -> Decimal:
    if back >= line.ordered:
        return line.line.quantity.value
    units = line.line.quantity.value * back / line.ordered
    return units.to_integral_value(ROUND_FLOOR) if line.line.quantity.unit in WHOLE_UNITS else units.quantize(_FINEST)
