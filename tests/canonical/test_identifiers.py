# SPDX-License-Identifier: Apache-2.0
"""GS1 identifiers: known numbers, and the law of the check digit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.canonical.identifiers import check_digit, is_gln, is_gtin, is_sscc


def test_known_numbers() -> None:
    assert check_digit("629104150021") == "3"
    assert is_gtin("6291041500213")
    assert is_gln("9501101530003")
    assert not is_gln("9501101530004")
    assert is_sscc("106141411234567897")


@pytest.mark.parametrize("code", ["", "6291041500214", "62910415002a3", "٦٢٩١٠٤١٥٠٠٢١٣", "629104150021"])
def test_what_is_no_gtin(code: str) -> None:
    assert not is_gtin(code)


@given(st.text("0123456789", min_size=17, max_size=17), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_always_seen(body: str, place: int, by: int) -> None:
    code = body + check_digit(body)
    assert is_sscc(code)
    wrong = code[:place] + str((int(code[place]) + by) % 10) + code[place + 1 :]
    assert not is_sscc(wrong)
