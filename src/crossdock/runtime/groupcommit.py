# SPDX-License-Identifier: Apache-2.0
"""Group commit: callers that arrive together share one flush, so durability costs a batch and not a row."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from crossdock.errors import Busy, EngineAway

Item = TypeVar("Item")
Result = TypeVar("Result")


def _one(_: object) -> int:
    return 1


class GroupCommit(Generic[Item, Result]):
    """Batches concurrent `submit` calls into `flush(items)`, which returns one result per item in the same order.

    There is no artificial delay: a flush begins as soon as one of `parallel` flushers is free and takes up to
    `max_batch` items in order of arrival. `weigh` gives the weight of an item (bytes, say); at most `max_waiting` of
    weight is queued or being flushed, beyond that `submit` raises Busy. An exception in `flush` reaches every caller
    of that batch.
    """

    def __init__(
        self,
        flush: Callable[[list[Item]], Awaitable[list[Result]]],
        *,
        max_batch: int = 200,
        parallel: int = 2,
        max_waiting: int = 10_000,
        weigh: Callable[[Item], int] = _one,
    ) -> None:
        if min(max_batch, parallel, max_waiting) < 1:
            raise ValueError("max_batch, parallel and max_waiting are at least 1")
        self._flush = flush
        self._max_batch = max_batch
        self._parallel = parallel
        self._max_waiting = max_waiting
        self._weigh = weigh
        self._queue: deque[tuple[Item, int, asyncio.Future[Result]]] = deque()
        self._weight = 0
        self._flushers: set[asyncio.Task[None]] = set()
        self._active = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """Items queued, not counting those being flushed."""
        return len(self._queue)

    async def submit(self, item: Item) -> Result:
        """Wait until `item` has been flushed; its result. Raises Busy, EngineAway when closed, or flush's error.

        A caller that is cancelled before its item was taken takes it back; later the item is flushed and its result
        dropped.
        """
        if self._closed:
            raise EngineAway("this process is stopping and takes nothing more in")
        weight = self._weigh(item)
        # An item heavier than the whole allowance still passes alone: the bound is on the queue, not on an item.
        if self._weight and self._weight + weight > self._max_waiting:
            raise Busy("too much is waiting to be written", fix="send again after a moment, more slowly")
        waiter: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._queue.append((item, weight, waiter))
        self._weight += weight
        if self._active < self._parallel:
            self._active += 1
            flusher = asyncio.create_task(self._run())
            self._flushers.add(flusher)
            flusher.add_done_callback(self._flushers.discard)
        return await waiter

    async def close(self) -> None:
        """Take nothing more, and return when everything taken so far is flushed."""
        self._closed = True
        while self._flushers:
            await asyncio.wait(self._flushers)

    async def _run(self) -> None:
        # `_active` falls in the same step in which the queue was seen empty: an item that is queued right after finds
        # it low enough to start a new flusher. Counting tasks would not do, they end one step later.
        try:
            while batch := self._take():
                await self._flush_one(batch)
        finally:
            self._active -= 1

    def _take(self) -> list[tuple[Item, int, asyncio.Future[Result]]]:
        batch: list[tuple[Item, int, asyncio.Future[Result]]] = []
        while self._queue and len(batch) < self._max_batch:
            entry = self._queue.popleft()
            if entry[2].done():
                self._weight -= entry[1]
            else:
                batch.append(entry)
        return batch

    async def _flush_one(self, batch: list[tuple[Item, int, asyncio.Future[Result]]]) -> None:
        waiters = [waiter for _, _, waiter in batch]
        try:
            results = await self._flush([item for item, _, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"flush returned {len(results)} results for {len(batch)} items")
        except asyncio.CancelledError:
            _fail(waiters, EngineAway("the process stopped while this was being written; it may or may not be kept"))
            raise
        except Exception as error:  # step's edge: every caller gets it, the next batch goes on
            _fail(waiters, error)
        else:
            for waiter, result in zip(waiters, results, strict=True):
                if not waiter.done():
                    waiter.set_result(result)
        finally:
            self._weight -= sum(weight for _, weight, _ in batch)


def _fail(waiters: list[asyncio.Future[Result]], error: Exception) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_exception(error)
