# SPDX-License-Identifier: Apache-2.0
"""An order's states: every way through them, explored; what is known decides, not the way it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crossdock.orders.life import LINE_STATES, STATES, Facts, LineFacts, line_state_of, state_of

TWO = Decimal(2)
ONE = Decimal(1)


def changes(of: Facts) -> Iterator[Facts]:
    """Everything that can happen next to an order of two fulfillment orders and a total of 2, in small steps."""
    if of.begun == 0:
        # A change, a cancellation, a revival: refused once goods have left.
        for asked in (0, 1, 2):
            yield replace(of, open=True, told=False, asked=asked, taken=0, waiting=0)
            yield replace(of, open=True, told=False, asked=asked, taken=0, waiting=1)
        yield replace(of, open=False, asked=0, taken=0, waiting=0)
    if of.waiting:
        # Goods have come, all of them or some.
        yield replace(of, asked=of.asked + 1, waiting=0)
        if of.asked < 2:
            yield replace(of, asked=of.asked + 1)
    if of.open and not of.told:
        yield replace(of, told=True)
    if of.taken < of.asked:
        yield replace(of, taken=of.taken + 1)
    if of.begun < of.taken:
        yield replace(of, begun=of.begun + 1)
    if of.begun < of.asked:
        # A warehouse ships before its answer is read.
        yield replace(of, begun=of.begun + 1, taken=max(of.taken, of.begun + 1))
    if of.shipped < of.begun:
        yield replace(of, shipped=of.shipped + 1)
    for name, most in (("invoiced", of.total), ("credited", of.invoiced), ("paid", of.total), ("refunded", of.paid)):
        value = getattr(of, name)
        if value + ONE <= most:
            yield replace(of, **{name: value + ONE})
        if value:
            yield replace(of, **{name: value - ONE})


def explored() -> tuple[set[Facts], set[tuple[str, str]]]:
    first = Facts(total=TWO)
    seen, moves = {first}, set()
    ahead = deque([first])
    while ahead:
        here = ahead.popleft()
        for after in changes(here):
            if state_of(after) != state_of(here):
                moves.add((state_of(here), state_of(after)))
            if after not in seen:
                seen.add(after)
                ahead.append(after)
    return seen, moves


@pytest.fixture(scope="module")
def world() -> tuple[set[Facts], set[tuple[str, str]]]:
    return explored()


def test_every_way_is_in_the_table_and_every_arrow_of_the_table_is_a_way(
    world: tuple[set[Facts], set[tuple[str, str]]],
) -> None:
    _, moves = world
    assert moves == {(name, other) for name, state in STATES.items() for other in state.to}


def test_every_state_is_reached_and_from_every_state_an_order_can_end(
    world: tuple[set[Facts], set[tuple[str, str]]],
) -> None:
    seen, _ = world
    assert {state_of(facts) for facts in seen} == set(STATES)
    ends = {facts for facts in seen if state_of(facts) in ("closed", "cancelled")}
    reach = set(ends)
    while True:
        more = {facts for facts in seen - reach if any(after in reach for after in changes(facts))}
        if not more:
            break
        reach |= more
    assert reach == seen


def test_facts_in_any_order_end_in_one_state() -> None:
    steps = {
        "told": {"told": True},
        "taken": {"asked": 1, "taken": 1},
        "shipped": {"asked": 1, "begun": 1, "shipped": 1},
        "invoiced": {"invoiced": TWO},
        "paid": {"paid": TWO},
    }
    ends = set()
    for order in permutations(steps):
        facts = Facts(total=TWO, asked=1)
        for step in order:
            facts = replace(facts, **steps[step])
        ends.add(state_of(facts))
    assert ends == {"closed"}


QUANTITY = st.decimals(0, 5, places=1)


@given(QUANTITY, st.booleans(), QUANTITY, QUANTITY, QUANTITY, QUANTITY, st.booleans())
def test_a_line_is_in_one_state(
    ordered: Decimal, goods: bool, asked: Decimal, shipped: Decimal, invoiced: Decimal, returned: Decimal, open: bool
) -> None:
    facts = LineFacts(ordered=ordered, goods=goods, asked=asked, shipped=shipped, invoiced=invoiced, returned=returned)
    state = line_state_of(facts, open=open)
    assert state in {*LINE_STATES, "cancelled"}
    assert (state == "cancelled") == (not open and shipped == 0)
    if state == "shipped":
        assert shipped >= ordered
    if state in ("allocated", "open", "service"):
        assert shipped == 0


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"ordered": TWO}, "open"),
        ({"ordered": TWO, "goods": False}, "service"),
        ({"ordered": TWO, "asked": ONE}, "open"),
        ({"ordered": TWO, "asked": TWO}, "allocated"),
        ({"ordered": TWO, "asked": TWO, "shipped": ONE}, "partly_shipped"),
        ({"ordered": TWO, "asked": TWO, "shipped": TWO}, "shipped"),
        ({"ordered": TWO, "asked": TWO, "shipped": TWO, "returned": ONE}, "shipped"),
        ({"ordered": TWO, "asked": TWO, "shipped": ONE, "returned": ONE}, "returned"),
    ],
)
def test_line_states(facts: dict[str, Decimal], state: str) -> None:
    assert line_state_of(LineFacts(**facts)) == state  # type: ignore[arg-type]
