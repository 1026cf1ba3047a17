# SPDX-License-Identifier: Apache-2.0
"""What the words of a mapping cannot say of Business Central's records."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any


def contact(values: list[Any]) -> str:
    """The person from [company, name]: named beside a company, otherwise the addressee already."""
    company, name = values
    return str(name) if company and name else ""


def whole_numbers(values: list[Any], longest: int) -> str:
    """Tracking numbers in one text, as many as fit whole: `("whole_numbers", 50)`."""
    told = ""
    for number in dict.fromkeys(str(value) for value in values if value):
        longer = f"{told},{number}" if told else number
        if len(longer) > longest:
            break
        told = longer
    return told


def zero_is_none(value: Any) -> Decimal | None:
    """An amount that is missing when it is zero."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError(f"{value!r} is no amount")
    try:
        return Decimal(value) or None
    except InvalidOperation as error:
        raise ValueError(f"{str(value)[:40]!r} is no amount") from error
