# SPDX-License-Identifier: Apache-2.0
"""Rounding what a channel shows, and the moments at which lists take or lose effect."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.canonical.money import MOST, within_bounds
from crossdock.catalog.book import PriceBook
from crossdock.catalog.shown import rounded
from tests.catalog.pricing import NOON, entry, stated

STEPS = [Decimal(step) for step in ("0.001", "0.01", "0.05", "0.25", "1", "5")]
PRICES = st.decimals(min_value=0, max_value=MOST - 1, allow_nan=False, places=9)


@pytest.mark.parametrize(
    ("price", "step", "shown"),
    [("1.005", "0.01", "1.01"), ("1.0049", "0.01", "1.00"), ("7.77", "0.05", "7.75"), ("7.775", "0.05", "7.80"),
     ("0", "0.05", "0.00"), ("12.5", "1", "13"), ("999999999999.999", "0.01", "999999999999.99")],
)  # fmt: skip
def test_to_the_nearest_step_and_halves_up(price: str, step: str, shown: str) -> None:
    assert str(rounded(Decimal(price), Decimal(step))) == shown


@given(PRICES, st.sampled_from(STEPS))
def test_what_is_shown_is_a_price_and_a_multiple_of_the_step_half_a_step_away_at_most(
    price: Decimal, step: Decimal
) -> None:
    shown = rounded(price, step)
    assert within_bounds(shown)
    assert shown % step == 0
    assert abs(shown - price) <= step / 2 or shown + step >= MOST
    assert rounded(shown, step) == shown


def test_the_moments_at_which_lists_turn() -> None:
    day = timedelta(days=1)
    book = PriceBook([stated("BASE", entry("1"))])
    assert book.next_turn(NOON) is None
    book.put(stated("SALE", entry("1"), entry("2", "OWN"), effective_from=NOON + day, effective_until=NOON + 3 * day))
    book.put(stated("EU", entry("1"), channel="eu", effective_until=NOON + 2 * day))
    heard = [(NOON, day), (NOON + day, 2 * day), (NOON + 2 * day, 3 * day)]
    assert [book.next_turn(at) for at, _ in heard] == [NOON + later for _, later in heard]
    assert book.next_turn(NOON + 3 * day) is None
    # A moment belongs to what follows it.
    assert book.turns(NOON, NOON + day) == [(("USD", "", "", ""), ("A", "OWN"))]
    assert book.turns(NOON + day, NOON + 2 * day) == [(("USD", "", "", "eu"), ("A",))]
    assert len(book.turns(NOON - day, NOON + 9 * day)) == 2
    book.put(stated("SALE", entry("1"), status="retired"))
    assert book.next_turn(NOON) == NOON + 2 * day
