# SPDX-License-Identifier: Apache-2.0
"""What the words of a mapping cannot say of the warehouse's documents."""

from __future__ import annotations

from typing import Any


def order_key_of(reference: Any) -> str:
    """The order's key in a fulfillment order's reference, "shopify-us/1001#2" gives "shopify-us/1001". ValueError."""
    key, mark, number = str(reference).rpartition("#")
    if not key or not mark or not (number.isascii() and number.isdigit()):
        raise ValueError(f"{str(reference)[:100]!r} is not a reference of ours: it should end with # and a number")
    return key


def line_number(value: Any) -> int:
    """An order line's id as the number above zero that the warehouse wants. ValueError when it is none."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) > 0):
        raise ValueError(f"line {text[:100]!r} is not a number above zero, which the warehouse wants")
    return int(text)
