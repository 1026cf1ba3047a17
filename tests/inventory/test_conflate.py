# SPDX-License-Identifier: Apache-2.0
"""A conflating queue: only the newest number of a SKU travels, stock-outs first, in full calls where it can be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crossdock.inventory.conflate import (
    GATHER_SECONDS,
    INFINITE,
    LONGEST_WAIT,
    QUIET_SECONDS,
    Conflation,
    Number,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SIZE = 4


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class Told:
    """A queue, and a clock that moves only when it is told to."""

    def __init__(self, size: int = SIZE, **told: int) -> None:
        self.queue = Conflation(size)
        self.clock = 1000.0
        for sku, number in told.items():
            self.queue.restore(sku, "EAST", Decimal(number))

    def offer(self, **numbers: int) -> None:
        for sku, number in numbers.items():
            self.queue.offer(sku, {"EAST": Decimal(number)}, later(self.clock - 1000), self.clock)

    def due(self) -> float:
        return round(self.queue.due(self.clock), 6)

    def take(self, most: int = SIZE) -> list[Number]:
        return self.queue.take(self.clock, most)

    def wait(self, seconds: float) -> None:
        self.clock += seconds


def shown(numbers: list[Number]) -> list[tuple[str, int]]:
    return [(one.sku, int(one.quantity)) for one in numbers]


def test_a_number_waits_until_it_is_at_rest() -> None:
    told = Told()
    assert told.due() == INFINITE
    told.offer(A=10)
    assert told.due() == QUIET_SECONDS
    told.wait(0.4)
    told.offer(A=11)
    told.wait(0.1)
    assert told.due() == 0.4
    told.wait(0.4)
    assert told.due() == 0
    assert shown(told.take()) == [("A", 11)]
    assert told.due() == INFINITE


def test_a_number_that_never_rests_travels_after_the_longest_wait() -> None:
    told = Told()
    for number in range(30):
        told.offer(A=number + 1)
        told.wait(0.1)
    assert told.due() == 0
    assert LONGEST_WAIT == 3.0
    (number,) = told.take()
    assert (number.quantity, number.changed_at) == (30, NOON)


def test_what_the_channel_knows_already_does_not_travel() -> None:
    told = Told(A=10)
    told.offer(A=10)
    assert told.queue.waiting == 0
    told.offer(A=9)
    told.offer(A=10)
    assert (told.queue.waiting, told.due(), told.take()) == (0, INFINITE, [])


def test_a_stock_out_goes_at_once_and_takes_what_waits_along() -> None:
    told = Told(A=10, B=10)
    told.offer(A=8, B=0)
    assert told.due() == 0
    assert shown(told.take()) == [("B", 0), ("A", 8)]


def test_a_number_that_was_never_above_zero_is_no_stock_out() -> None:
    told = Told(A=0)
    told.offer(B=0)
    assert told.due() == QUIET_SECONDS
    told.queue.restore("C", "EAST", None)
    told.offer(C=0)
    assert told.due() == 0


def test_a_stock_out_that_is_none_any_more_does_not_hurry() -> None:
    told = Told(A=10)
    told.offer(A=0)
    told.offer(A=7)
    assert told.due() == QUIET_SECONDS


def test_a_full_batch_at_rest_goes_and_fewer_wait_for_company() -> None:
    told = Told()
    told.offer(A=1, B=1, C=1, D=1, E=1)
    told.wait(QUIET_SECONDS)
    assert told.due() == 0
    assert shown(told.take()) == [("A", 1), ("B", 1), ("C", 1), ("D", 1)]
    assert told.due() == GATHER_SECONDS
    told.offer(F=1)
    told.wait(GATHER_SECONDS)
    assert told.due() == 0
    assert shown(told.take()) == [("E", 1), ("F", 1)]


def test_order_is_stock_outs_then_a_quarter_near_zero_then_the_oldest() -> None:
    told = Told(size=8, OLD1=90, OLD2=90, OLD3=90, OLD4=90, OLD5=90, HOT1=90, HOT2=90, FAST=90, OUT=90, UP=1)
    told.offer(OLD1=80, OLD2=81, OLD3=82, OLD4=83, OLD5=84)
    told.wait(0.1)
    told.offer(HOT1=3, FAST=45, HOT2=2, UP=2, OUT=0)
    told.wait(QUIET_SECONDS)
    assert [one.sku for one in told.take(8)] == ["OUT", "HOT1", "OLD1", "OLD2", "OLD3", "OLD4", "OLD5", "FAST"]
    assert [one.sku for one in told.take(8)] == ["HOT2", "UP"]


def test_those_at_rest_go_before_those_that_still_move() -> None:
    told = Told(size=2)
    told.offer(A=1)
    told.wait(0.1)
    told.offer(B=1, C=1)
    told.wait(0.45)
    told.offer(A=2)
    told.wait(0.1)
    assert shown(told.take(2)) == [("B", 1), ("C", 1)]
    assert shown(told.take(2)) == [("A", 2)]


def test_what_moves_while_it_is_told_is_told_again_and_its_lag_begins_there() -> None:
    told = Told(A=10)
    told.offer(A=9)
    told.wait(1)
    taken = told.take()
    told.wait(2)
    told.offer(A=8)
    told.offer(A=7)
    told.queue.delivered(taken)
    assert told.queue.told("A") == {"EAST": 9}
    told.wait(1)
    (number,) = told.take()
    assert (number.quantity, number.changed_at) == (7, later(3))


def test_what_came_back_to_the_number_under_way_is_not_told_again() -> None:
    told = Told(A=10)
    told.offer(A=9)
    told.wait(1)
    taken = told.take()
    told.offer(A=8)
    told.offer(A=9)
    told.queue.delivered(taken)
    assert told.queue.waiting == 0


def test_what_failed_travels_with_the_newest_number_and_its_oldest_change() -> None:
    told = Told(A=10)
    told.offer(A=9)
    told.wait(1)
    taken = told.take()
    told.offer(A=8)
    told.queue.failed(taken, told.clock, unknown=False)
    told.wait(1)
    (number,) = told.take()
    assert (number.quantity, number.changed_at, number.failures) == (8, NOON, 1)


def test_what_surely_failed_and_is_back_at_what_the_channel_shows_is_not_told() -> None:
    told = Told(A=10)
    told.offer(A=9)
    taken = told.take()
    told.offer(A=10)
    told.queue.failed(taken, told.clock, unknown=False)
    assert told.queue.waiting == 0


def test_what_may_have_arrived_is_told_again_even_when_the_number_is_the_old_one() -> None:
    told = Told(A=10)
    told.offer(A=9)
    taken = told.take()
    told.offer(A=10)
    told.queue.failed(taken, told.clock, unknown=True)
    told.offer(A=10)
    told.wait(1)
    assert shown(told.take()) == [("A", 10)]


def test_a_refused_number_waits_alone_and_then_goes_with_what_is_true_then() -> None:
    told = Told(A=10, B=10)
    told.offer(A=9, B=9)
    first, second = told.take()
    told.queue.refused(first, told.clock, 60.0)
    told.queue.delivered([second])
    assert (told.queue.waiting, told.queue.problems, told.due()) == (1, 1, 60.0)
    told.offer(A=0)
    assert told.due() == 60.0
    told.offer(A=10)
    told.wait(60)
    assert told.due() == QUIET_SECONDS
    assert told.queue.problems == 0
    assert shown(told.take()) == [("A", 10)]


def test_what_an_earlier_worker_left_to_wait_still_waits() -> None:
    told = Told()
    told.queue.restore("A", "EAST", None, told.clock + 30, refused=True)
    told.queue.restore("B", "EAST", None, told.clock + 1)
    told.offer(A=5, B=0)
    assert (told.queue.waiting, told.queue.problems, told.due()) == (2, 1, 1.0)
    told.wait(1)
    assert told.due() == 0
    assert shown(told.take()) == [("B", 0)]


def test_the_oldest_change_is_known_wherever_it_waits() -> None:
    told = Told(A=10, B=10)
    told.offer(A=9)
    told.wait(5)
    told.offer(B=9)
    assert told.queue.oldest == NOON
    first, _ = told.take()
    assert told.queue.oldest == NOON
    told.queue.delivered([first])
    assert told.queue.oldest == later(5)


def test_what_was_refused_is_no_change_that_the_channel_is_late_with() -> None:
    told = Told(A=10, B=10)
    told.queue.restore("C", "EAST", None, told.clock + 30, refused=True)
    told.offer(A=9, C=9)
    (first,) = told.take()
    told.queue.refused(first, told.clock, 30.0)
    assert told.queue.oldest is None
    told.wait(5)
    told.offer(B=9)
    assert told.queue.oldest == later(5)
    told.queue.delivered(told.take())
    # Nor when its turn has come again, nor when that call is lost.
    told.wait(30)
    taken = told.take()
    assert [one.sku for one in taken] == ["A", "C"]
    assert (told.queue.oldest, told.queue.waiting) == (None, 2)
    told.queue.failed(taken, told.clock, unknown=True)
    assert (told.queue.oldest, told.queue.waiting) == (None, 2)
    told.wait(1)
    told.queue.delivered(told.take())
    told.offer(A=8)
    assert told.queue.oldest == later(36)


def test_doubt_lifts_the_wait_of_what_was_refused_not_of_a_call_that_was_cut_off() -> None:
    told = Told()
    told.queue.restore("A", "EAST", None, told.clock + 30, refused=True)
    told.queue.restore("B", "EAST", None, told.clock + 1)
    told.offer(A=5, B=0)
    assert [told.queue.doubt(sku, "EAST") for sku in "AB"] == [False, False]
    assert told.queue.problems == 0
    assert told.due() == QUIET_SECONDS
    assert shown(told.take()) == [("A", 5)]
    told.wait(1)
    assert shown(told.take()) == [("B", 0)]


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.sampled_from("ABCDE"), st.integers(0, 4)),
        st.tuples(st.just("take"), st.integers(1, SIZE), st.just(0)),
        st.tuples(st.just("land"), st.sampled_from(["delivered", "lost", "arrived", "kept", "refused"]), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 0.6, 4.0]), st.just(0)),
    ),
    max_size=60,
)


@given(_STEPS)
def test_at_rest_the_channel_shows_the_newest_numbers_whatever_failed(steps: list[tuple[str, Any, int]]) -> None:
    told = Told()
    newest: dict[str, int] = {}
    shows: dict[str, int] = {}
    flying: list[list[Number]] = []

    def land(how: str) -> None:
        numbers = flying.pop(0)
        if how in ("delivered", "arrived"):
            shows.update({one.sku: int(one.quantity) for one in numbers})
        if how == "delivered":
            told.queue.delivered(numbers)
        elif how == "refused":
            for one in numbers:
                told.queue.refused(one, told.clock, 5.0)
        else:
            told.queue.failed(numbers, told.clock, unknown=how != "kept")

    for what, value, number in steps:
        if what == "offer":
            newest[value] = number
            told.offer(**{value: number})
        elif what == "take":
            taken = told.take(value)
            assert len(taken) <= value
            under_way = [one.sku for group in flying for one in group]
            assert not set(under_way) & {one.sku for one in taken}
            flying.append(taken)
        elif what == "land" and flying:
            land(value)
        elif what == "wait":
            told.wait(value)
    while flying:
        land("delivered")
    for _ in range(50):
        due = told.due()
        if due == INFINITE:
            break
        told.wait(due)
        flying.append(told.take())
        assert due > 0 or flying[-1]
        land("delivered")
    assert told.queue.waiting == 0
    assert shows == newest
