# SPDX-License-Identifier: Apache-2.0
"""Money: a decimal amount and its ISO 4217 currency, never a float."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

# Below this, with at most so many decimals, a price is multiplied by any quantity of an order without being rounded.
MOST = Decimal(10) ** 12
MOST_DECIMALS = 9

Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 4217 alphabetic code")]

# ISO 4217 minor units that differ from two.
_MINOR_UNITS = {"JPY": 0, "KRW": 0, "VND": 0, "CLP": 0, "ISK": 0, "BHD": 3, "KWD": 3, "OMR": 3, "JOD": 3, "TND": 3}


class Money(Struct, frozen=True):
    """An amount in one currency. Raises ValueError for NaN and infinities."""

    amount: Decimal
    currency: Currency

    def __post_init__(self) -> None:
        if not self.amount.is_finite():
            raise ValueError(f"amount must be a finite decimal, got {self.amount}")

    def __add__(self, other: Money) -> Money:
        """The sum; ValueError when the currencies differ."""
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.amount + other.amount, self.currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def minor_unit(currency: str) -> Decimal:
    """The smallest step of `currency` (0.01 for most, 1 for JPY, 0.001 for KWD)."""
    return Decimal(1).scaleb(-_MINOR_UNITS.get(currency, 2))


def within_bounds(number: Decimal) -> bool:
    """Whether `number` is zero or more, below 10^12, with at most nine decimals."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and 0 <= number < MOST and exponent >= -MOST_DECIMALS


def check_price(price: Decimal) -> None:
    """ValueError when `price` is none that can be multiplied by the quantity of any order."""
    if not within_bounds(price):
        raise ValueError(f"a price is zero or more, below 10^12, with at most nine decimals, got {price}")


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The sum of `amounts`, zero in `currency` when there are none. ValueError on a mixed currency."""
    result = Money(Decimal(0), currency)
    for amount in amounts:
        result = result + amount
    return result
