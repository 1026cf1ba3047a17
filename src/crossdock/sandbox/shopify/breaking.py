# SPDX-License-Identifier: Apache-2.0
"""Ways an order webhook can be broken: each takes a good payload and gives the bytes that are sent."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec

HUGE_LINES = 10_000


def _encode(order: dict[str, Any]) -> bytes:
    return msgspec.json.encode(order)


def _changed(order: dict[str, Any], **values: Any) -> bytes:
    return _encode({**order, **values})


def unknown_sku(order: dict[str, Any]) -> bytes:
    """The first line asks for something nobody stocks."""
    broken = copy.deepcopy(order)
    broken["line_items"][0].update(
        sku=f"NO-SUCH-{order['number']}", variant_id=None, product_id=None, product_exists=False
    )
    return _encode(broken)


def negative_total(order: dict[str, Any]) -> bytes:
    """The total is below zero."""
    return _changed(order, total_price="-5.00", total_price_set=_bag(order, "-5.00"))


def totals_dont_add_up(order: dict[str, Any]) -> bytes:
    """The total is ten more than the sum of its parts."""
    whole, _, cents = order["total_price"].partition(".")
    wrong = f"{int(whole) + 10}.{cents}"
    return _changed(order, total_price=wrong, total_price_set=_bag(order, wrong))


def wrong_currency(order: dict[str, Any]) -> bytes:
    """A currency code that ISO 4217 does not know."""
    return _encode(order).replace(f'"{order["currency"]}"'.encode(), b'"XQQ"')


def missing_address(order: dict[str, Any]) -> bytes:
    """Goods, and nowhere to send them."""
    return _changed(order, shipping_address=None, billing_address=None)


def nan_quantity(order: dict[str, Any]) -> bytes:
    """A bare NaN, which some writers emit and JSON forbids."""
    broken = copy.deepcopy(order)
    broken["line_items"][0]["quantity"] = 987_654_321
    return _encode(broken).replace(b'"quantity":987654321', b'"quantity":NaN')


def invalid_utf8(order: dict[str, Any]) -> bytes:
    """Latin-1 bytes in a name, declared as JSON."""
    return _encode(order).replace(b'"note":null', b'"note":"caf\xe9 \xff"')


def truncated_json(order: dict[str, Any]) -> bytes:
    """The body ends after three fifths."""
    body = _encode(order)
    return body[: len(body) * 3 // 5]


def wrong_types(order: dict[str, Any]) -> bytes:
    """An object where the lines should be, an array where the total should be."""
    return _changed(order, line_items={"0": order["line_items"][0]}, total_price=["12.00"])


def zero_lines(order: dict[str, Any]) -> bytes:
    """Nothing was bought."""
    return _changed(order, line_items=[])


def huge(order: dict[str, Any]) -> bytes:
    """Nothing is wrong but the size: the order was made with 10,000 lines."""
    return _encode(order)


def _bag(order: dict[str, Any], amount: str) -> dict[str, Any]:
    side = {"amount": amount, "currency_code": order["currency"]}
    return {"shop_money": side, "presentment_money": side}


BREAKERS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "unknown_sku": unknown_sku,
    "negative_total": negative_total,
    "totals_dont_add_up": totals_dont_add_up,
    "wrong_currency": wrong_currency,
    "missing_address": missing_address,
    "nan_quantity": nan_quantity,
    "invalid_utf8": invalid_utf8,
    "truncated_json": truncated_json,
    "wrong_types": wrong_types,
    "zero_lines": zero_lines,
    "huge": huge,
}
