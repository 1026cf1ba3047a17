# SPDX-License-Identifier: Apache-2.0
"""Every standard converter on the values it is made for, and on those it must refuse."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.canonical.money import Money
from crossdock.canonical.quantity import Quantity
from crossdock.mapping.build import REFUSALS
from crossdock.mapping.converters import CONVERTERS
from crossdock.mapping.failures import Unreadable

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value", "arguments", "expected"),
    [
        ("abs", Money(Decimal("-2.50"), "GBP"), (), Money(Decimal("2.50"), "GBP")),
        ("abs", "-3", (), Decimal(3)),
        ("add", "1.10", ("2.20",), Decimal("3.30")),
        ("boolean", "T", (), True),
        ("boolean", "no", (), False),
        ("boolean", 0, (), False),
        ("concat", ["shop", 7], ("/",), "shop/7"),
        ("country", "EIRE", (), "IE"),
        ("country", "gb", (), "GB"),
        ("country", "USA", (), "US"),
        ("country", "RSA", (), "ZA"),
        ("country", "Channel Islands", ({"Channel Islands": "JE"},), "JE"),
        ("cut", "abcdef", (3,), "abc"),
        ("datetime", "2026-06-01T13:00:00+01:00", (), NOON),
        ("datetime", "2026-06-01 13:00:00", ("Europe/London",), NOON),
        ("datetime", "01/06/2026 13:00", ("Europe/London", "%d/%m/%Y %H:%M"), NOON),
        ("decimal", "1.234,50", (",",), Decimal("1234.50")),
        ("decimal", 0.1, (), Decimal("0.1")),
        ("epoch_ms", "2026-06-01T12:00:00.250Z", (), 1780315200250),
        ("first", [None, "", "b"], (), "b"),
        ("first", [None, ""], (), None),
        ("from_epoch", 1780315200, (), NOON),
        ("from_epoch_ms", "1780315200000", (), NOON),
        ("gid_tail", "gid://shopify/Order/42?x=1", (), "42"),
        ("integer", "17850.0", (), 17850),
        ("iso", NOON, (), "2026-06-01T12:00:00Z"),
        ("iso_date", "2026-06-01T02:00:00Z", ("America/New_York",), "2026-05-31"),
        ("iso_date", date(2026, 6, 1), (), "2026-06-01"),
        ("join", ["Ada", None, "Moore"], (" ",), "Ada Moore"),
        ("json_number", Decimal("12.50"), (), 12.5),
        ("json_number", Money(Decimal("12.00"), "GBP"), (), 12),
        ("length", [1, 2], (), 2),
        ("lower", "AbC", (), "abc"),
        ("match", "T", ({"T": "sale"},), "sale"),
        ("match", "X", ({"T": "sale"}, "other"), "other"),
        ("money", "12.50", ("GBP",), Money(Decimal("12.50"), "GBP")),
        ("multiply", "3", ("2.55",), Decimal("7.65")),
        ("negate", Quantity(Decimal(2)), (), Quantity(Decimal(-2))),
        ("pad_left", "629104150021", (14, "0"), "00629104150021"),
        ("pick", "EAST", ({"EAST": "4"},), "4"),
        ("prefix", 7, ("shop-",), "shop-7"),
        ("quantity", "2", ("CS",), Quantity(Decimal(2), "CS")),
        ("replace", "a/b/c", ("/", "-"), "a-b-c"),
        ("round", "2.345", (2,), Decimal("2.35")),
        ("round", "-2.345", (2,), Decimal("-2.35")),
        ("split", "shop/7", ("/", 1), "7"),
        ("split", "a, b", (",",), ["a", "b"]),
        ("split", "a", (",", 3), None),
        ("squeeze", "  a \n b ", (), "a b"),
        ("strip", " a ", (), "a"),
        ("subtract", "3", ("0.01",), Decimal("2.99")),
        ("suffix", "A", ("-EU",), "A-EU"),
        ("sum", ["1.10", None, "2.20"], (), Decimal("3.30")),
        ("text", 5123456789012345678, (), "5123456789012345678"),
        ("text", Decimal("1E+3"), (), "1000"),
        ("then", "2026-06-01", ("cancelled",), "cancelled"),
        ("upper", "ab", (), "AB"),
    ],
)
def test_a_converter_gives(name: str, value: Any, arguments: tuple[Any, ...], expected: Any) -> None:
    result = CONVERTERS[name](value, *arguments)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "arguments", "reason"),
    [
        ("boolean", "maybe", (), "true or false was expected, found the text 'maybe'"),
        ("concat", ["shop", None], ("/",), "a part of it is missing"),
        ("country", "Unspecified", (), "'Unspecified' is not one country"),
        ("country", "European Community", (), "'European Community' is not one country"),
        ("country", "Atlantis", (), "'Atlantis' is not a country"),
        ("datetime", "2026-06-01 13:00:00", (), "'2026-06-01 13:00:00' has no time zone"),
        ("datetime", "yesterday", (), "'yesterday' is not a time"),
        ("datetime", "0001-01-01T00:00:00+14:00", (), "'0001-01-01T00:00:00+14:00' lies outside the calendar"),
        ("decimal", "1_000", (), "'1_000' is not a decimal number"),
        ("decimal", "１２", (), "'１２' is not a decimal number"),
        ("decimal", "9" * 41, (), f"'{'9' * 41}' is not a decimal number"),
        ("decimal", "1e-30", (), "the number is finer than 18 decimals"),
        ("decimal", "-sNaN", (), "sNaN is not a finite number"),
        ("decimal", [], (), "a number was expected, found a list"),
        ("from_epoch", "99999999999999", (), "the time lies outside the calendar"),
        ("integer", "1.5", (), "'1.5' is not a whole number"),
        ("json_number", Decimal("0.12345678901234567"), (), "0.12345678901234567 has more digits than"),
        ("match", "X", ({"T": "sale"},), "'X' is not one of the known values (T)"),
        ("money", "1", (None,), "the amount has no currency"),
        ("money", "1", ("Pounds",), "the amount has the currency 'Pounds'"),
        ("pick", "EAST", (None,), "the table it is looked up in is missing"),
        ("money", "1", ([],), "the amount has the currency 'a list of 0'"),
        ("quantity", "1", ({},), "'an object with 0 fields' is not a unit"),
        ("quantity", "1", ("each",), "'each' is not a unit"),
        ("quantity", "1.5", ("EA",), "quantity in EA must be whole, got 1.5"),
        ("text", {"a": 1}, (), "text was expected, found an object"),
        ("text", Decimal("1E+99999"), (), "the number is too long to be written out"),
    ],
)
def test_a_converter_refuses_in_words(name: str, value: Any, arguments: tuple[Any, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        CONVERTERS[name](value, *arguments)
    assert str(caught.value).lstrip("-").startswith(reason)


@settings(deadline=None)
@given(number=st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20))
def test_decimal_text_keeps_every_digit(number: Decimal) -> None:
    assert CONVERTERS["decimal"](format(number, "f")) == number
    assert CONVERTERS["negate"](CONVERTERS["negate"](str(number))) == number
    assert CONVERTERS["subtract"](CONVERTERS["add"](number, "0.1"), "0.1") == number


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "money": ("GBP",),
    "add": ("1",),
    "subtract": ("1",),
    "multiply": ("2",),
    "round": (2,),
    "cut": (3,),
    "replace": ("a", "b"),
    "pad_left": (5, "0"),
    "prefix": ("x",),
    "suffix": ("x",),
    "split": (",",),
    "then": ("x",),
    "match": ({"a": 1},),
    "pick": ({"a": 1},),
}
SCALARS = st.booleans() | st.integers() | st.floats() | st.text(max_size=60) | st.decimals()


@settings(deadline=None)
@given(
    name=st.sampled_from(sorted(CONVERTERS)), value=SCALARS | st.lists(SCALARS) | st.dictionaries(st.text(), SCALARS)
)
def test_a_converter_never_fails_otherwise_than_by_refusing(name: str, value: Any) -> None:
    refused = None
    try:
        CONVERTERS[name](value, *ARGUMENTS.get(name, ()))
    except REFUSALS as error:
        refused = error
    # What a canonical struct itself refuses (a fraction of a piece) comes as a plain ValueError.
    assert refused is None or type(refused) in (Unreadable, ValueError)
    assert refused is None or str(refused)
