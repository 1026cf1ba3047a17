# SPDX-License-Identifier: Apache-2.0
"""Money and quantities refuse what they cannot mean."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crossdock.canonical.money import Money, minor_unit, total
from crossdock.canonical.quantity import Quantity


def test_money_adds_in_one_currency_only() -> None:
    assert Money(Decimal("1.10"), "USD") + Money(Decimal("2.25"), "USD") == Money(Decimal("3.35"), "USD")
    assert total([], "EUR") == Money(Decimal(0), "EUR")
    with pytest.raises(ValueError, match="cannot add EUR to USD"):
        total([Money(Decimal(1), "USD"), Money(Decimal(1), "EUR")], "USD")


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        Money(Decimal(text), "USD")
    with pytest.raises(ValueError, match="finite"):
        Quantity(Decimal(text), "KGM")


def test_the_smallest_step_of_a_currency() -> None:
    assert (minor_unit("USD"), minor_unit("JPY"), minor_unit("KWD")) == (Decimal("0.01"), Decimal(1), Decimal("0.001"))


def test_counted_units_have_no_fractions() -> None:
    assert Quantity(Decimal("2.5"), "KGM").value == Decimal("2.5")
    with pytest.raises(ValueError, match="must be whole"):
        Quantity(Decimal("2.5"), "EA")
