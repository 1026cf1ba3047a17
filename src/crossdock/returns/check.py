# SPDX-License-Identifier: Apache-2.0
"""What can be returned at all: lines of the order, no more of each than has left and no other return has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from crossdock.canonical.goods_return import GoodsReturn, ReturnLine
from crossdock.errors import NeedsEdit
from crossdock.returns.amounts import ZERO, shares, step_of, worth
from crossdock.returns.failure import edit
from crossdock.returns.lines import LineState
from crossdock.returns.policy import Asked, ReturnPolicy
from crossdock.returns.sold import Products, Sold, SoldLine, kept

MOST_LINES = 1000
"""The most lines of one return."""


def impossible(asked: GoodsReturn, sold: Sold, products: Products) -> list[NeedsEdit]:
    """Everything about a return that no policy could let pass; all failures at once."""
    if not asked.lines:
        return [edit("lines", "lines", None, "the return names no goods", "put the lines that are to come back")]
    if len(asked.lines) > MOST_LINES:
        said = f"{len(asked.lines)} lines, a return has at most {MOST_LINES}"
        return [edit("lines", "lines", len(asked.lines), said, f"leave {len(asked.lines) - MOST_LINES} of them out")]
    return [*_of_another(asked, sold), *_impossible(asked, sold, products)]


def _of_another(asked: GoodsReturn, sold: Sold) -> Iterator[NeedsEdit]:
    if asked.channel != sold.order.channel:
        said = f"the order was placed in channel {sold.order.channel}, the return in {asked.channel}"
        yield edit("channel", "channel", asked.channel, said, f"put {sold.order.channel}, or the order it is of")


def _impossible(asked: GoodsReturn, sold: Sold, products: Products) -> Iterator[NeedsEdit]:
    wanted: dict[str, Decimal] = {}
    for index, line in enumerate(asked.lines):
        one = sold.lines.get(line.line)
        failure = _wrong(index, line, one, products)
        if failure is not None or one is None:
            yield failure or _no_line(index, line, sold)
            continue
        before = wanted.get(line.line, ZERO)
        wanted[line.line] = before + kept(line.quantity, line.sku, products).value
        left = max(one.shipped - sold.taken(line.line, asked.return_key) - before, ZERO)
        if wanted[line.line] - before > left:
            yield edit(
                f"lines[{index}].quantity",
                "quantity",
                line.quantity.value,
                f"line {line.line}: {wanted[line.line] - before} {one.unit} are to come back, "
                f"{left} have left and are in no other return",
                f"lower the quantity to {left} {one.unit}" if left else "leave the line out",
            )


def _wrong(index: int, line: ReturnLine, one: SoldLine | None, products: Products) -> NeedsEdit | None:
    if one is None:
        return None
    if line.sku != one.line.sku:
        return edit(
            f"lines[{index}].sku",
            "sku",
            line.sku,
            f"line {line.line} of the order is {one.line.sku}, not {line.sku}",
            f"put {one.line.sku}, or the line that has {line.sku}",
        )
    there = kept(line.quantity, line.sku, products)
    if there.unit != one.unit:
        return edit(
            f"lines[{index}].quantity.unit",
            "unit",
            line.quantity.unit,
            f"{line.quantity.value} {line.quantity.unit} of {line.sku} cannot be told in {one.unit}",
            f"put the quantity in {one.unit}",
        )
    if there.value <= 0:
        said = f"{line.quantity.value} {line.quantity.unit} cannot come back"
        return edit(f"lines[{index}].quantity", "quantity", line.quantity.value, said, "put a quantity above zero")
    return None


def _no_line(index: int, line: ReturnLine, sold: Sold) -> NeedsEdit:
    known = ", ".join(list(sold.lines)[:20])
    said = f"the order has no line {line.line}"
    return edit(f"lines[{index}].line", "line", line.line, said, f"put one of {known}")


def states_of(asked: GoodsReturn, sold: Sold, products: Products, policy: ReturnPolicy | None) -> dict[str, LineState]:
    """The lines of a return that `impossible` found sound, nothing approved yet."""
    states: dict[str, LineState] = {}
    for line in asked.lines:
        one, quantity = sold.lines[line.line], kept(line.quantity, line.sku, products).value
        state = states.get(line.line)
        if state is None:
            percent = policy.fee_percent(line.reason) if policy is not None else ZERO
            states[line.line] = LineState(
                sku=line.sku, unit=one.unit, requested=quantity, reason=line.reason, fee_percent=percent
            )
        else:
            state.requested += quantity
    return states


def facts_of(asked: GoodsReturn, states: dict[str, LineState], sold: Sold, policy: ReturnPolicy | None) -> Asked:
    """What the policy looks at."""
    step = step_of(sold.order)
    due = shares(sold.order, policy.keeps if policy is not None else ())
    amount = ZERO
    for name, state in states.items():
        # What other returns are to bring back is worth something already.
        before, ordered = sold.taken(name, asked.return_key), sold.lines[name].ordered
        amount += worth(due[name], before + state.requested, ordered, step) - worth(due[name], before, ordered, step)
    return Asked(since=_since(asked.requested_at, sold.left_at), amount=amount, currency=sold.order.currency)


def _since(requested_at: datetime, left_at: datetime | None) -> timedelta:
    if left_at is None:
        return timedelta(0)
    return max(requested_at - left_at, timedelta(0))
