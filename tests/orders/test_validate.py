# SPDX-License-Identifier: Apache-2.0
"""Everything that can be wrong with an order is found, all of it at once, with field and fix."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.money import Money
from crossdock.canonical.party import Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import Cancellation, Charge, OrderLine, SalesOrder
from crossdock.orders.validate import cancellation_failures, failures_of
from tests.orders.making import NOON, line, order, usd

EUR = Money(Decimal("20.00"), "EUR")


def found(wrong: SalesOrder, max_lines: int = 5) -> list[tuple[str, str]]:
    return [(failure.rule, failure.field) for failure in failures_of(wrong, {"CD-1", "CD-2"}.__contains__, max_lines)]


def test_a_sound_order_has_no_failures() -> None:
    whole = order(
        "1",
        line(1),
        line(2, "CD-2", "3", "1.25", discount=usd("0.75"), total=usd("3.00")),
        charges=(Charge(kind="shipping", amount=usd("5.00")), Charge(kind="discount", amount=usd("-1.00"))),
        tax=usd("1.80"),
        total=usd("28.80"),
    )
    assert found(whole) == []
    assert found(order("1", tax=usd("1.13"), taxes_included=True)) == []


@pytest.mark.parametrize(
    ("wrong", "rule", "field"),
    [
        (order("1", lines=(), total=usd("0")), "order.not_empty", "lines"),
        (order("1", *(line(n) for n in range(1, 7))), "order.max_lines", "lines"),
        (order("1", ship_to=None), "order.ship_to", "ship_to"),
        (order("1", line(1), line(1)), "order.line_unique", "lines[1].line"),
        (order("1", line(1, "XX-1")), "order.sku_known", "lines[0].sku"),
        (order("1", line(1, quantity="0")), "order.quantity", "lines[0].quantity"),
        (order("1", line(1), line(2, quantity="-1"), total=usd("10.00")), "order.quantity", "lines[1].quantity"),
        (order("1", line(1, price="-3"), line(2), total=usd("14.00")), "order.price", "lines[0].unit_price"),
        (order("1", line(1, total=usd("20.02")), total=usd("20.02")), "order.line_total", "lines[0].total"),
        (order("1", line(1, discount=Money(Decimal(0), "EUR"))), "order.currency_one", "lines[0]"),
        (order("1", line(1, tax=Money(Decimal(0), "EUR"))), "order.currency_one", "lines[0]"),
        (order("1", line(1, unit_price=Money(Decimal(10), "EUR"))), "order.currency_one", "lines[0]"),
        (
            order("1", charges=(Charge(kind="fee", amount=Money(Decimal(0), "EUR")),)),
            "order.currency_one",
            "charges[0]",
        ),
        (order("1", tax=Money(Decimal("0.00"), "EUR")), "order.currency_one", "tax"),
        (order("1", total=EUR), "order.currency_one", "total"),
        (order("1", total=usd("20.02")), "order.total", "total"),
        (order("1", total=usd("19.98")), "order.total", "total"),
        (
            order("1", charges=(Charge(kind="discount", amount=usd("-25.00")),), total=usd("-5.00")),
            "order.total_positive",
            "total",
        ),
    ],
)
def test_each_rule_names_its_field(wrong: SalesOrder, rule: str, field: str) -> None:
    assert found(wrong) == [(rule, field)]


def test_all_failures_come_at_once() -> None:
    wrong = order("1", line(1, "XX-1", quantity="0"), line(1, price="-1"), total=usd("-7.00"))
    assert found(wrong) == [
        ("order.sku_known", "lines[0].sku"),
        ("order.quantity", "lines[0].quantity"),
        ("order.line_unique", "lines[1].line"),
        ("order.price", "lines[1].unit_price"),
        ("order.total_positive", "total"),
        ("order.total", "total"),
    ]
    assert all(failure.fix for failure in failures_of(wrong, {"CD-1"}.__contains__, 5))


def test_a_cent_per_line_is_forgiven_and_no_more() -> None:
    lines = (line(1), line(2), line(3))
    assert found(order("1", *lines, total=usd("60.03"))) == []
    assert found(order("1", *lines, total=usd("60.04"))) == [("order.total", "total")]


def test_currencies_without_cents_forgive_a_whole_unit() -> None:
    yen = Money(Decimal(100), "JPY")
    in_yen = line(1, quantity="1", unit_price=yen, total=Money(Decimal(101), "JPY"))
    assert found(order("1", in_yen, currency="JPY", total=Money(Decimal(101), "JPY"))) == []


def test_a_cancelled_order_needs_no_address() -> None:
    assert found(order("1", status="cancelled", ship_to=None)) == []


@pytest.mark.parametrize("amount", ["1E+15", "9E+999999", "-9E+999999", "1E-51"])
def test_numbers_beyond_reason_are_failures_not_crashes(amount: str) -> None:
    huge = Money(Decimal(amount), "USD")
    wrong = order("1", line(1, unit_price=huge, tax=huge), charges=(Charge(kind="fee", amount=huge),), total=huge)
    assert sorted(found(wrong)) == [
        ("order.number_range", "charges[0].amount"),
        ("order.number_range", "lines[0].tax"),
        ("order.number_range", "lines[0].unit_price"),
        ("order.number_range", "total"),
    ]
    weighed = replace(line(1), quantity=Quantity(Decimal(amount), "KGM"))
    assert found(order("1", weighed)) == [("order.number_range", "lines[0].quantity")]


def _cancellation(**changes: Any) -> Cancellation:
    values: dict[str, Any] = {
        "cancellation_key": "shop/C1",
        "number": "C1",
        "channel": "shop",
        "cancelled_at": NOON,
        "currency": "USD",
        "customer": Party(id="C-1"),
        "lines": (line(),),
        "total": usd("20.00"),
    }
    return Cancellation(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"lines": ()}, [("order.not_empty", "lines")]),
        ({"lines": (line(1, "XX-1"),)}, [("order.sku_known", "lines[0].sku")]),
        ({"total": EUR}, [("order.currency_one", "total")]),
        ({"lines": (), "charges": (Charge(kind="fee", amount=EUR),)}, [("order.currency_one", "charges[0]")]),
    ],
)
def test_cancellations(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    failures = cancellation_failures(_cancellation(**changes), {"CD-1"}.__contains__)
    assert [(failure.rule, failure.field) for failure in failures] == expected


@given(
    st.lists(
        st.tuples(st.integers(1, 99), st.decimals("0", "999.99", places=2), st.decimals("0", "1", places=2)),
        min_size=1,
        max_size=5,
    ),
    st.decimals("0", "50", places=2),
    st.integers(-300, 300),
)
def test_an_order_is_sound_exactly_when_its_sum_is_within_a_cent_per_line(
    goods: list[tuple[int, Decimal, Decimal]], shipping: Decimal, off: int
) -> None:
    lines = tuple(
        OrderLine(
            line=str(n),
            sku="CD-1",
            quantity=Quantity(Decimal(quantity)),
            unit_price=Money(price, "USD"),
            discount=Money(discount, "USD"),
            total=Money(quantity * price - discount, "USD"),
        )
        for n, (quantity, price, discount) in enumerate(goods, 1)
    )
    due = sum((one.total.amount for one in lines), Decimal(0)) + shipping
    total = due + Decimal(off) / 100
    charge = Charge(kind="shipping", amount=Money(shipping, "USD"))
    checked = order("1", *lines, charges=(charge,), total=Money(total, "USD"))
    rules = [rule for rule, _ in found(checked)]
    assert ("order.total" in rules) == (abs(off) > len(lines))
    assert ("order.total_positive" in rules) == (total < 0)
