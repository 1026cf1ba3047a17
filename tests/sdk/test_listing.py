# SPDX-License-Identifier: Apache-2.0
"""What a system may say it has."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crossdock.sdk.listing import Listed
from tests.orders.making import NOON


@pytest.mark.parametrize("quantity", ["NaN", "Infinity", "1E+15", "-1E+15", "1E-16", "1E+1000000"])
def test_what_is_no_quantity_of_goods_cannot_be_listed(quantity: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        Listed("A", "EAST", Decimal(quantity), "", NOON)


@pytest.mark.parametrize("name", ["A\0", "A\ud800", "A" * 201])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_name_that_cannot_be_stored_cannot_be_listed(name: str, place: int) -> None:
    row = ["A", "EAST", Decimal(1), "EA"]
    row[place] = name
    with pytest.raises(ValueError, match="is no name"):
        Listed(*row, NOON)  # type: ignore[arg-type]


@pytest.mark.parametrize("quantity", ["0", "-3", "999999999999999.5", "0.000000000000001"])
def test_anything_else_can(quantity: str) -> None:
    listed = Listed("Ä" * 200, "", Decimal(quantity), "", NOON)
    assert listed.quantity == Decimal(quantity)
