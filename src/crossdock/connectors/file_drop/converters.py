# SPDX-License-Identifier: Apache-2.0
"""Converters for rows of files that the standard words cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any


def sum_of_products(rows: Sequence[Mapping[str, Any]], left: str, right: str, places: int = 2) -> Decimal:
    """The sum over `rows` of column `left` times column `right`, each product rounded half up to `places` decimals.

    Rounding each line is what invoices do: the total is the sum of what stands on the lines. ValueError names the line
    (counted from 1) whose number cannot be read.
    """
    step = Decimal(1).scaleb(-places)
    total = Decimal(0)
    for number, row in enumerate(rows, start=1):
        try:
            product = Decimal(row.get(left) or "") * Decimal(row.get(right) or "")
            total += product.quantize(step, rounding=ROUND_HALF_UP)
        except InvalidOperation as error:
            raise ValueError(f"line {number}: {left} times {right} cannot be worked out") from error
    return total
