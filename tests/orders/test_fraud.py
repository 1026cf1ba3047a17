# SPDX-License-Identifier: Apache-2.0
"""What is suspicious of an order and of an address; what a fix says makes it pass, and nothing smaller does."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.hold import HOLDS
from crossdock.canonical.party import Address, Party
from crossdock.errors import NeedsEdit
from crossdock.orders.check_address import FORMS, check_address
from crossdock.orders.check_fraud import Fraud, check_fraud
from crossdock.orders.checks import Checks, check
from crossdock.orders.examine import ChannelRules, examine
from crossdock.orders.others import OtherOrders
from crossdock.runtime.clock import now
from tests.orders.making import catalog, line, order

HOME = Address(street="Oak Ave 1", city="Boise", region="ID", postal_code="83702", country="US")
FRAUD = Fraud(
    above=Decimal(5000),
    countries=frozenset({"KP"}),
    addresses_differ=True,
    unknown_account_above=Decimal(500),
    default_account="WEB",
)


def of(total: str = "20.00", **changes: Any) -> list[tuple[str, str, object, str]]:
    """Field, rule, value and fix of every failure of an order of that total."""
    made = order("1", line(1, "CD-1", "1", total), **{"ship_to": HOME, "bill_to": HOME, **changes})
    return [(one.field, one.rule, one.value, one.fix) for one in check_fraud(made, FRAUD)]


def test_an_order_like_others_passes() -> None:
    assert of() == of("5000.00") == of(bill_to=None) == of("500.00", customer=Party(id="WEB")) == []
    assert of(bill_to=replace(HOME, street="OAK AVE. 1")) == []


@pytest.mark.parametrize(
    ("total", "changes", "failure"),
    [
        ("5000.01", {}, ("total", "order.fraud_above", Decimal("5000.01"), "lower the total to 5000")),
        (
            "500.01",
            {"customer": Party(id="WEB")},
            (
                "total",
                "order.fraud_unknown_account",
                Decimal("500.01"),
                "lower the total to 500, or open an account",
            ),
        ),
        (
            "20.00",
            {"ship_to": replace(HOME, country="KP"), "bill_to": None},
            ("ship_to.country", "order.fraud_country", "KP", "have it shipped to another country"),
        ),
        (
            "20.00",
            {"ship_to": replace(HOME, city="Reno")},
            ("ship_to.city", "order.fraud_addresses", "city 'Reno'", "put city 'Boise'"),
        ),
    ],
)
def test_what_is_suspicious_is_told(total: str, changes: dict[str, Any], failure: tuple[Any, ...]) -> None:
    assert of(total, **changes) == [failure]
    assert HOLDS[failure[1]].kind == "fraud"


@given(st.decimals(0, 10_000, places=2), st.decimals(0, 10_000, places=2))
def test_the_total_that_a_fix_names_passes_and_a_cent_more_does_not(most: Decimal, total: Decimal) -> None:
    fraud = Fraud(above=most, unknown_account_above=most, default_account="C-1")

    def failures(amount: Decimal) -> list[NeedsEdit]:
        return list(check_fraud(order("1", line(1, "CD-1", "1", f"{amount:f}")), fraud))

    assert (failures(total) == []) == (total <= most)
    for one in failures(total):
        put = Decimal(re.findall(r"lower the total to (\d+(?:\.\d+)?)", one.fix)[0])
        assert failures(put) == []
        assert len(failures(put + Decimal("0.01"))) == 2


async def test_who_asks_from_outside_is_not_told_what_is_suspicious() -> None:
    rules = ChannelRules(currency="USD", customer="", max_lines=9, checks=Checks(fraud=FRAUD, address=True))
    given = order(
        "1", line(1, "CD-1", "1", "9000.00"), ship_to=replace(HOME, postal_code="8370"), customer=Party(id="C-1")
    )
    outside = examine(given, catalog(), rules, "shop")
    assert [one.rule for one in outside.failures] == ["order.address_complete"]
    inside = examine(given, catalog(), replace(rules, others=OtherOrders(now())), "shop")
    assert [(one.rule, one.hold) for one in inside.failures] == [
        ("order.address_complete", "address"),
        ("order.fraud_above", "fraud"),
    ]


def test_a_cancelled_order_is_not_looked_at() -> None:
    given = order("1", line(1, "CD-1", "1", "9000.00"), status="cancelled", ship_to=replace(HOME, city=""))
    assert check(given, catalog(), Checks(fraud=FRAUD, address=True)) == []


@pytest.mark.parametrize("country", sorted(FORMS))
def test_the_example_of_every_country_has_its_form(country: str) -> None:
    address = replace(HOME, country=country, postal_code=FORMS[country].example.lower())
    assert list(check_address(address)) == []
    (failure,) = check_address(replace(address, postal_code="?"))
    assert (failure.field, failure.rule) == ("ship_to.postal_code", "order.address_complete")
    assert failure.fix == f"put one as {FORMS[country].example}"


def test_what_an_address_lacks_is_told_at_once() -> None:
    lacking = Address(country="US", street=" ", postal_code="")
    assert [(one.field, one.fix) for one in check_address(lacking)] == [
        ("ship_to.street", "put the street"),
        ("ship_to.city", "put the city"),
        ("ship_to.region", "put the region"),
        ("ship_to.postal_code", "put one as 83702"),
    ]
    assert list(check_address(Address(street="Calle 1", city="Lima", country="PE"))) == []
    assert list(check_address(replace(HOME, country="DE", region="", postal_code="10115"))) == []
