# SPDX-License-Identifier: Apache-2.0
"""Tax by the table: which rate is due, whether the order names it, and the codes ERPs are told."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.money import Money
from crossdock.canonical.party import Address, Party
from crossdock.canonical.sales_order import Charge, SalesOrder
from crossdock.catalog.accounts import CustomerFacts
from crossdock.errors import NeedsEdit
from crossdock.orders.checks import Checks
from crossdock.orders.enrich import enriched
from crossdock.orders.examine import ChannelRules, examine
from crossdock.orders.tax import TaxRate, TaxRule, TaxTable, check_tax, tax_due, with_tax_codes
from crossdock.orders.validate import failures_of
from tests.orders.making import catalog, line, order, usd

BOISE = Address(street="Oak Ave 1", city="Boise", region="ID", postal_code="83702", country="US")
RENO = replace(BOISE, region="NV")
TABLE = TaxTable(
    (
        TaxRule(rate=TaxRate(Decimal(0), "EXEMPT"), country="US", sku_prefix="BOOK"),
        TaxRule(rate=TaxRate(Decimal("6"), "US-ID"), entity="us", country="US", region="ID"),
        TaxRule(rate=TaxRate(Decimal("19"), "DE-19"), entity="de", country="DE"),
    )
)


def of(*lines: Any, **changes: Any) -> SalesOrder:
    """An order of entity us to Boise."""
    return order("1", *lines, **{"ship_to": BOISE, "entity": "us", **changes})


def taxed(given: SalesOrder, tax: Decimal | None) -> SalesOrder:
    """`given` with a tax, and a total that adds up with it."""
    if tax is None:
        return given
    total = given.total if given.taxes_included else Money(given.total.amount + tax, "USD")
    return replace(given, tax=Money(tax, "USD"), total=total)


def found(given: SalesOrder) -> list[tuple[str, str, object, str]]:
    return [(one.field, one.rule, one.value, one.fix) for one in check_tax(given, TABLE)]


@pytest.mark.parametrize(
    ("entity", "ship_to", "sku", "code"),
    [
        ("us", BOISE, "CD-1", "US-ID"),
        ("us", BOISE, "BOOK-1", "EXEMPT"),
        ("us", RENO, "BOOK-1", "EXEMPT"),
        ("us", RENO, "CD-1", None),
        ("us", BOISE, "", "US-ID"),
        ("de", BOISE, "CD-1", None),
        ("de", replace(BOISE, country="DE", region=""), "CD-1", "DE-19"),
    ],
)
def test_the_first_rule_that_fits_counts(entity: str, ship_to: Address, sku: str, code: str | None) -> None:
    rate = TABLE.rate(entity, ship_to, sku)
    assert (rate.code if rate is not None else None) == code


def test_tax_is_due_on_lines_and_charges_rounded_one_by_one() -> None:
    shipping = Charge(kind="shipping", amount=usd("4.99"))
    given = of(line(1, "CD-1", "1", "10.09"), line(2, "BOOK-1", "1", "50.00"), charges=(shipping,))
    due = tax_due(given, TABLE)
    assert due is not None
    # 0.6054, nothing, 0.2994
    assert (due.amount, due.within, due.unknown) == (Decimal("0.91"), Decimal("0.03"), "")
    included = tax_due(replace(given, taxes_included=True), TABLE)
    assert included is not None
    # 10.09 × 6 / 106 and 4.99 × 6 / 106
    assert included.amount == Decimal("0.57") + Decimal("0.28")


@pytest.mark.parametrize(
    ("given", "failure"),
    [
        (taxed(of(), Decimal("1.20")), None),
        (taxed(of(), Decimal("1.21")), None),
        (taxed(of(), Decimal("1.22")), ("tax", "order.tax", Decimal("1.22"), "put 1.20 and a total of 21.20")),
        (of(), ("tax", "order.tax", Decimal(0), "put 1.20 and a total of 21.20")),
        (of(taxes_included=True), None),
        (taxed(of(taxes_included=True), Decimal("1.13")), None),
        (taxed(of(taxes_included=True), Decimal("1.20")), ("tax", "order.tax", Decimal("1.20"), "put 1.13")),
        (
            of(ship_to=RENO),
            ("lines[0].sku", "order.tax_known", "US NV", "add a rule to `tax` in the estate"),
        ),
        (of(ship_to=None), None),
    ],
)
def test_the_tax_an_order_names_is_what_is_due(given: SalesOrder, failure: tuple[Any, ...] | None) -> None:
    assert found(given) == ([failure] if failure else [])


def test_tax_that_comes_as_a_charge_counts() -> None:
    charge = Charge(kind="tax", amount=usd("1.20"))
    assert found(of(charges=(charge,), total=usd("21.20"))) == []
    both = taxed(of(charges=(charge,), total=usd("21.20")), Decimal("0.50"))
    assert found(both) == [("tax", "order.tax", Decimal("0.50"), "put 0.00 and a total of 21.20")]


orders = st.builds(
    lambda prices, shipping, included: of(
        *(line(n, "CD-1", "1", f"{price:f}") for n, price in enumerate(prices, 1)),
        charges=(Charge(kind="shipping", amount=Money(shipping, "USD")),) if shipping else (),
        taxes_included=included,
        total=Money(sum(prices, shipping), "USD"),
    ),
    st.lists(st.decimals("0.01", 10_000, places=2), min_size=1, max_size=5),
    st.decimals(0, 100, places=2),
    st.booleans(),
)


@given(orders, st.decimals(-50, 50, places=2))
def test_what_a_fix_names_passes_and_nothing_beyond_rounding_does(given: SalesOrder, off: Decimal) -> None:
    due = tax_due(given, TABLE)
    assert due is not None
    failures = list(check_tax(taxed(given, due.amount + off), TABLE))
    assert (failures == []) == (abs(off) <= due.within)
    for one in failures:
        put = [Decimal(number) for number in re.findall(r"-?\d+\.\d+", one.fix)]
        mended = replace(
            given, tax=Money(put[0], "USD"), total=Money(put[-1] if len(put) > 1 else given.total.amount, "USD")
        )
        assert list(check_tax(mended, TABLE)) == []
        assert failures_of(mended, {"CD-1"}.__contains__, 9) == []


def test_codes_are_filled_where_there_are_none_and_the_rate_is_known() -> None:
    given = of(line(1, "CD-1"), line(2, "BOOK-1"), line(3, "CD-1", tax_code="MINE"))
    assert [one.tax_code for one in with_tax_codes(given, TABLE).lines] == ["US-ID", "EXEMPT", "MINE"]
    assert [one.tax_code for one in with_tax_codes(replace(given, entity="de"), TABLE).lines] == ["", "EXEMPT", "MINE"]
    assert with_tax_codes(replace(given, ship_to=None), TABLE).lines == given.lines


def test_terms_are_the_accounts_when_the_order_names_none() -> None:
    known = catalog()
    known.customers = {"C-1": CustomerFacts(terms="NET30"), "C-2": CustomerFacts()}
    made = enriched(order(), Party(id="C-1"), "us", known, None)
    assert (made.terms, made.entity, made.lines) == ("NET30", "us", order().lines)
    assert enriched(order(terms="COD"), Party(id="C-1"), "us", known, None).terms == "COD"
    assert enriched(order(), Party(id="C-2"), "us", known, None).terms == ""


def test_examining_asks_for_the_tax_of_the_entity_that_sells() -> None:
    rules = ChannelRules(currency="USD", customer="", max_lines=9, checks=Checks(tax=TABLE), entity="us")

    def failures(given: SalesOrder, by: ChannelRules = rules) -> list[NeedsEdit]:
        return examine(given, catalog(), by, "shop").failures

    untaxed = order("1", ship_to=BOISE)
    assert [(one.rule, one.hold, bool(one.mark)) for one in failures(untaxed)] == [("order.tax", "price", True)]
    assert failures(taxed(untaxed, Decimal("1.20"))) == []
    assert [one.rule for one in failures(untaxed, replace(rules, entity="de"))] == ["order.tax_known"]
