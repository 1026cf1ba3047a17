# SPDX-License-Identifier: Apache-2.0
"""Few places among plans: by weight, whatever anybody piles up."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import Busy
from crossdock.governance.share import FairShare


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def served(share: FairShare, wishes: list[tuple[str, int]]) -> list[str]:
    """In which order wishes (plan, weight) that all wait for the only place get it."""
    order: list[str] = []

    async def one(plan: str, weight: int) -> None:
        async with share.place(plan, weight):
            order.append(plan)
            await asyncio.sleep(0)

    async with share.place("holder", 1):
        tasks = [asyncio.create_task(one(plan, weight)) for plan, weight in wishes]
        await settle()
        assert share.waiting == len(wishes)
    await asyncio.gather(*tasks)
    return order


async def test_who_came_first_with_more_does_not_hold_up_the_others() -> None:
    order = await served(FairShare(1), [("bronze", 1)] * 90 + [("gold", 3)] * 30)
    # As long as both wait, gold has three places for each of bronze.
    assert Counter(order[:40]) == {"gold": 30, "bronze": 10}
    assert Counter(order[:8]) == {"gold": 6, "bronze": 2}


@given(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5), min_size=2), st.integers(2, 12))
def test_while_all_wait_each_has_its_share(weights: dict[str, int], turns: int) -> None:
    wishes = [(plan, weight) for plan, weight in weights.items() for _ in range(weight * turns)]
    order = asyncio.run(served(FairShare(1), wishes))
    assert len(order) == len(wishes)
    total = sum(weights.values())
    for number in range(1, len(order) + 1):
        seen = Counter(order[:number])
        for plan, weight in weights.items():
            # Never more than a whole place per plan away from what is due.
            assert abs(seen[plan] - number * weight / total) < len(weights)


async def test_what_a_plan_did_not_use_is_not_saved_up() -> None:
    share = FairShare(1)
    await served(share, [("busy", 1)] * 50)
    order = await served(share, [("busy", 1)] * 10 + [("idle", 1)] * 10)
    assert Counter(order[:10]) == {"busy": 5, "idle": 5}


async def test_too_many_of_one_plan_are_refused_and_others_are_not() -> None:
    share = FairShare(1, most=2)
    async with share.place("a", 1):
        waiting = [asyncio.create_task(_hold(share, "a")) for _ in range(2)]
        await settle()
        with pytest.raises(Busy, match="2 requests of plan a wait"):
            await _hold(share, "a")
        waiting.append(asyncio.create_task(_hold(share, "b")))
        await settle()
        assert share.waiting == 3
    await asyncio.gather(*waiting)


async def test_who_waits_too_long_is_told_and_takes_no_place_away() -> None:
    share = FairShare(1, patience=0.01)
    async with share.place("a", 1):
        with pytest.raises(Busy, match=r"within 0\.01 seconds"):
            await _hold(share, "b")
        assert share.waiting == 0
    await _hold(share, "b")


async def test_who_hangs_up_while_waiting_or_working_gives_the_place_back() -> None:
    share = FairShare(1)
    async with share.place("a", 1):
        gone = asyncio.create_task(_hold(share, "b"))
        await settle()
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    working = asyncio.create_task(_work(share))
    await settle()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await asyncio.wait_for(_hold(share, "c"), 5)


async def test_who_hangs_up_in_the_moment_its_turn_comes_passes_it_on() -> None:
    share = FairShare(1)
    async with share.place("a", 1):
        gone = asyncio.create_task(_hold(share, "b"))
        await settle()
    # The place is b's now, but b's task has not run since.
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    await asyncio.wait_for(_hold(share, "c"), 5)


async def _hold(share: FairShare, plan: str) -> None:
    async with share.place(plan, 1):
        pass


async def _work(share: FairShare) -> None:
    async with share.place("a", 1):
        await asyncio.sleep(3600)
