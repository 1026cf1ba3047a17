# SPDX-License-Identifier: Apache-2.0
"""Converters to numbers, money and quantities: decimal throughout, bounded, never a float on the way."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any

from crossdock.canonical.money import Money
from crossdock.canonical.quantity import Quantity
from crossdock.mapping.convert_text import kind_of
from crossdock.mapping.failures import Unreadable, shown

_LONGEST_NUMBER = 40
_GREATEST = 24
_FINEST = -18
_WIDEST = 10**18
_SAFE_DIGITS = 15
_SMALLEST_SAFE = 1e-6
_GREATEST_SAFE = 1e15
# Two numbers of 40 digits can be added and multiplied exactly in this.
_EXACT = Context(prec=100)
_FIX = 'send a plain decimal number such as "1234.50"'
_CURRENCY = re.compile("[A-Z]{3}")
_UNIT = re.compile("[A-Z0-9]{2,3}")
# Codes seen to be well-formed; at most 26³ and 36³ + 36² of them.
_currencies: set[str] = set()
_units: set[str] = set()
# Small counts, which most lines of most orders have; quantities are immutable.
_counted: dict[tuple[int, str], Quantity] = {}
_USUAL_COUNT = 1000
_MOST_COUNTED = 10_000
_TRUE = frozenset({"true", "t", "yes", "y", "1", "on"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "off"})


def decimal(value: Any, mark: str = ".") -> Decimal:
    """A decimal number from text or a number; `("decimal", ",")` reads 1.234,50. At most 24 digits before the point."""
    if type(value) is str:
        written = value if mark == "." else value.replace(".", "").replace(mark, ".")
        if len(written) > _LONGEST_NUMBER or "_" in written or not written.isascii():
            raise Unreadable(f"{shown(value)!r} is not a decimal number", _FIX)
    elif type(value) is int and -_WIDEST < value < _WIDEST:
        return Decimal(value)
    elif isinstance(value, Decimal):
        number = value
        return number if _FINEST <= number.adjusted() < _GREATEST and number.is_finite() else _within_bounds(number)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e24:
        written = str(value)
    elif isinstance(value, float):
        raise Unreadable(f"{value} is not a finite decimal number within 24 digits", _FIX)
    else:
        raise Unreadable(f"a number was expected, found {kind_of(value)}", _FIX)
    try:
        number = Decimal(written)
    except InvalidOperation:
        raise Unreadable(f"{shown(value)!r} is not a decimal number", _FIX) from None
    # The usual case of _within_bounds, without its call: NaN and infinities have an adjusted exponent of 0.
    return number if _FINEST <= number.adjusted() < _GREATEST and number.is_finite() else _within_bounds(number)


def _within_bounds(number: Decimal) -> Decimal:
    if number.is_finite() and _FINEST <= number.adjusted() < _GREATEST:
        return number
    if not number.is_finite():
        raise Unreadable(f"{number} is not a finite number", _FIX)
    if number.adjusted() >= _GREATEST:
        raise Unreadable(f"the number has more than {_GREATEST} digits before the point", _FIX)
    if number:
        raise Unreadable("the number is finer than 18 decimals", _FIX)
    return Decimal(0)


def integer(value: Any) -> int:
    """A whole number from text or a number ("17850" and "17850.0" alike)."""
    if type(value) is int and -(1 << 63) <= value < 1 << 63:
        return value
    number = decimal(value)
    if number != number.to_integral_value():
        raise Unreadable(f"{shown(value)!r} is not a whole number", "send a whole number")
    return int(number)


def money(value: Any, currency: Any, mark: str = ".") -> Money:
    """An amount with its currency: `("money", "$.currency")`, `("money", "GBP")`, `("money", "EUR", ",")`."""
    if type(currency) is not str or currency not in _currencies:
        if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            found = "no currency" if currency is None else f"the currency {shown(currency)!r}"
            raise Unreadable(f"the amount has {found}", "send an ISO 4217 code such as GBP beside the amount")
        _currencies.add(currency)
    return Money(decimal(value) if mark == "." else decimal(value, mark), currency)


def quantity(value: Any, unit: Any = "EA", mark: str = ".") -> Quantity:
    """How many, with a UN/ECE unit: `("quantity", "EA")` or `("quantity", "@.unit")`; what is counted is whole."""
    if type(value) is int and type(unit) is str:
        # True would be found under 1, hence the exact types.
        known = _counted.get((value, unit))
        if known is not None:
            return known
    if type(unit) is not str or unit not in _units:
        if not isinstance(unit, str) or not _UNIT.fullmatch(unit):
            raise Unreadable(f"{shown(unit)!r} is not a unit", "send a UN/ECE code such as EA or KGM")
        _units.add(unit)
    counted = Quantity(decimal(value, mark), unit)
    if type(value) is int and 0 <= value <= _USUAL_COUNT and len(_counted) < _MOST_COUNTED:
        _counted[value, unit] = counted
    return counted


def negate(value: Any) -> Any:
    """The number, amount or quantity with its sign turned."""
    if isinstance(value, Money):
        return Money(value.amount.copy_negate(), value.currency)
    if isinstance(value, Quantity):
        return Quantity(value.value.copy_negate(), value.unit)
    return decimal(value).copy_negate()


def absolute(value: Any) -> Any:
    """The number, amount or quantity without its sign."""
    if isinstance(value, Money):
        return Money(value.amount.copy_abs(), value.currency)
    if isinstance(value, Quantity):
        return Quantity(value.value.copy_abs(), value.unit)
    return decimal(value).copy_abs()


def add(value: Any, other: Any) -> Decimal:
    """The number plus another: `("add", "@.shipping")`."""
    return _within_bounds(_EXACT.add(decimal(value), decimal(other)))


def subtract(value: Any, other: Any) -> Decimal:
    """The number less another: `("subtract", "@.discount")`."""
    return _within_bounds(_EXACT.subtract(decimal(value), decimal(other)))


def multiply(value: Any, other: Any) -> Decimal:
    """The number times another: `("multiply", "@.unit_price")`."""
    return _within_bounds(_EXACT.multiply(decimal(value), decimal(other)))


def to_sum(value: Any) -> Decimal:
    """The sum of a list of numbers (`source="rows.*.amount"`), 0 of an empty one; missing ones are skipped."""
    parts = value if isinstance(value, list | tuple) else (value,)
    total = Decimal(0)
    for part in parts:
        if part is not None and part != "":
            total = _EXACT.add(total, decimal(part))
    return _within_bounds(total)


def to_round(value: Any, places: int) -> Decimal:
    """The number to so many decimals, half away from zero: `("round", 2)`."""
    return decimal(value).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=_EXACT)


def boolean(value: Any) -> bool:
    """True or false from true/false, T/F, yes/no, on/off, 1/0."""
    if isinstance(value, bool):
        return value
    written = str(value).strip().lower() if isinstance(value, str | int) and len(str(value)[:9]) < 9 else ""
    if written in _TRUE:
        return True
    if written in _FALSE:
        return False
    raise Unreadable(f"true or false was expected, found {kind_of(value)}", "send true or false")


def json_number(value: Any) -> int | float:
    """A number as JSON writes it, for systems that refuse numbers in quotes; what a float cannot hold opens a case."""
    if isinstance(value, Money):
        value = value.amount
    elif isinstance(value, Quantity):
        value = value.value
    if type(value) is Decimal and value.is_finite() and len(written := str(value)) <= _SAFE_DIGITS:
        # So few digits come back from a float as they went in, and below 10^15 a whole float is exact.
        near = float(written)
        if _SMALLEST_SAFE <= abs(near) < _GREATEST_SAFE:
            return int(near) if near.is_integer() else near
    number = decimal(value)
    if number == number.to_integral_value():
        return int(number)
    approximate = float(number)
    if Decimal(repr(approximate)) != number:
        raise Unreadable(f"{number} has more digits than a JSON number keeps", "round it with fewer decimals")
    return approximate
