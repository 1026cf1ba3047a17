# SPDX-License-Identifier: Apache-2.0
"""Operational limits of one service principal: requests in a sliding window, and places with a queue before them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from crossdock.sandbox.business_central.problems import UNAVAILABLE, UNKNOWN, BusinessCentralError

TOO_MANY = "Too many requests reached. Actual ({actual}). Maximum ({most})."


class Window:
    """At most `most` requests within the last `seconds`, counted one by one (published: 6,000 in 5 minutes)."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> None:
        """Count a request. Raises BusinessCentralError 429 when the window is full; a refused one is not counted."""
        now = self._clock()
        while self._taken and self._taken[0] <= now - self._seconds:
            self._taken.popleft()
        if len(self._taken) >= self._most:
            text = TOO_MANY.format(actual=len(self._taken) + 1, most=self._most)
            raise BusinessCentralError(429, UNKNOWN, text)
        self._taken.append(now)


class Places:
    """So many requests are worked on at once (published: 5); others wait in a queue (95), at most `seconds` (480)."""

    def __init__(self, places: int, queue: int, seconds: float) -> None:
        self._free = asyncio.Semaphore(places)
        self._places = places
        self._queue = queue
        self._seconds = seconds
        self.waiting = 0
        self.most_waiting = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Hold a place. Raises BusinessCentralError: 429 when the queue is full, 503 when the wait was too long."""
        await self._enter()
        try:
            yield
        finally:
            self._free.release()

    async def _enter(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        if self.waiting >= self._queue:
            text = TOO_MANY.format(actual=self._places + self.waiting + 1, most=self._places + self._queue)
            raise BusinessCentralError(429, UNKNOWN, text)
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        try:
            async with asyncio.timeout(self._seconds):
                await self._free.acquire()
        except TimeoutError as error:
            text = "The service is temporarily unavailable: the request waited too long in the queue."
            raise BusinessCentralError(503, UNAVAILABLE, text) from error
        finally:
            self.waiting -= 1
