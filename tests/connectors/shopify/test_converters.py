# SPDX-License-Identifier: Apache-2.0
"""What a table cannot say of Shopify's orders."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.connectors.shopify.converters import (
    as_it_stands,
    available,
    charges_of,
    exact_id,
    line_discount,
    line_total,
    lines_left,
    order_key,
    tracking_of,
)
from crossdock.connectors.shopify.receiver import order_id


@pytest.mark.parametrize(
    ("gid", "number", "expected"),
    [
        ("gid://shopify/Order/820982911946154508", 820982911946154500, "820982911946154508"),
        (None, 820982911946154500, "820982911946154500"),
        ("nonsense", 7, "7"),
        ("gid://shopify/Order/abc", 7, "7"),
    ],
)
def test_id_is_exact_where_javascript_rounded_it(gid: Any, number: int, expected: str) -> None:
    assert exact_id([gid, number]) == order_id(gid, number) == expected
    assert order_key(["shop", gid, number]) == f"shop/{expected}"


@pytest.mark.parametrize("number", [True, 1.5, "7", [7]])
def test_id_that_is_no_number_is_refused(number: Any) -> None:
    with pytest.raises(ValueError, match="whole number"):
        exact_id([None, number])


def test_total_is_the_current_one_only_after_an_edit() -> None:
    assert as_it_stands(["10.00", "4.00", [2, 1], [2, 1], None]) == "10.00"
    assert as_it_stands(["10.00", "4.00", [2, 1], [1, 1], None]) == "4.00"
    assert as_it_stands(["10.00", "0.00", [2, 1], [0, 0], "2026-11-23T09:00:00Z"]) == "10.00"
    assert as_it_stands(["10.00", None, [2, 1], [1, 1], None]) == "10.00"
    assert as_it_stands(["10.00", "4.00", [2, 1], None, None]) == "10.00"


def test_lines_taken_off_are_left_out_unless_nothing_would_be_left() -> None:
    kept, gone = {"current_quantity": 1}, {"current_quantity": 0}
    assert lines_left([[kept, gone], None]) == [kept]
    assert lines_left([[gone, gone], None]) == [gone, gone]
    assert lines_left([[kept, gone], "2026-11-23T09:00:00Z"]) == [kept, gone]
    assert lines_left([[{}, gone], None]) == [{}]


def test_discount_is_shared_by_what_is_left() -> None:
    assert line_discount([["6.00", "0.50"], 2, 2, None], "USD") == Decimal("6.50")
    assert line_discount([["1.00"], 3, 1, None], "USD") == Decimal("0.33")
    assert line_discount([["100"], 3, 1, None], "JPY") == Decimal(33)
    assert line_discount([None, 2, 2, None], "USD") is None


@given(price=st.integers(0, 10**6), first=st.integers(1, 50), off=st.integers(0, 10**5), taken=st.integers(0, 49))
def test_line_total_is_quantity_times_price_less_discount(price: int, first: int, off: int, taken: int) -> None:
    current = max(0, first - taken)
    cents, discount = Decimal(price) / 100, Decimal(off) / 100
    total = line_total([str(cents), [str(discount)], first, current, None], "USD")
    share = line_discount([[str(discount)], first, current, None], "USD") or Decimal(0)
    assert total == cents * current - share
    assert abs(share - discount * current / first) <= Decimal("0.005")


def test_charges_beside_goods() -> None:
    shipping = [
        {"code": "Std", "title": "Standard", "price": "7.50", "discount_allocations": [{"amount": "2.50"}]},
        {"code": "Gone", "price": "9.00", "is_removed": True},
    ]
    charges = charges_of([shipping, "1.00", "0.00", None, "12.50", [["5.00"], ["1.00"]], [1], [1], None])
    assert [(charge["kind"], charge["code"], charge["amount"]) for charge in charges] == [
        ("shipping", "Std", Decimal("5.00")),
        ("fee", "tip", Decimal("1.00")),
        ("discount", "order", Decimal("-4.00")),
    ]


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e999999999", "ten", None, True, "9" * 100])
def test_amount_that_is_none_is_refused(amount: Any) -> None:
    with pytest.raises(ValueError, match=r"number|amount"):
        charges_of([[{"price": amount}], None, None, None, None, None, None, None, None])


def test_available_never_promises_what_is_not_there() -> None:
    assert available([Decimal("10.9"), Decimal(2), Decimal(1), Decimal(3)]) == 4
    assert available([Decimal(1), Decimal(2), Decimal(0), Decimal(0)]) == 0


def test_shipment_without_tracking_carries_its_own_id() -> None:
    packages = [SimpleNamespace(tracking_number=number) for number in ("1Z", "", "1Z", "2Z")]
    assert tracking_of(packages, "shp-1") == ["1Z", "2Z"]
    assert tracking_of([SimpleNamespace(tracking_number="")], "shp-1") == ["shp-1"]
