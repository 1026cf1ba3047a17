# SPDX-License-Identifier: Apache-2.0
"""What the words of a mapping cannot say of Shopify's orders; functions raise ValueError with a reason for people.

An order that was edited in the store, or partly refunded, keeps its first quantities and total beside the current ones.
Ours is the order as it stands now; a cancelled order is kept as it was before, so that one sees what was cancelled.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, DecimalException
from typing import Any, Final

from crossdock.canonical.fulfillment import Shipment
from crossdock.canonical.money import minor_unit

_ZERO: Final = Decimal(0)
_LONGEST_NUMBER: Final = 40
_WIDEST: Final = 10**18


def exact_id(values: list[Any]) -> str | None:
    """The id behind [GraphQL id, number]: right even where JavaScript has rounded the number above 2^53."""
    gid, number = values
    if isinstance(gid, str):
        tail = gid.rpartition("/")[2]
        if tail.isascii() and tail.isdigit() and len(tail) <= 20:
            return tail
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError("an id is a whole number")
    return str(number)


def order_key(values: list[Any]) -> str | None:
    """The order's key from [channel, GraphQL id, number]: "<channel>/<id in the store>"."""
    channel, gid, number = values
    identity = exact_id([gid, number])
    return f"{channel}/{identity}" if identity is not None else None


def account(values: list[Any]) -> str | None:
    """The buyer from [company id, customer's GraphQL id, customer's number]; a company's order is the company's."""
    company, gid, number = values
    return str(company) if isinstance(company, int) and not isinstance(company, bool) else exact_id([gid, number])


def as_it_stands(values: list[Any]) -> Any:
    """The total from [first, current, quantities, current quantities, cancelled_at]: the first unless edited since."""
    first, current, were, are, cancelled_at = values
    if current is None or (type(current) is str and current == first):
        return first
    return current if _edited(were, are, cancelled_at) else first


def lines_left(values: list[Any]) -> Any:
    """The lines from [line_items, cancelled_at] without those that were taken off wholly."""
    lines, cancelled_at = values
    if cancelled_at or not isinstance(lines, list):
        return lines
    left = [line for line in lines if not isinstance(line, dict) or line.get("current_quantity") != 0]
    return left if len(left) < len(lines) and left else lines


def quantity_now(values: list[Any]) -> Any:
    """The quantity from [quantity, current_quantity, cancelled_at]."""
    first, current, cancelled_at = values
    return current if type(current) is int and not cancelled_at else first


def line_discount(values: list[Any], currency: Any) -> Decimal | None:
    """What all discounts take off a line, from [amounts allocated, quantity, current_quantity, cancelled_at]."""
    amounts, first, current, cancelled_at = values
    if not amounts:
        return None
    return _share(amounts, first, quantity_now([first, current, cancelled_at]), currency) or None


def line_tax(values: list[Any], currency: Any) -> Decimal | None:
    """The tax on a line, from [tax amounts, quantity, current_quantity, cancelled_at]."""
    return line_discount(values, currency)


def line_total(values: list[Any], currency: Any) -> Decimal:
    """Quantity × price − discounts, from [price, amounts allocated, quantity, current_quantity, cancelled_at]."""
    price, amounts, first, current, cancelled_at = values
    now = quantity_now([first, current, cancelled_at])
    whole = _number(price) * _number(now)
    return whole - (_share(amounts, first, now, currency) if amounts else _ZERO)


