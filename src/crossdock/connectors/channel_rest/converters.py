# SPDX-License-Identifier: Apache-2.0
"""What the words of a mapping cannot say of the channel's documents; functions raise ValueError with a reason."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

_ZERO: Final = Decimal(0)


def shipping_charge(amount: Any) -> list[dict[str, Any]]:
    """What is charged for delivery as the order's only charge; none when it is nothing."""
    try:
        free = isinstance(amount, str) and len(amount) <= 40 and Decimal(amount) == 0
    except InvalidOperation:
        free = False  # `money` says what is wrong with it
    return [] if free else [{"amount": amount}]


def available(values: list[Any]) -> int:
    """What may be sold, from [on_hand, quarantined, allocated, reserved, safety]: whole units, never below zero."""
    on_hand, *held = values
    return max(0, int(on_hand - sum((value for value in held if value is not None), _ZERO)))


def plain_number(value: Any) -> str:
    """A decimal as the contract's decimal string, without an exponent."""
    return f"{value:f}"


def line_number(value: Any) -> int:
    """An order line's id as the number above zero that the channel gave it. ValueError when it is none."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) > 0):
        raise ValueError(f"line {text[:100]!r} is not a number above zero, as the channel's lines are")
    return int(text)


def tracking_numbers(packages: Any) -> list[str]:
    """The tracking numbers of `packages`, each once, in their order."""
    return list(dict.fromkeys(package.tracking_number for package in packages if package.tracking_number))


def lines_of(packages: Any) -> list[dict[str, Any]]:
    """How much of each order line left, over all `packages`. ValueError when they do not say."""
    left: dict[str, Decimal] = {}
    for package in packages:
        for line in package.lines:
            left[line.line] = left.get(line.line, _ZERO) + line.quantity.value
    if not left:
        raise ValueError("the shipment does not say what is in its packages")
    return [{"line": line, "quantity": format(quantity.normalize(), "f")} for line, quantity in left.items()]
