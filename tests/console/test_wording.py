# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.console import wording

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0004, "0 ms"),
        (0.34, "340 ms"),
        (4.24, "4.2 s"),
        (185, "3 min 5 s"),
        (180, "3 min"),
        (7800, "2 h 10 min"),
        (273_600, "3 d 4 h"),
        (-90, "−1 min 30 s"),
        (None, ""),
    ],
)
def test_durations_take_two_units(seconds: float | None, text: str) -> None:
    assert wording.duration(seconds) == text


def test_a_span_reads_like_its_seconds() -> None:
    assert wording.duration(timedelta(minutes=15)) == "15 min"


@pytest.mark.parametrize(
    ("before", "text"), [(12, "12s ago"), (240, "4m ago"), (-240, "in 4m"), (7200, "2h ago"), (-400_000, "in 4d")]
)
def test_relative_times(before: int, text: str) -> None:
    assert wording.relative(NOW - timedelta(seconds=before), NOW) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1234.5", "USD", "1,234.50 USD"),
        ("1234", "JPY", "1,234 JPY"),
        ("0.125", "USD", "0.125 USD"),
        ("1.5", "KWD", "1.500 KWD"),
        ("-3", "EUR", "-3.00 EUR"),
    ],
)
def test_money_carries_its_currency(amount: str, currency: str, text: str) -> None:
    assert wording.money(Decimal(amount), currency) == text


def test_no_money_is_nothing() -> None:
    assert wording.money(None, "USD") == ""


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4))
def test_money_never_loses_a_digit(amount: Decimal) -> None:
    shown = wording.money(amount, "USD")
    assert Decimal(shown.removesuffix(" USD").replace(",", "")) == amount


@pytest.mark.parametrize(
    ("per_minute", "text"), [(None, "–"), (0, "0"), (1.2, "1.2"), (9.96, "10.0"), (1234.5, "1,234")]
)
def test_rates(per_minute: float | None, text: str) -> None:
    assert wording.rate(per_minute) == text


def test_every_state_of_the_schema_has_a_tone() -> None:
    states = {
        "received",
        "retry",
        "case",
        "delivering",
        "settled",
        "duplicate",
        "rejected",
        "due",
        "delivered",
    }
    assert states | {"cancelled", "open", "resolved", "dismissed"} <= set(wording.TONES)
    assert set(wording.TONES.values()) == {"good", "work", "warn", "bad", "idle"}
