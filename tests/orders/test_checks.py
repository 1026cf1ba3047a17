# SPDX-License-Identifier: Apache-2.0
"""What orders are checked for where their channel says so; every fix makes the order pass."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.money import Money
from crossdock.canonical.party import Address, Party
from crossdock.canonical.price_list import PriceList
from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import OrderLine, SalesOrder
from crossdock.catalog.accounts import CustomerFacts
from crossdock.catalog.book import PriceBook
from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.errors import NeedsEdit
from crossdock.orders.check_lines import Tolerance
from crossdock.orders.checks import NO_OTHERS, Checks, Others, check
from crossdock.orders.examine import ChannelRules, examine
from tests.catalog.pricing import entry, stated
from tests.orders.making import NOON, line, order, usd

HOME = Address(street="Oak Ave 1", city="Boise", region="ID", postal_code="83702", country="US")
DEPOT = Address(street="Dock 7", city="Reno", region="NV", postal_code="89501", country="US")
ACCOUNT = CustomerFacts(currency="USD", terms="NET30", group="trade", limit=usd("1000.00"), ship_to=(HOME, DEPOT))
ALL = Checks(
    customer=True,
    product=True,
    unit=True,
    price=Tolerance(percent=Decimal(2), amount=Decimal("0.05")),
    terms=True,
    credit=timedelta(days=90),
    ship_to=True,
    duplicates=timedelta(days=7),
)
BASE = stated("BASE", entry("10.00", "CD-1"), entry("5.00", "CD-2"))


def known(
    account: CustomerFacts = ACCOUNT, lists: tuple[PriceList, ...] = (BASE,), **products: ProductFacts
) -> Catalog:
    """CD-1, by EA and by CS of 12, and CD-2 at the prices of BASE."""
    made = Catalog(PriceBook(lists))
    plain = ProductFacts("EA", "", True, True, {"CS": Decimal(12)})
    made.products = {"CD-1": plain, "CD-2": plain, **{name.replace("_", "-"): one for name, one in products.items()}}
    made.customers = {"C-1": account}
    return made


def sound(*lines: OrderLine, **changes: Any) -> SalesOrder:
    """An order that ALL lets pass."""
    return order("1", *lines, **{"ship_to": HOME, "po_number": "PO-1", **changes})


def found(given: SalesOrder, catalog: Catalog | None = None, checks: Checks = ALL, others: Others = NO_OTHERS) -> Any:
    """Field, rule, value and fix of every failure."""
    return [(one.field, one.rule, one.value, one.fix) for one in check(given, catalog or known(), checks, others)]


def test_a_sound_order_passes_and_without_checks_everything_does() -> None:
    assert found(sound(), others=Others(open=Decimal("980.00"))) == []
    nothing_fits = sound(line(1, "CD-1", "1", "0.01"), customer=Party(id="C-1"), ship_to=DEPOT, terms="COD")
    assert found(nothing_fits, known(replace(ACCOUNT, status="blocked")), Checks()) == []
    assert len(found(nothing_fits, known(replace(ACCOUNT, status="blocked")))) == 3


def test_a_cancelled_order_is_not_checked() -> None:
    assert found(sound(status="cancelled", terms="COD"), known(replace(ACCOUNT, status="blocked"))) == []


@pytest.mark.parametrize(
    ("check_name", "given", "catalog", "others", "failure"),
    [
        (
            "customer",
            sound(),
            known(replace(ACCOUNT, status="blocked")),
            Others(),
            ("customer.id", "order.customer_blocked", "C-1", "release the account, or put another customer"),
        ),
        (
            "product",
            sound(),
            known(CD_1=ProductFacts("EA", "", True, False)),
            Others(),
            ("lines[0].sku", "order.product_retired", "CD-1", "take the line out"),
        ),
        (
            "product",
            sound(),
            known(
                CD_1=ProductFacts("EA", "", True, False, substitutes=("GONE", "CD-3", "CD-2")),
                CD_3=ProductFacts("EA", "", True, False),
            ),
            Others(),
            ("lines[0].sku", "order.product_retired", "CD-1", "put CD-2, which replaces it, or take the line out"),
        ),
        (
            "unit",
            sound(line(1, quantity="2", unit_price=usd("10.00")), line(2, "CD-2", quantity="1")),
            known(CD_2=ProductFacts("LTR", "", True, True, {"CAN": Decimal(5)})),
            Others(),
            ("lines[1].quantity.unit", "order.unit_known", "EA", "put LTR or CAN, or add the unit to the product"),
        ),
        (
            "unit",
            sound(line(1, quantity="8")),
            known(CD_1=ProductFacts("EA", "", True, True, {"CS": Decimal(12)}, pack=Decimal(6))),
            Others(),
            ("lines[0].quantity", "order.pack_size", Decimal(8), "put 6 EA or 12 EA"),
        ),
        (
            "unit",
            sound(line(1, quantity="2")),
            known(CD_1=ProductFacts("EA", "", True, True, pack=Decimal(6))),
            Others(),
            ("lines[0].quantity", "order.pack_size", Decimal(2), "put 6 EA"),
        ),
        (
            "terms",
            sound(terms="COD"),
            known(),
            Others(),
            ("terms", "order.terms", "COD", "put NET30 or leave terms out, or give the account COD"),
        ),
        (
            "terms",
            sound(),
            known(replace(ACCOUNT, terms="")),
            Others(),
            ("terms", "order.terms_known", "", "give the account payment terms"),
        ),
        (
            "credit",
            sound(),
            known(),
            Others(open=Decimal("990.00")),
            (
                "total",
                "order.credit_limit",
                Decimal("20.00"),
                "lower the total to 10.00, raise the credit limit of C-1 to 1010.00, or wait until 10.00 is paid",
            ),
        ),
        (
            "credit",
            sound(),
            known(),
            Others(open=Decimal("1000.00")),
            (
                "total",
                "order.credit_limit",
                Decimal("20.00"),
                "raise the credit limit of C-1 to 1020.00, or wait until 20.00 is paid",
            ),
        ),
        (
            "credit",
            sound(),
            known(replace(ACCOUNT, limit=Money(Decimal(1000), "EUR"))),
            Others(open=Decimal(0)),
            (
                "currency",
                "order.credit_currency",
                "USD",
                "give the account a credit limit in USD, or put the order in EUR",
            ),
        ),
        (
            "ship_to",
            sound(ship_to=replace(HOME, postal_code="83703")),
            known(),
            Others(),
            (
                "ship_to.postal_code",
                "order.ship_to_known",
                "postal_code '83703'",
                "put postal_code '83702', or add the address to the account",
            ),
        ),
        (
            "duplicates",
            sound(),
            known(),
            Others(alike=("shop/9", "#9")),
            ("po_number", "order.duplicate", "PO-1", "dismiss this one, or put another PO number"),
        ),
    ],
)
def test_each_check_alone(
    check_name: str, given: SalesOrder, catalog: Catalog, others: Others, failure: tuple[Any, ...]
) -> None:
    alone = Checks(**{check_name: getattr(ALL, check_name)})
    assert found(given, catalog, alone, others) == [failure]
    off = replace(ALL, **{check_name: getattr(Checks(), check_name)}, price=None)
    assert failure not in found(given, catalog, off, others)


def test_a_duplicate_is_told_with_the_other_orders_number() -> None:
    (failure,) = check(sound(), known(), ALL, Others(alike=("shop/9", "#9")))
    assert failure.reason == "order #9 (shop/9) of the same customer says the same: PO number PO-1, lines and address"


def test_addresses_are_the_same_beyond_case_blanks_and_points() -> None:
    assert found(sound(ship_to=replace(HOME, street="OAK AVE. 1", city=" boise"))) == []
    assert found(sound(ship_to=DEPOT)) == []
    elsewhere = replace(HOME, street="Elm St 5", city="Nampa")
    ((field, rule, _, fix),) = found(sound(ship_to=elsewhere))
    assert (field, rule) == ("ship_to", "order.ship_to_known")
    assert fix == "put street 'Oak Ave 1', city 'Boise', or add the address to the account"
    assert found(sound(ship_to=elsewhere), known(replace(ACCOUNT, ship_to=()))) == []


def test_no_limit_is_no_reason_to_refuse() -> None:
    assert found(sound(), known(replace(ACCOUNT, limit=None)), others=Others(open=Decimal(10**9))) == []
    assert found(sound(), others=Others(open=None)) == []


@pytest.mark.parametrize(
    ("price", "passes"), [("9.80", True), ("9.79", False), ("10.20", True), ("10.21", False), ("10.00", True)]
)
def test_the_margin_guard_lets_pass_what_is_within_the_percentage(price: str, passes: bool) -> None:
    assert (found(sound(line(price=price))) == []) is passes


@pytest.mark.parametrize(("price", "passes"), [("0.95", True), ("0.94", False), ("1.05", True), ("1.06", False)])
def test_the_larger_of_percentage_and_amount_counts(price: str, passes: bool) -> None:
    lists = (stated("BASE", entry("1.00", "CD-1")),)
    assert (found(sound(line(price=price)), known(lists=lists)) == []) is passes


def test_what_the_guard_says() -> None:
    contract = stated("C-1", entry("8.00", "CD-1", b2="7.50"), customer="C-1")
    (failure,) = check(sound(line(price="7.00")), known(lists=(BASE, contract)), ALL)
    assert (failure.field, failure.rule, failure.value) == (
        "lines[0].unit_price",
        "order.contract_price",
        Decimal("7.00"),
    )
    assert failure.reason == (
        "the unit price is 7.00; it should be 7.5 (contract list C-1 of the customer, from 2 EA on), at most 0.15 less"
    )
    assert failure.fix == "put 7.35 or more, or change what it is compared with"


def test_a_discount_does_not_get_by_the_guard() -> None:
    cheap = line(quantity="4", price="10.00", discount=usd("4.00"), total=usd("36.00"))
    (failure,) = check(sound(cheap), known(), ALL)
    assert failure.reason == (
        "the unit price is 10.00, less a discount of 4.00 on the line; "
        "it should be 10 (base list BASE), at most 0.2 less"
    )
    assert failure.fix == "put 10.8 or more, or change what it is compared with"


def test_prices_are_compared_in_the_lines_unit_at_the_time_of_the_order_and_for_its_group() -> None:
    case = line(quantity="2", unit_price=usd("120.00"), total=usd("240.00"))
    by_case = replace(case, quantity=Quantity(Decimal(2), "CS"))
    assert found(sound(by_case)) == []
    group = stated("G", entry("6.00", "CD-1"), group="trade", effective_until=NOON)
    assert found(sound(), known(lists=(BASE, group))) == []
    earlier = sound(line(price="6.00"), placed_at=NOON - timedelta(minutes=1))
    assert found(earlier, known(lists=(BASE, group))) == []


def test_a_price_that_has_no_end_in_cents_may_be_rounded_to_them() -> None:
    lists = (stated("BASE", entry("10.00", "CD-1", unit="CS")),)
    strict = Checks(price=Tolerance())
    assert [
        found(sound(line(price=price)), known(lists=lists), strict) == [] for price in ("0.83", "0.84", "0.82")
    ] == [
        True,
        False,
        False,
    ]


def test_without_a_price_there_is_no_margin_to_guard_and_that_is_said() -> None:
    gross = sound(taxes_included=True)
    ((field, rule, _, fix),) = found(gross)
    assert (field, rule, fix) == ("lines[0].unit_price", "order.price_known", "add CD-1 to a price list in USD")


def test_everything_wrong_is_told_at_once_with_what_every_order_is_checked_for() -> None:
    bad = sound(
        line(1, "XX"), line(2, "CD-2", quantity="1", price="1.00"), line(3, quantity="0"), terms="COD", ship_to=HOME
    )
    rules = ChannelRules(currency="EUR", customer="", max_lines=9, checks=ALL)
    examined = examine(bad, known(replace(ACCOUNT, status="blocked")), rules, "shop")
    assert [one.rule for one in examined.failures] == [
        "order.sku_known",
        "order.quantity",
        "order.currency_channel",
        "order.contract_price",
        "order.customer_blocked",
        "order.terms",
    ]
    assert examined.customer == Party(id="C-1")


def test_numbers_beyond_all_measure_are_not_reckoned_with() -> None:
    huge = sound(line(1, quantity="1E+50", price="1.00", total=usd("1")))
    rules = ChannelRules(currency="USD", customer="", max_lines=9, checks=ALL)
    assert {one.rule for one in examine(huge, known(), rules, "shop").failures} == {"order.number_range"}


# Laws: what a fix says makes the order pass, and nothing smaller does.


def _put(failure: NeedsEdit) -> list[tuple[Decimal, str]]:
    """The values a fix offers, with their unit."""
    return [(Decimal(value), unit) for value, unit in re.findall(r"(\d+(?:\.\d+)?)(?: ([A-Z]{2,3}))?", failure.fix)]


@given(st.integers(1, 500), st.sampled_from(["EA", "CS"]), st.integers(1, 40), st.integers(1, 24))
def test_the_nearest_packs_pass_and_none_is_nearer(value: int, unit: str, pack: int, factor: int) -> None:
    catalog = known(CD_1=ProductFacts("EA", "", True, True, {"CS": Decimal(factor)}, pack=Decimal(pack)))
    base = factor if unit == "CS" else 1
    checks = Checks(unit=True)

    def asks(quantity: Decimal, by: str) -> list[NeedsEdit]:
        return check(sound(replace(line(), quantity=Quantity(quantity, by))), catalog, checks)

    failures = asks(Decimal(value), unit)
    assert bool(failures) == (value * base % pack != 0)
    if not failures:
        return
    offered = _put(failures[0])
    assert all(asks(quantity, by) == [] for quantity, by in offered)
    held = [quantity * (factor if by == "CS" else 1) for quantity, by in offered]
    distances = [abs(one - value * base) for one in held]
    assert distances == sorted(distances)
    rest = value * base % pack
    assert distances[0] == (min(rest, pack - rest) if value * base > pack else pack - rest)


@given(
    st.decimals("0.01", 1000, places=2),
    st.decimals("0.01", 1000, places=2),
    st.integers(1, 50),
    st.decimals(0, 10, places=1),
    st.decimals(0, 2, places=2),
)
def test_the_edge_of_the_tolerance_passes_and_a_step_beyond_does_not(
    contract: Decimal, price: Decimal, quantity: int, percent: Decimal, amount: Decimal
) -> None:
    catalog = known(lists=(stated("BASE", entry(str(contract), "CD-1")),))
    checks = Checks(price=Tolerance(percent=percent, amount=amount))

    def asks(unit_price: Decimal) -> list[NeedsEdit]:
        return check(sound(line(quantity=str(quantity), price=str(unit_price))), catalog, checks)

    assert asks(contract) == []
    failures = asks(price)
    off = max(contract * percent / 100, amount)
    assert bool(failures) == (abs(price - contract) > off)
    assume(failures)
    ((edge, _), *_rest) = _put(failures[0])
    assert asks(edge) == []
    beyond = edge - Decimal("0.01") if price < contract else edge + Decimal("0.01")
    assert beyond < 0 or asks(beyond) != []


@given(st.decimals(0, 2000, places=2), st.decimals("0.01", 2000, places=2))
def test_credit_is_left_to_the_cent(in_use: Decimal, total: Decimal) -> None:
    def asks(amount: Decimal, limit: Decimal) -> list[NeedsEdit]:
        given = sound(line(quantity="1", price=str(amount)))
        catalog = known(replace(ACCOUNT, limit=Money(limit, "USD")))
        return check(given, catalog, Checks(credit=timedelta(days=1)), Others(open=in_use))

    failures = asks(total, Decimal(1000))
    assert bool(failures) == (in_use + total > 1000)
    if not failures:
        return
    numbers = [value for value, _ in _put(failures[0]) if value != 1]
    if in_use < 1000:
        assert asks(numbers[0], Decimal(1000)) == []
        assert asks(numbers[0] + Decimal("0.01"), Decimal(1000)) != []
        numbers = numbers[1:]
    assert asks(total, numbers[0]) == []
    assert asks(total, numbers[0] - Decimal("0.01")) != []
