# SPDX-License-Identifier: Apache-2.0
"""Match what came back with what was to come back: order lines by their id, or by SKU where the receipt names none."""

from __future__ import annotations

from decimal import Decimal

from crossdock.canonical.goods_return import ReturnedLine, ReturnReceipt
from crossdock.errors import NeedsEdit
from crossdock.returns.context import ReturnContext
from crossdock.returns.failure import edit
from crossdock.returns.lines import ZERO, LineState
from crossdock.returns.sold import GONE, KnownReturn, Products, Sold, kept
from crossdock.returns.stock import Back

MOST_LINES = 10_000
"""The most lines of one receipt."""


def matched(receipt: ReturnReceipt, row: KnownReturn, sold: Sold, context: ReturnContext) -> list[Back] | NeedsEdit:
    """Which order lines the goods of a receipt are of; or everything that is wrong with it, at once."""
    failures: list[NeedsEdit] = []
    if row.state in GONE:
        failures.append(
            edit(
                "return_key",
                "open",
                receipt.return_key,
                f"goods came back for a return that was {row.state}",
                "agree with the customer what becomes of them, then dismiss this with the reason",
            )
        )
    if receipt.location not in context.system_of:
        known = ", ".join(sorted(context.system_of)[:20])
        said = f"location {receipt.location!r} is not in the estate"
        failures.append(edit("location", "location", receipt.location, said, f"put one of {known}"))
    if not 0 < len(receipt.lines) <= MOST_LINES:
        said = f"a receipt has 1 to {MOST_LINES} lines, this one {len(receipt.lines)}"
        failures.append(edit("lines", "lines", len(receipt.lines), said, "put the lines that came back, or dismiss it"))
    if failures:
        return NeedsEdit.of(failures)
    backs: list[Back] = []
    due = {name: state.due for name, state in row.lines.items()}
    for index, line in enumerate(receipt.lines):
        found = _match(index, line, row, due, context.products)
        if isinstance(found, NeedsEdit):
            failures.append(found)
        elif lost := [back.line for back in found if back.line not in sold.lines]:
            failures.append(_lost(index, lost[0], row))
        else:
            backs += found
    return NeedsEdit.of(failures) if failures else backs


def _lost(index: int, name: str, row: KnownReturn) -> NeedsEdit:
    said = f"order {row.order_key} has no line {name} any more, so nobody can say what its goods are worth"
    fix = (
        "put the line of the order that the goods are of, or settle with the customer and dismiss this with the reason"
    )
    return edit(f"lines[{index}].line", "order_line", name, said, fix)


def _match(
    index: int, line: ReturnedLine, row: KnownReturn, due: dict[str, Decimal], products: Products
) -> list[Back] | NeedsEdit:
    places = [line.line] if line.line else [name for name, state in row.lines.items() if state.sku == line.sku]
    if not places or any(name not in row.lines or row.lines[name].sku != line.sku for name in places):
        known = ", ".join(f"{name} ({state.sku})" for name, state in list(row.lines.items())[:20])
        where = f"line {line.line} with {line.sku}" if line.line else line.sku
        said = f"{where} was not to come back"
        return edit(f"lines[{index}].sku", "received_line", line.sku, said, f"put one of {known}")
    there = kept(line.quantity, line.sku, products)
    unit = row.lines[places[0]].unit
    if there.unit != unit:
        said = f"{line.quantity.value} {line.quantity.unit} of {line.sku} came back, which is kept in {unit}"
        fix = f"put the quantity in {unit}, or give the product the unit with what it holds"
        return edit(f"lines[{index}].quantity.unit", "received_unit", line.quantity.unit, said, fix)
    most = sum((due[name] for name in places), ZERO)
    if not 0 < there.value <= most:
        said = f"{there.value} {unit} of {line.sku} came back, {most} are still to come"
        fix = f"put a quantity above zero and up to {most}, or ask the location what came back"
        return edit(f"lines[{index}].quantity", "received_quantity", line.quantity.value, said, fix)
    return [*_dealt(line, there.value, places, due, row.lines)]


def _dealt(
    line: ReturnedLine, quantity: Decimal, places: list[str], due: dict[str, Decimal], lines: dict[str, LineState]
) -> list[Back]:
    backs = []
    for name in places:
        part = min(quantity, due[name])
        if part > 0:
            due[name] -= part
            quantity -= part
            backs.append(Back(name, line, part, lines[name].unit))
    return backs
