# SPDX-License-Identifier: Apache-2.0
"""Money is conserved: whichever way goods come back, never more than was paid, and all of it for all of them."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from crossdock.canonical.money import Money
from crossdock.canonical.sales_order import Charge, SalesOrder
from crossdock.returns.amounts import fee_of, shares, spread, step_of, within, worth
from tests.orders.making import line, order, usd

CENT = Decimal("0.01")
_cents = st.integers(0, 10_000_000).map(lambda cents: Decimal(cents) * CENT)


@given(_cents, st.lists(_cents, min_size=1, max_size=8))
def test_parts_are_exactly_the_whole_and_each_within_a_step_of_its_due(amount: Decimal, weights: list[Decimal]) -> None:
    parts = spread(amount, weights, CENT)
    whole = sum(weights)
    assert sum(parts) == (amount if whole else 0)
    for part, weight in zip(parts, weights, strict=True):
        assert part >= 0
        assert part == 0 or weight
        if whole:
            assert abs(part - amount * weight / whole) < CENT


@st.composite
def orders(draw: st.DrawFn) -> SalesOrder:
    """Orders with discounts, charges and tax, of the order and of its lines; the total is what they come to."""
    lines = []
    for number in range(1, draw(st.integers(1, 5)) + 1):
        total = draw(_cents)
        tax = draw(st.none() | st.integers(0, 500).map(lambda cents: usd(str(cents * CENT))))
        count = draw(st.integers(1, 12))
        lines.append(line(number, quantity=str(count), total=Money(total, "USD"), tax=tax))
    goods = sum((one.total.amount for one in lines), Decimal(0))
    shipping, discount, tax = draw(_cents), draw(st.integers(0, 100)), draw(_cents)
    off = (goods * discount / 100).quantize(CENT, "ROUND_DOWN")
    charges = (
        Charge(kind="shipping", amount=Money(shipping, "USD")),
        Charge(kind="discount", amount=Money(-off, "USD")),
    )
    return order(
        "1",
        *lines,
        charges=charges,
        tax=Money(tax, "USD"),
        taxes_included=draw(st.booleans()),
        total=Money(goods + shipping - off + tax, "USD"),
    )


@given(orders(), st.sampled_from([(), ("shipping",)]))
def test_the_shares_of_all_lines_are_what_was_paid(made: SalesOrder, keeps: tuple[str, ...]) -> None:
    kept = made.charges[0].amount.amount if keeps else Decimal(0)
    due = shares(made, keeps)
    assert sum(due.values()) == made.total.amount - kept
    assert all(amount >= 0 for amount in due.values())


@given(orders(), st.data())
def test_any_split_into_partial_returns_gives_back_what_was_paid(made: SalesOrder, data: st.DataObject) -> None:
    step, due = step_of(made), shares(made)
    given_back = Decimal(0)
    for one in made.lines:
        cuts = sorted(data.draw(st.lists(st.integers(0, int(one.quantity.value)), max_size=4)))
        before = Decimal(0)
        for cut in [*map(Decimal, cuts), one.quantity.value]:
            part = worth(due[one.line], cut, one.quantity.value, step) - worth(
                due[one.line], before, one.quantity.value, step
            )
            assert part >= 0
            given_back += part
            before = cut
            assert given_back <= made.total.amount
    assert given_back == made.total.amount


@given(_cents, _cents, st.integers(0, 100).map(Decimal))
def test_a_fee_grows_with_what_it_is_kept_of_and_is_never_more(one: Decimal, more: Decimal, percent: Decimal) -> None:
    assert Decimal(0) <= fee_of(one, percent, CENT) <= fee_of(one + more, percent, CENT) <= one + more
    assert fee_of(one, percent, CENT) <= one


def test_a_line_of_a_dollar_in_three_is_a_dollar_again() -> None:
    parts = [worth(Decimal("1.00"), Decimal(n), Decimal(3), CENT) for n in range(4)]
    assert parts == [Decimal("0"), Decimal("0.33"), Decimal("0.67"), Decimal("1.00")]


def test_free_goods_are_given_back_for_nothing_and_shipping_by_quantity_where_nothing_costs() -> None:
    free = order("1", line(1, price="0.00", quantity="1"), line(2, price="0.00", quantity="3"), total=usd("4.00"))
    assert shares(free) == {"1": Decimal("1.00"), "2": Decimal("3.00")}
    mixed = order("1", line(1, price="0.00"), line(2, quantity="1", price="10.00"), total=usd("12.00"))
    assert shares(mixed) == {"1": Decimal("0.00"), "2": Decimal("12.00")}


def test_yen_have_no_cents_and_a_finer_total_is_kept() -> None:
    yen = order(
        "1", line(1, quantity="3", total=Money(Decimal(100), "JPY")), currency="JPY", total=Money(Decimal(100), "JPY")
    )
    assert step_of(yen) == 1
    assert worth(shares(yen)["1"], Decimal(1), Decimal(3), step_of(yen)) == 33
    fine = order("1", line(1, quantity="1", price="0.125"), total=usd("0.125"))
    assert (step_of(fine), shares(fine)) == (Decimal("0.001"), {"1": Decimal("0.125")})


def test_what_is_left_to_give_back_cuts_from_the_last_line_on() -> None:
    parts = {"1": Decimal(3), "2": Decimal(4)}
    assert within(parts, Decimal(5)) == {"1": Decimal(3), "2": Decimal(2)}
    assert within(parts, Decimal(-1)) == {"1": Decimal(0), "2": Decimal(0)}
