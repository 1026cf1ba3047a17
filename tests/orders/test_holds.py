# SPDX-License-Identifier: Apache-2.0
"""Holds: what releases them lets exactly that through, and nothing ever lets a fault through."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.hold import HOLDS
from crossdock.canonical.party import Address, Party
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.accounts import CustomerFacts
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.errors import NeedsEdit
from crossdock.orders.check_lines import Tolerance
from crossdock.orders.checks import Checks, Others, check
from crossdock.orders.examine import ChannelRules, examine
from crossdock.orders.holds import Release, ReleaseRule, let_through, name_holds
from tests.catalog.pricing import entry, stated
from tests.orders.making import line, order, usd

HOME = Address(street="Oak Ave 1", city="Boise", region="ID", postal_code="83702", country="US")
AWAY = Address(street="Elm St 9", city="Reno", region="NV", postal_code="89501", country="US")
CHECKS = Checks(
    customer=True,
    product=True,
    unit=True,
    price=Tolerance(percent=Decimal(2)),
    terms=True,
    credit=timedelta(days=90),
    ship_to=True,
)


def known() -> Catalog:
    """Two accounts with 100.00 of credit, one of them blocked; CD-1 and OLD, which is retired, cost 10.00."""
    made = Catalog(PriceBook((stated("BASE", entry("10.00", "CD-1"), entry("10.00", "OLD"), entry("10.00", "CD-2")),)))
    plain = ProductFacts("EA", "", True, True, pack=Decimal(1))
    made.products = {"CD-1": plain, "CD-2": plain, "OLD": replace(plain, active=False)}
    account = CustomerFacts(currency="USD", terms="NET30", limit=usd("100.00"), ship_to=(HOME,))
    made.customers = {"C-1": account, "C-2": replace(account, status="blocked")}
    return made


CATALOG = known()


def found(given: SalesOrder) -> list[NeedsEdit]:
    """What CHECKS find in it, by name."""
    failures = check(given, CATALOG, CHECKS, Others(open=Decimal(0)))
    name_holds(given, failures)
    return failures


def released(failures: list[NeedsEdit]) -> dict[str, Release]:
    return {one.mark: Release(one.mark, "jo", "fine") for one in failures if one.mark}


def _names(failures: list[NeedsEdit]) -> set[tuple[str, str, str]]:
    return {(one.rule, one.field, str(one.value)) for one in failures}


orders = st.builds(
    lambda sku, quantity, unit, price, customer, terms, ship_to: order(
        "1",
        replace(line(1, sku, str(quantity), price), quantity=Quantity(Decimal(quantity), unit)),
        customer=Party(id=customer),
        terms=terms,
        ship_to=ship_to,
    ),
    st.sampled_from(["CD-1", "CD-2", "OLD"]),
    st.integers(1, 30),
    st.sampled_from(["EA", "EA", "BOX"]),
    st.sampled_from(["1.00", "10.00", "10.10", "25.00"]),
    st.sampled_from(["C-1", "C-2"]),
    st.sampled_from(["", "NET30", "COD"]),
    st.sampled_from([HOME, AWAY]),
)


@given(orders, orders)
def test_a_released_order_is_held_anew_exactly_by_what_differs(first: SalesOrder, later: SalesOrder) -> None:
    """What a person let through of one version holds no later one, on the same account and line; all else does."""
    marks = released(found(first))
    left, waived = let_through(later, found(later), (), marks)
    same_account = first.customer.id == later.customer.id
    same_line = (first.lines[0].sku, first.lines[0].quantity) == (later.lines[0].sku, later.lines[0].quantity)

    def alike(one: NeedsEdit) -> bool:
        return same_account and (same_line or not one.field.startswith("lines["))

    before = _names([one for one in found(first) if one.mark])
    expected = {
        (one.rule, one.field, str(one.value))
        for one in found(later)
        if one.mark and alike(one) and (one.rule, one.field, str(one.value)) in before
    }
    assert _names([one.failure for one in waived]) == expected
    assert _names(left) == _names(found(later)) - expected
    assert _names(let_through(first, found(first), (), marks)[0]) == _names(
        [one for one in found(first) if not one.mark]
    )


@given(orders, st.lists(st.sampled_from([*HOLDS, "order.unit_known", "order.product_retired"]), max_size=8), st.data())
def test_a_fault_is_never_let_through(given: SalesOrder, rules: list[str], data: st.DataObject) -> None:
    """Whatever persons and rules say, and however many."""
    failures = found(given)
    marks = {mark: Release(mark, "jo", "") for one in failures for mark in (one.mark, "", one.rule)}
    standing = tuple(ReleaseRule(number=n, rule=rule, reason="") for n, rule in enumerate(rules, 1))
    some = data.draw(st.sets(st.sampled_from(sorted(marks)))) if marks else set()
    left, waived = let_through(given, failures, standing, {mark: marks[mark] for mark in some})
    faults = [one for one in failures if one.rule not in HOLDS]
    assert [one for one in left if one.rule not in HOLDS] == faults
    assert all(one.failure.rule in HOLDS for one in waived)
    assert len(left) + len(waived) == len(failures)


def test_what_is_let_through_means_that_line_and_account_only() -> None:
    cheap = order("1", line(1, "CD-1", "1", "1.00"), customer=Party(id="C-1"), terms="NET30", ship_to=HOME)
    marks = released(found(cheap))
    assert [one.rule for one in found(cheap)] == ["order.contract_price"]
    assert let_through(cheap, found(cheap), (), marks)[0] == []
    for other in (
        order("1", line(1, "CD-2", "1", "1.00"), ship_to=HOME),
        order("1", line(1, "CD-1", "2", "1.00"), ship_to=HOME),
        order("1", line(1, "CD-1", "1", "1.01"), ship_to=HOME),
        order("1", line(1, "CD-1", "1", "1.00"), ship_to=HOME, customer=Party(id="C-2")),
    ):
        assert "order.contract_price" in {one.rule for one in let_through(other, found(other), (), marks)[0]}


def _rule(**changes: Any) -> ReleaseRule:
    return ReleaseRule(**{"number": 1, "rule": "order.credit_limit", "reason": "small", **changes})


def test_a_standing_rule_lets_through_what_it_is_about() -> None:
    big = order("1", line(1, "CD-1", "11", "10.00"), ship_to=HOME, terms="NET30")
    assert [one.rule for one in found(big)] == ["order.credit_limit"]
    for rule, through in (
        (_rule(), True),
        (_rule(channel="shop", customer="C-1", total_below=Decimal("110.01")), True),
        (_rule(total_below=Decimal("110.00")), False),
        (_rule(channel="web"), False),
        (_rule(customer="C-2"), False),
        (_rule(rule="order.terms"), False),
    ):
        left, waived = let_through(big, found(big), (rule,))
        assert ([one.rule for one in left], [one.by for one in waived]) == (
            ([], ["rule 1"]) if through else (["order.credit_limit"], [])
        )


def test_examining_lets_standing_rules_speak() -> None:
    limits = ChannelRules(currency="USD", customer="", max_lines=9, checks=CHECKS)
    late = order("1", line(1, "CD-1", "1", "10.00"), ship_to=HOME, terms="COD")
    assert [one.rule for one in examine(late, CATALOG, limits, "shop").failures] == ["order.terms"]
    eased = replace(limits, releases=(_rule(rule="order.terms"),))
    examined = examine(late, CATALOG, eased, "shop")
    assert examined.failures == []
    assert [(one.failure.rule, one.how, one.by, one.reason) for one in examined.waived] == [
        ("order.terms", "rule", "rule 1", "small")
    ]


def test_goods_that_are_not_there_are_nobodys_to_release() -> None:
    error = NeedsEdit("not enough stock", field="lines[0].quantity", rule="order.stock", value=2)
    name_holds(order(), [error])
    assert (error.holds, error.mark) == (("stock",), "")
    left, waived = let_through(order(), [error], (_rule(rule="order.stock"),), {"": Release("", "jo", "")})
    assert (left, waived) == ([error], ())
