# SPDX-License-Identifier: Apache-2.0
"""Nodes are chosen by fewest shipments or lowest cost: held to brute force, and told with what was not chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.canonical.party import Address
from crossdock.inventory.needs import Need, Placing
from crossdock.routing import nodes
from crossdock.routing.costs import CutOff, Destination, NodePolicy, Prefer, Rate, destination_of
from crossdock.routing.nodes import chooser

MONDAY = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
HOME = Destination("US", "CA")
PLACES = ("EAST", "NORTH", "WEST")
Stock = Mapping[tuple[str, str], int]


def need(index: int, sku: str, quantity: int, **changes: Any) -> Need:
    return Need(
        **{
            "index": index,
            "line": str(index + 1),
            "sku": sku,
            "quantity": Decimal(quantity),
            "unit": "EA",
            "parts": {sku: Decimal(1)},
            "step": Decimal(1),
            **changes,
        }
    )


def rates(**of: tuple[str, str]) -> tuple[Rate, ...]:
    return tuple(
        Rate(location=name, shipment=Decimal(shipment), unit=Decimal(unit)) for name, (shipment, unit) in of.items()
    )


def choose(
    prefer: Prefer,
    needs: Sequence[Need],
    stock: Stock,
    places: Sequence[str] = PLACES,
    at: datetime = MONDAY,
    **policy: Any,
) -> Placing:
    chosen = chooser(NodePolicy(prefer=prefer, currency="USD", **policy), HOME, at)
    assert chosen is not None
    return chosen(needs, places, lambda sku, place: Decimal(stock.get((sku, place), 0)))


def units(placing: Placing) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for takes in placing.takes:
        for place, quantity in takes:
            found[place] += int(quantity)
    return dict(found)


def test_one_shipment_comes_before_two_cheaper_ones() -> None:
    stock = {("A", "EAST"): 1, ("A", "WEST"): 5, ("B", "EAST"): 1, ("B", "WEST"): 5}
    wanted = [need(0, "A", 1), need(1, "B", 1)]
    costs = rates(EAST=("1", "0"), WEST=("9", "0"))
    assert units(choose("fewest_shipments", wanted, {**stock, ("B", "EAST"): 0}, rates=costs)) == {"WEST": 2}
    assert units(choose("fewest_shipments", wanted, stock, rates=costs)) == {"EAST": 2}


def test_two_shipments_come_before_a_dearer_one() -> None:
    stock = {("A", "EAST"): 5, ("B", "NORTH"): 5, ("A", "WEST"): 5, ("B", "WEST"): 5}
    costs = rates(EAST=("2", "0"), NORTH=("3", "0"), WEST=("5.01", "0"))
    placing = choose("lowest_cost", [need(0, "A", 1), need(1, "B", 1)], stock, rates=costs)
    assert (units(placing), placing.cost, placing.currency) == ({"EAST": 1, "NORTH": 1}, Decimal(5), "USD")
    assert placing.why == "lowest cost of 4 ways: 2 shipments, 5 USD"
    assert placing.passed[0] == (
        "WEST",
        "it costs 5.01 USD instead of 5 USD",
        "cheaper by more than 0.01 USD",
    )
    assert ("EAST alone", "it lacks 1 EA of B", "1 EA of B more there") in placing.passed


def test_the_cheaper_unit_is_taken_where_both_ship_anyway_and_handling_counts() -> None:
    stock = {("A", "EAST"): 9, ("A", "WEST"): 9, ("B", "EAST"): 1, ("C", "WEST"): 1}
    wanted = [need(0, "A", 4), need(1, "B", 1), need(2, "C", 1)]
    costs = rates(EAST=("1", "0.10"), WEST=("1", "0.20"))
    assert units(choose("lowest_cost", wanted, stock, rates=costs)) == {"EAST": 5, "WEST": 1}
    handling = {"EAST": Decimal("0.50")}
    placing = choose("lowest_cost", wanted, stock, rates=costs, handling=handling)
    assert (units(placing), placing.cost) == ({"EAST": 1, "WEST": 5}, Decimal("3.60"))


def test_a_tie_goes_to_the_location_whose_cut_off_is_still_met_then_to_the_first_name() -> None:
    stock = {("A", "EAST"): 1, ("A", "WEST"): 1}
    ten = CutOff(at=time(10), time_zone="America/New_York", days=frozenset(range(5)))
    two = CutOff(at=time(14), time_zone="America/Los_Angeles", days=frozenset(range(5)))
    cut_offs = {"EAST": ten, "WEST": two}
    # 18:00 UTC is 13:00 in New York and 10:00 in Los Angeles.
    placing = choose("fewest_shipments", [need(0, "A", 1)], stock, cut_offs=cut_offs)
    assert units(placing) == {"WEST": 1}
    assert placing.passed == (
        ("EAST", "its cut-off is over for today", "a decision before the cut-off of EAST at 10:00 America/New_York"),
    )
    sunday = MONDAY.replace(day=22)
    assert units(choose("fewest_shipments", [need(0, "A", 1)], stock, at=sunday, cut_offs=cut_offs)) == {"EAST": 1}


def test_a_location_without_a_rate_comes_last() -> None:
    stock = {("A", "EAST"): 1, ("A", "WEST"): 1}
    placing = choose("lowest_cost", [need(0, "A", 1)], stock, rates=rates(WEST=("99", "0")))
    assert units(placing) == {"WEST": 1}
    assert placing.passed == (("EAST", "there is no rate for EAST", "a rate for EAST"),)


def test_the_first_rate_that_fits_the_destination_counts() -> None:
    policy = NodePolicy(
        rates=(
            Rate(location="EAST", to=frozenset({"US-CA"}), shipment=Decimal(7)),
            Rate(location="EAST", to=frozenset({"US", "CA"}), shipment=Decimal(5)),
            Rate(shipment=Decimal(30)),
        )
    )
    units_ = {"EAST": Decimal(1)}
    assert policy.cost(units_, destination_of(Address(country="US", region="ca"))) == 7
    assert policy.cost(units_, destination_of(Address(country="US"))) == 5
    assert policy.cost(units_, destination_of(Address(country="DE"))) == 30
    assert policy.cost({"EAST": Decimal(1), "WEST": Decimal(1)}, destination_of(None)) == 60


def test_what_a_rule_names_comes_from_there_while_it_has_all_of_it() -> None:
    stock = {("A", "EAST"): 5, ("A", "WEST"): 2}
    costs = rates(EAST=("1", "0"), WEST=("9", "0"))
    ruled = choose("lowest_cost", [need(0, "A", 2, ruled="WEST")], stock, rates=costs)
    assert units(ruled) == {"WEST": 2}
    assert ruled.passed == (("EAST alone", "line 1 goes from WEST", "without the rule or the order that names WEST"),)
    assert units(choose("lowest_cost", [need(0, "A", 3, ruled="WEST")], stock, rates=costs)) == {"EAST": 3}


def test_cases_are_not_broken_and_what_is_nowhere_is_left_out() -> None:
    stock = {("A", "EAST"): 20, ("A", "WEST"): 16}
    placing = choose("fewest_shipments", [need(0, "A", 36, step=Decimal(12))], stock)
    assert units(placing) == {"EAST": 12, "WEST": 12}
    assert choose("fewest_shipments", [need(0, "A", 3)], {}).takes == ((),)


def test_rules_choose_when_no_policy_is_named() -> None:
    assert chooser(NodePolicy(), HOME, MONDAY) is None


SKUS = ("A", "B", "C")


@st.composite
def worlds(draw: st.DrawFn, places: Sequence[str] = PLACES) -> tuple[list[Need], dict[tuple[str, str], int], Any]:
    """An order for different SKUs, stock that has all of it somewhere, and a rate for every location."""
    wanted = [need(index, sku, draw(st.integers(1, 4))) for index, sku in enumerate(SKUS[: draw(st.integers(1, 3))])]
    stock = {(one.sku, place): draw(st.integers(0, 5)) for one in wanted for place in places}
    for one in wanted:
        missing = int(one.quantity) - sum(stock[one.sku, place] for place in places)
        stock[one.sku, draw(st.sampled_from(list(places)))] += max(missing, 0)
    costs = rates(**{place: (str(draw(st.integers(0, 9))), str(draw(st.integers(0, 3)))) for place in places})
    return wanted, stock, costs


def cheapest(needs: Sequence[Need], stock: Stock, costs: Sequence[Rate]) -> Decimal:
    """The lowest cost of any way to ship, by trying every division of every line."""
    policy = NodePolicy(rates=tuple(costs))
    best: list[Decimal] = []

    def go(index: int, sent: dict[str, int]) -> None:
        if index == len(needs):
            cost = policy.cost({place: Decimal(number) for place, number in sent.items() if number}, HOME)
            assert cost is not None
            best.append(cost)
            return
        one = needs[index]
        east, north = stock[one.sku, "EAST"], stock[one.sku, "NORTH"]
        for first in range(min(east, int(one.quantity)) + 1):
            for second in range(min(north, int(one.quantity) - first) + 1):
                third = int(one.quantity) - first - second
                if third <= stock[one.sku, "WEST"]:
                    parts = dict(zip(PLACES, (first, second, third), strict=True))
                    go(index + 1, {place: sent.get(place, 0) + parts[place] for place in PLACES})

    go(0, {})
    return min(best)


@given(worlds())
def test_the_lowest_cost_is_the_lowest_there_is(world: tuple[list[Need], dict[tuple[str, str], int], Any]) -> None:
    wanted, stock, costs = world
    placing = choose("lowest_cost", wanted, stock, rates=costs)
    assert placing.cost == cheapest(wanted, stock, costs)


@given(worlds())
def test_there_are_no_fewer_shipments(world: tuple[list[Need], dict[tuple[str, str], int], Any]) -> None:
    wanted, stock, costs = world
    enough = [
        number
        for number in range(1, 4)
        for chosen in combinations(PLACES, number)
        if all(sum(stock[one.sku, place] for place in chosen) >= one.quantity for one in wanted)
    ]
    assert len(units(choose("fewest_shipments", wanted, stock, rates=costs))) == enough[0]


@given(worlds(), st.sampled_from(["fewest_shipments", "lowest_cost"]), st.booleans(), st.permutations(PLACES))
def test_all_is_shipped_from_what_is_there_never_worse_than_from_one_location_and_always_the_same(
    world: tuple[list[Need], dict[tuple[str, str], int], Any], prefer: Prefer, greedy: bool, order: list[str]
) -> None:
    wanted, stock, costs = world
    with pytest.MonkeyPatch.context() as patch:
        if greedy:
            patch.setattr(nodes, "EXHAUSTIVE", 1)
        placing = choose(prefer, wanted, stock, order, rates=costs)
        assert placing == choose(prefer, wanted, stock, sorted(order), rates=costs)
    for one, takes in zip(wanted, placing.takes, strict=True):
        assert sum(quantity for _, quantity in takes) == one.quantity
        assert all(0 < quantity <= stock[one.sku, place] for place, quantity in takes)
    policy = NodePolicy(rates=costs)
    total = sum((one.quantity for one in wanted), Decimal(0))
    for place in PLACES:
        if all(stock[one.sku, place] >= one.quantity for one in wanted):
            alone = policy.cost({place: total}, HOME)
            assert placing.cost is not None
            assert alone is not None
            assert placing.cost <= alone if prefer == "lowest_cost" else len(units(placing)) == 1


def test_among_hundreds_of_locations_the_search_is_bounded_and_finds_the_one_that_has_everything() -> None:
    places = [f"W{number:03}" for number in range(300)]
    wanted = [need(index, f"S{index}", 2) for index in range(50)]
    stock = {(one.sku, place): 1 for one in wanted for place in places}
    looked = 0

    def left(sku: str, place: str) -> Decimal:
        nonlocal looked
        looked += 1
        return Decimal(stock[sku, place])

    chosen = chooser(NodePolicy(prefer="fewest_shipments"), HOME, MONDAY)
    assert chosen is not None
    assert len(units(chosen(wanted, places, left))) == 2
    assert looked == 50 * 300
    stock.update({(one.sku, "W170"): 2 for one in wanted})
    assert units(choose("fewest_shipments", wanted, stock, places)) == {"W170": 100}
