# SPDX-License-Identifier: Apache-2.0
"""Draft a return of what a caller of the API asks for; everything that keeps it from being one, at once."""

from __future__ import annotations

from datetime import datetime
from secrets import token_hex

from msgspec import Struct

from crossdock.canonical.goods_return import GoodsReturn, ReturnLine
from crossdock.canonical.quantity import WHOLE_UNITS, Quantity
from crossdock.errors import NeedsEdit
from crossdock.returns.check import MOST_LINES, impossible
from crossdock.returns.failure import edit
from crossdock.returns.request import ReturnLineRequest, ReturnRequest
from crossdock.returns.sold import Products, Sold

# Beyond this a quantity is a mistake, and no ledger could hold what it adds up to.
_MOST_DIGITS = 15


class Identity(Struct, frozen=True):
    """Which return it is: its id, and when it was asked for (UTC)."""

    id: str
    requested_at: datetime


def new_identity(at: datetime) -> Identity:
    """An id of its own for a return asked for at `at`; ids of later ones sort behind it."""
    return Identity(f"ret_{int(at.timestamp() * 1000):012x}{token_hex(8)}", at)


def draft(request: ReturnRequest, identity: Identity, sold: Sold, products: Products) -> GoodsReturn | list[NeedsEdit]:
    """The return that `request` asks for; or what makes it impossible, whatever the policy says."""
    if len(request.lines) > MOST_LINES:
        said = f"{len(request.lines)} lines, a return has at most {MOST_LINES}"
        return [
            edit("lines", "lines", len(request.lines), said, f"leave {len(request.lines) - MOST_LINES} of them out")
        ]
    failures: list[NeedsEdit] = []
    lines: list[ReturnLine] = []
    for index, line in enumerate(request.lines):
        made = _line(index, line, request.reason, sold)
        if isinstance(made, NeedsEdit):
            failures.append(made)
        else:
            lines.append(made)
    if failures:
        return failures
    order = sold.order
    asked = GoodsReturn(
        return_key=f"{order.channel}/{identity.id}",
        order_key=order.order_key,
        number=request.number or identity.id,
        channel=order.channel,
        version=int(identity.requested_at.timestamp() * 1000),
        requested_at=identity.requested_at,
        resolution=request.resolution,
        lines=tuple(lines),
        note=request.note,
    )
    return impossible(asked, sold, products) or asked


def _line(index: int, line: ReturnLineRequest, reason: str, sold: Sold) -> ReturnLine | NeedsEdit:
    one = sold.lines.get(line.line)
    if one is None:
        known = ", ".join(list(sold.lines)[:20])
        said = f"the order has no line {line.line}"
        return edit(f"lines[{index}].line", "line", line.line, said, f"put one of {known}")
    unit = line.unit or one.line.quantity.unit
    value = line.quantity
    if not value.is_finite() or not -_MOST_DIGITS <= value.adjusted() < _MOST_DIGITS:
        said = f"{str(value)[:50]} is no quantity of goods"
        return edit(f"lines[{index}].quantity", "quantity", str(value)[:50], said, "put how many are to come back")
    if unit in WHOLE_UNITS and value != value.to_integral_value():
        said = f"{value} {unit}: goods counted in {unit} come back whole"
        return edit(f"lines[{index}].quantity", "quantity", value, said, f"put {value.to_integral_value()}")
    return ReturnLine(
        line=line.line,
        sku=one.line.sku,
        quantity=Quantity(value, unit),
        reason=line.reason or reason,
        note=line.note,
    )
