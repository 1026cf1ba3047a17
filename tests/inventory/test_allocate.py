# SPDX-License-Identifier: Apache-2.0
"""Orders are promised goods: all of an order or nothing, its reservation first, never more than is free."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.canonical.quantity import Quantity
from crossdock.canonical.sales_order import SalesOrder
from crossdock.catalog.cache import ProductFacts
from crossdock.errors import NeedsEdit, RetryLater
from crossdock.inventory.allocate import Granted, Taken, allocate, pairs_wanted
from crossdock.inventory.free import Hold
from crossdock.inventory.level import Level, Levels
from crossdock.inventory.needs import Wish
from crossdock.journal.decided import Routed, Split
from tests.orders.making import line, order

PLACES = ("EAST", "WEST")
PRODUCTS = {
    "CD-1": ProductFacts("EA", "", True, True, {"CS": Decimal(12)}),
    "CD-2": ProductFacts("EA", "", True, True),
    "FEE": ProductFacts("EA", "", False, True),
    "KIT": ProductFacts("EA", "", True, True, {}, {"CD-1": Decimal(2), "CD-2": Decimal(1)}),
}


def levels(*there: tuple[str, str, int]) -> Levels:
    skus = ("CD-1", "CD-2")
    return Levels(
        [Level(sku, place, Decimal(number)) for sku, place, number in there],
        [(sku, place) for sku in skus for place in PLACES],
    )


def wish(wanted: SalesOrder, **changes: Any) -> Wish:
    goods = tuple(number for number, one in enumerate(wanted.lines) if one.sku != "FEE")
    routed = Routed(
        entity="us",
        erp="erp",
        splits=(Split(location="EAST", system="warehouse", lines=goods),),
        record=b"{}",
        rules="r/1",
    )
    given_: dict[str, Any] = {
        "order": wanted,
        "routed": routed,
        "locations": PLACES,
        "system_of": {"EAST": "warehouse", "WEST": "3pl"},
        "held": {},
        "before": (),
        "waited": 0.0,
    }
    return Wish(**{**given_, **changes})


def granted(wanted: Wish, there: Levels) -> Granted:
    result = allocate(wanted, PRODUCTS, there, 60.0)
    assert isinstance(result, Granted), result
    return result


def split(location: str, system: str, *parts: tuple[int, int]) -> Split:
    return Split(
        location=location,
        system=system,
        lines=tuple(index for index, _ in parts),
        quantities=tuple(Quantity(Decimal(number)) for _, number in parts),
    )


def test_a_line_ships_whole_from_where_it_was_routed() -> None:
    there = levels(("CD-1", "EAST", 2), ("CD-1", "WEST", 9))
    assert granted(wish(order("1", line(1, quantity="2"))), there).splits == (split("EAST", "warehouse", (0, 2)),)
    assert there.at("CD-1", "EAST").free == 0
    assert there.at("CD-1", "WEST").free == 9


def test_another_location_that_has_all_of_it_comes_before_a_split() -> None:
    there = levels(("CD-1", "EAST", 2), ("CD-1", "WEST", 3))
    assert granted(wish(order("1", line(1, quantity="3"))), there).splits == (split("WEST", "3pl", (0, 3)),)


def test_a_line_is_split_when_no_location_has_all_of_it() -> None:
    there = levels(("CD-1", "EAST", 2), ("CD-1", "WEST", 3))
    assert granted(wish(order("1", line(1, quantity="5"))), there).splits == (
        split("EAST", "warehouse", (0, 2)),
        split("WEST", "3pl", (0, 3)),
    )


def test_all_or_nothing_and_then_a_person() -> None:
    there = levels(("CD-1", "EAST", 9), ("CD-2", "EAST", 1))
    wanted = order("1", line(1, quantity="2"), line(2, "CD-2", "3"))
    early = allocate(wish(wanted), PRODUCTS, there, 60.0)
    assert isinstance(early, RetryLater)
    assert early.reason == "waits for stock: line 2: 2 of 3 EA CD-2 missing"
    assert early.bounded
    late = allocate(wish(wanted, waited=61.0), PRODUCTS, there, 60.0)
    assert isinstance(late, NeedsEdit)
    assert (late.field, late.rule, late.value) == ("lines[1].quantity", "order.stock", 3)
    assert there.at("CD-1", "EAST").free == 9


@pytest.mark.parametrize(("hold_for", "after"), [(0.0, None), (1.0, 0.5), (60.0, 12.0), (900.0, 60.0), (86400.0, 60.0)])
def test_goods_are_looked_for_often_enough(hold_for: float, after: float | None) -> None:
    error = allocate(wish(order("1", line(1))), PRODUCTS, levels(), hold_for)
    assert (error.after if isinstance(error, RetryLater) else None) == after


def test_two_lines_of_one_sku_do_not_get_the_same_goods() -> None:
    there = levels(("CD-1", "EAST", 3))
    assert isinstance(allocate(wish(order("1", line(1), line(2))), PRODUCTS, there, 60.0), RetryLater)


def test_a_reservation_is_taken_over_and_what_is_left_of_it_given_back() -> None:
    there = levels(("CD-1", "EAST", 1), ("CD-1", "WEST", 5))
    there.at("CD-1", "WEST").reserved = Decimal(5)
    got = granted(wish(order("1", line(1, quantity="3")), held={("CD-1", "WEST"): Decimal(5)}), there)
    assert got.taken == (Taken("1", "CD-1", "WEST", Decimal(3)),)
    west = there.at("CD-1", "WEST")
    assert (west.allocated, west.reserved, west.free) == (3, 0, 2)


def test_a_changed_order_may_have_what_it_had() -> None:
    there = levels(("CD-1", "EAST", 2))
    there.at("CD-1", "EAST").allocated = Decimal(2)
    hold = Hold("shop/1#1", "1", "CD-1", "EAST", "shop/1", Decimal(2))
    got = granted(wish(order("1", line(1, quantity="1")), before=[hold]), there)
    assert got.freed == ((hold, Decimal(1)),)
    # The other one may be on a truck already: it stays held until the warehouse has agreed to cancel.
    assert there.at("CD-1", "EAST").allocated == 2


def test_a_case_of_twelve_takes_twelve_eaches() -> None:
    there = levels(("CD-1", "EAST", 24))
    case = line(1, quantity="1", total=line(1).total)
    wanted = order(
        "1",
        type(case)(**{**{f: getattr(case, f) for f in case.__struct_fields__}, "quantity": Quantity(Decimal(1), "CS")}),
    )
    assert granted(wish(wanted), there).splits[0].quantities == (Quantity(Decimal(12)),)
    assert there.at("CD-1", "EAST").free == 12


def cases(quantity: str) -> SalesOrder:
    return order("1", replace(line(1), quantity=Quantity(Decimal(quantity), "CS")))


def test_cases_are_split_between_cases() -> None:
    there = levels(("CD-1", "EAST", 20), ("CD-1", "WEST", 16))
    assert granted(wish(cases("2")), there).splits == (
        split("EAST", "warehouse", (0, 12)),
        split("WEST", "3pl", (0, 12)),
    )
    assert (there.at("CD-1", "EAST").free, there.at("CD-1", "WEST").free) == (8, 4)


def test_eaches_of_two_locations_make_no_case() -> None:
    there = levels(("CD-1", "EAST", 11), ("CD-1", "WEST", 13))
    error = allocate(wish(cases("2")), PRODUCTS, there, 60.0)
    assert isinstance(error, RetryLater)
    assert error.reason == "waits for stock: line 1: 12 of 24 EA CD-1 missing"


def test_an_unknown_unit_needs_a_person() -> None:
    case = line(1)
    wanted = order(
        "1",
        type(case)(**{**{f: getattr(case, f) for f in case.__struct_fields__}, "quantity": Quantity(Decimal(1), "BX")}),
    )
    error = allocate(wish(wanted), PRODUCTS, levels(("CD-1", "EAST", 24)), 60.0)
    assert isinstance(error, NeedsEdit)
    assert (error.rule, error.field) == ("order.unit", "lines[0].quantity.unit")


def test_a_part_of_a_counted_unit_needs_a_person() -> None:
    products = {"CD-1": ProductFacts("EA", "", True, True, {"KGM": Decimal("2.5")})}
    wanted = order("1", replace(line(1), quantity=Quantity(Decimal(3), "KGM")))
    error = allocate(wish(wanted), products, levels(("CD-1", "EAST", 24)), 60.0)
    assert isinstance(error, NeedsEdit)
    assert (error.rule, error.reason) == (
        "order.unit",
        "CD-1 is ordered in KGM and kept in EA, of which this is 7.5",
    )


def test_a_bundle_takes_its_components_at_one_location() -> None:
    there = levels(("CD-1", "EAST", 3), ("CD-2", "EAST", 9), ("CD-1", "WEST", 4), ("CD-2", "WEST", 2))
    got = granted(wish(order("1", line(1, "KIT", "2"))), there)
    assert got.splits == (split("WEST", "3pl", (0, 2)),)
    assert got.taken == (Taken("1", "CD-1", "WEST", Decimal(4)), Taken("1", "CD-2", "WEST", Decimal(2)))


def test_charges_take_nothing() -> None:
    got = granted(wish(order("1", line(1, "FEE", "1"))), levels())
    assert (got.splits, got.taken) == ((), ())


def test_a_line_bound_to_a_location_without_a_system_takes_nothing() -> None:
    there = levels(("CD-1", "EAST", 9), ("CD-2", "EAST", 9))
    bound = order("1", line(1, location="PARTNER"), line(2, "CD-2", "3"))
    got = granted(wish(bound, system_of={"EAST": "warehouse", "PARTNER": ""}), there)
    assert got.splits == (split("EAST", "warehouse", (1, 3)),)
    assert (there.at("CD-1", "EAST").free, there.at("CD-2", "EAST").free) == (9, 6)


def test_a_line_routed_to_a_location_without_a_system_takes_nothing() -> None:
    there = levels(("CD-1", "EAST", 9))
    wanted = wish(order("1", line(1)), system_of={"EAST": ""})
    got = granted(wanted, there)
    assert (got.splits, got.taken, there.at("CD-1", "EAST").free) == ((), (), 9)


def test_a_level_that_is_not_locked_is_a_bug() -> None:
    with pytest.raises(KeyError, match="not locked"):
        levels().at("CD-1", "NORTH")


def test_the_levels_an_order_may_touch() -> None:
    wanted = order("1", line(1, "KIT"), line(2, "FEE"), line(3, "CD-2"))
    assert pairs_wanted(wanted, PRODUCTS, PLACES) == {(sku, place) for sku in ("CD-1", "CD-2") for place in PLACES}


@given(
    st.lists(st.integers(0, 8), min_size=4, max_size=4),
    st.lists(st.tuples(st.sampled_from(["CD-1", "CD-2", "KIT"]), st.integers(1, 6)), min_size=1, max_size=8),
)
def test_whatever_is_asked_nothing_is_promised_twice(there: list[int], asked: list[tuple[str, int]]) -> None:
    pairs = [(sku, place) for sku in ("CD-1", "CD-2") for place in PLACES]
    held = levels(*[(sku, place, number) for (sku, place), number in zip(pairs, there, strict=True)])
    promised = dict.fromkeys(pairs, Decimal(0))
    for number, (sku, quantity) in enumerate(asked):
        result = allocate(wish(order(str(number), line(1, sku, str(quantity)))), PRODUCTS, held, 60.0)
        if isinstance(result, Granted):
            for one in result.taken:
                promised[one.sku, one.location] += one.quantity
    for pair, number in zip(pairs, there, strict=True):
        assert promised[pair] == held.at(*pair).allocated <= number
