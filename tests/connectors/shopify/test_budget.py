# SPDX-License-Identifier: Apache-2.0
"""Cost points are waited for before a call, not after a refusal."""

from __future__ import annotations

from crossdock.connectors.shopify.budget import CostBudget


class Clock:
    """Seconds that move when told to."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_waits_for_what_is_missing_at_the_rate_the_shop_restores() -> None:
    clock = Clock()
    budget = CostBudget(clock)
    budget.observe(available=20, capacity=1000, restore_rate=50)
    assert budget.wait_for(20) == 0
    assert budget.wait_for(120) == 2
    clock.at += 1.5
    assert budget.wait_for(120) == 0.5


def test_calls_under_way_are_held_to_have_taken_theirs() -> None:
    budget = CostBudget(Clock())
    budget.observe(available=100, capacity=1000, restore_rate=50)
    budget.reserve(80)
    assert budget.wait_for(50) == 0.6
    budget.settle(80, observed=True)
    assert budget.wait_for(100) == 0


def test_a_call_without_an_answer_has_spent_its_points() -> None:
    budget = CostBudget(Clock())
    budget.observe(available=100, capacity=1000, restore_rate=50)
    budget.reserve(80)
    budget.settle(80, observed=False)
    assert budget.wait_for(100) == 1.6


def test_what_the_bucket_never_holds_goes_when_it_is_full() -> None:
    clock = Clock()
    budget = CostBudget(clock)
    budget.observe(available=0, capacity=100, restore_rate=50)
    assert budget.wait_for(5000) == 2
    clock.at += 2
    assert budget.wait_for(5000) == 0
