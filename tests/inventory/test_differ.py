# SPDX-License-Identifier: Apache-2.0
"""What a person may have done about a difference."""

from __future__ import annotations

from decimal import Decimal

import pytest

from crossdock.canonical.stock import StockDifference
from crossdock.inventory.differ import asks
from tests.orders.making import NOON


def _difference(theirs: str | None, unit: str = "EA", what: str = "on_hand", take: str = "theirs") -> StockDifference:
    return StockDifference(
        run=1,
        system="wms",
        what=what,  # type: ignore[arg-type]
        sku="A",
        location="EAST",
        ours=Decimal(3),
        theirs=None if theirs is None else Decimal(theirs),
        unit=unit,
        as_of=NOON,
        difference="phantom",
        take=take,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (_difference(None), "wms does not list the SKU, so there is no figure to take"),
        (_difference("NaN"), "NaN is no quantity"),
        (_difference("-1"), "wms has -1 of it, and goods cannot be fewer than none"),
        (_difference("2.50"), "wms has 2.5 of it, and there are no parts of EA"),
        (_difference("2", what="available"), "what a channel shows cannot be taken over: it follows from our stock"),
    ],
)
def test_a_figure_that_cannot_be_counted_is_not_taken(document: StockDifference, reason: str) -> None:
    error = asks(document)
    assert error is not None
    assert (error.reason, error.rule) == (reason, "stock.difference.take")


@pytest.mark.parametrize(
    "document",
    [_difference("0"), _difference("2.0"), _difference("2.5", "LTR"), _difference(None, take="ours")],
)
def test_any_other_is(document: StockDifference) -> None:
    assert asks(document) is None