def charges_of(values: list[Any]) -> list[dict[str, Any]]:
    """What is on an order beside goods.

    `values`: [shipping_lines, tip, duties, fees, total_discounts, amounts allocated per line, quantities, current
    quantities, cancelled_at]. Shipping comes net of its discounts; a discount of the order that the store has not
    allocated to lines is a charge of its own.
    """
    shipping, tip, duties, fees, discounts, allocated, *quantities = values
    charges = [*_shipping(shipping)]
    for kind, code, amount in (("fee", "tip", tip), ("fee", "duties", duties), ("fee", "additional", fees)):
        if amount is not None and (value := _number(amount)):
            charges.append({"kind": kind, "code": code, "amount": value})
    if discounts is not None and (whole := _number(discounts)) and not _edited(*quantities):
        known = sum((_sum(of_line) for of_line in allocated or ()), _ZERO)
        rest = whole - known - sum((_sum(_allocated(line)) for line in _dicts(shipping)), _ZERO)
        if rest:
            charges.append({"kind": "discount", "code": "order", "amount": -rest})
    return charges


def available(values: list[Any]) -> int:
    """What may be sold, from [on_hand, quarantined, allocated, reserved, safety]; whole pieces, never below zero."""
    on_hand, *held = values
    return max(0, int(on_hand - sum(held, _ZERO)))


def tracking_of(packages: Any, shipment_id: Any) -> list[str]:
    """Tracking numbers of `packages` in order; without any the shipment's own id, so that it can be found again."""
    numbers = [package.tracking_number for package in packages if package.tracking_number]
    return list(dict.fromkeys(numbers)) or [shipment_id]


def tracking_numbers(shipment: Shipment) -> list[str]:
    """The tracking numbers by which the store knows `shipment`."""
    return tracking_of(shipment.packages, shipment.shipment_id)


def tracking_urls(packages: Any) -> list[str] | None:
    """Tracking pages of `packages`, None when there are none."""
    return [package.tracking_url for package in packages if package.tracking_url] or None


def _shipping(lines: Any) -> Iterator[dict[str, Any]]:
    for line in _dicts(lines):
        if not line.get("is_removed"):
            amount = _number(line.get("price"))
            amount -= _sum(_allocated(line)) if line.get("discount_allocations") else _ZERO
            yield {"kind": "shipping", "code": line.get("code"), "title": line.get("title"), "amount": amount}


def _share(amounts: Any, first: Any, current: Any, currency: Any) -> Decimal:
    """The part of `amounts` that falls on the `current` of the `first` pieces."""
    whole = _sum(amounts)
    if not whole or first == current or type(first) is not int or first <= 0:
        return whole
    share: Decimal = whole * current / first
    return share.quantize(minor_unit(str(currency)))


def _edited(first: Any, current: Any, cancelled_at: Any) -> bool:
    # A line without a current quantity leaves the lists unequal in length: nothing is known of edits then.
    return not cancelled_at and bool(current) and len(current) == len(first or ()) and current != first


def _allocated(line: dict[str, Any]) -> Iterator[Any]:
    for allocation in _dicts(line.get("discount_allocations")):
        yield allocation.get("amount")


def _sum(amounts: Any) -> Decimal:
    if not amounts or not isinstance(amounts, list | tuple | Iterator):
        return _ZERO
    return sum(map(_number, amounts), _ZERO)


def plain_number(value: Any) -> str:
    """A decimal as the store's Money, without an exponent."""
    return f"{value:f}"


def _dicts(values: Any) -> Iterator[dict[str, Any]]:
    if isinstance(values, list):
        for value in values:
            if isinstance(value, dict):
                yield value


def _number(value: Any) -> Decimal:
    if type(value) is str:
        text = value
    elif type(value) is int and abs(value) < _WIDEST:
        return Decimal(value)
    elif isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("an amount is missing or no number")
    else:
        text = str(value)
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text)} characters is no amount")
    try:
        number = Decimal(text)
    except DecimalException:
        raise ValueError(f"{text!r} is not a number") from None
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST_NUMBER:
        raise ValueError(f"{text} is not a number an amount can have")
    return number


def money_status(values: list[Any]) -> str:
    """Whether a transaction's money counts, from [kind, status]: settled, promised, or failed (it came to nothing)."""
    kind, status = (str(value).lower() for value in values)
    if status in ("failure", "error") or kind == "void":
        return "failed"
    return "promised" if kind == "authorization" or status == "pending" else "settled"
