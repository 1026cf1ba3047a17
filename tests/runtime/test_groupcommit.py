# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.errors import Busy, EngineAway
from crossdock.runtime.groupcommit import GroupCommit


@settings(deadline=None, max_examples=150)
@given(
    items=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 3)), max_size=60),
    max_batch=st.integers(1, 9),
    parallel=st.integers(1, 4),
    pauses=st.lists(st.integers(0, 3), min_size=1, max_size=5),
)
def test_every_item_is_flushed_once_and_answered_with_its_own_result(
    items: list[tuple[int, int]], max_batch: int, parallel: int, pauses: list[int]
) -> None:
    async def scenario() -> None:
        batches: list[list[tuple[int, int]]] = []
        running = most = 0

        async def flush(batch: list[tuple[int, int]]) -> list[int]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            batches.append(batch)
            for _ in range(pauses[len(batches) % len(pauses)]):
                await asyncio.sleep(0)
            running -= 1
            if any(value == 13 for _, value in batch):
                raise EngineAway("bad luck")
            return [value * 2 for _, value in batch]

        commit: GroupCommit[tuple[int, int], int] = GroupCommit(flush, max_batch=max_batch, parallel=parallel)

        async def submit(number: int, value: int, steps: int) -> None:
            for _ in range(steps):
                await asyncio.sleep(0)
            try:
                assert await commit.submit((number, value)) == value * 2
            except EngineAway:
                assert any((number, value) in batch and any(v == 13 for _, v in batch) for batch in batches)

        numbered = [(number, value, steps) for number, (value, steps) in enumerate(items)]
        await asyncio.gather(*(submit(*one) for one in numbered))
        flushed = [item for batch in batches for item in batch]
        assert sorted(flushed) == [(number, value) for number, value, _ in numbered]
        assert all(1 <= len(batch) <= max_batch for batch in batches)
        assert most <= parallel
        assert commit.waiting == 0

    asyncio.run(scenario())


async def test_items_that_arrive_during_a_flush_share_the_next_in_order() -> None:
    gate, batches = asyncio.Event(), list[list[int]]()

    async def flush(batch: list[int]) -> list[int]:
        batches.append(batch)
        await gate.wait()
        return batch

    commit: GroupCommit[int, int] = GroupCommit(flush, parallel=1)
    first = asyncio.create_task(commit.submit(0))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(commit.submit(number)) for number in range(1, 6)]
    await asyncio.sleep(0.01)
    gate.set()
    assert await asyncio.gather(first, *others) == [0, 1, 2, 3, 4, 5]
    assert batches == [[0], [1, 2, 3, 4, 5]]


async def test_too_much_waiting_is_refused_and_taken_again_later() -> None:
    gate = asyncio.Event()

    async def flush(batch: list[bytes]) -> list[int]:
        await gate.wait()
        return [len(item) for item in batch]

    commit: GroupCommit[bytes, int] = GroupCommit(flush, parallel=1, max_waiting=10, weigh=len)
    waiting = [asyncio.create_task(commit.submit(b"12345")), asyncio.create_task(commit.submit(b"12345"))]
    await asyncio.sleep(0.01)
    with pytest.raises(Busy):
        await commit.submit(b"1")
    gate.set()
    assert await asyncio.gather(*waiting) == [5, 5]
    assert await commit.submit(b"x" * 50) == 50


async def test_a_caller_that_left_takes_its_item_back_unless_taken() -> None:
    gate, flushed = asyncio.Event(), list[int]()

    async def flush(batch: list[int]) -> list[int]:
        flushed.extend(batch)
        await gate.wait()
        return batch

    commit: GroupCommit[int, int] = GroupCommit(flush, parallel=1, max_waiting=3)
    tasks = [asyncio.create_task(commit.submit(1))]
    await asyncio.sleep(0.01)
    tasks += [asyncio.create_task(commit.submit(number)) for number in (2, 3)]
    await asyncio.sleep(0.01)
    tasks[0].cancel()
    tasks[1].cancel()
    await asyncio.sleep(0.01)
    gate.set()
    assert await tasks[2] == 3
    assert flushed == [1, 3]
    assert await asyncio.gather(*(commit.submit(number) for number in (4, 5, 6))) == [4, 5, 6]


async def test_a_wrong_number_of_results_reaches_the_callers() -> None:
    async def flush(batch: list[int]) -> list[int]:
        return batch[1:]

    commit: GroupCommit[int, int] = GroupCommit(flush)
    with pytest.raises(RuntimeError, match="0 results for 1 items"):
        await commit.submit(1)


async def test_close_flushes_what_is_there_and_takes_nothing_more() -> None:
    async def flush(batch: list[int]) -> list[int]:
        await asyncio.sleep(0.01)
        return batch

    commit: GroupCommit[int, int] = GroupCommit(flush, max_batch=1, parallel=1)
    tasks = [asyncio.create_task(commit.submit(number)) for number in range(3)]
    await asyncio.sleep(0)
    await commit.close()
    assert [task.result() for task in tasks if task.done()] == [0, 1, 2]
    with pytest.raises(EngineAway):
        await commit.submit(9)


def test_bounds_are_positive() -> None:
    async def flush(batch: list[int]) -> list[int]:
        return batch

    with pytest.raises(ValueError, match="at least 1"):
        GroupCommit(flush, max_batch=0)
