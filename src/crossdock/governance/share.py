# SPDX-License-Identifier: Apache-2.0
"""Fair sharing of few places between plans: who waits is let in by weight, whatever the others pile up.

Start-time fair queueing: each plan has a clock of its own that runs by 1/weight for every place it gets, and of those
who wait the one with the earliest clock is next. A plan that was idle starts at the clock of the last one served: what
it did not use is not saved up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fractions import Fraction

from crossdock.errors import Busy

MOST_WAITING = 200
PATIENCE = 5.0


class FairShare:
    """`places` to be used at once. At most `most` of each plan wait, none longer than `patience` seconds."""

    def __init__(self, places: int, most: int = MOST_WAITING, patience: float = PATIENCE) -> None:
        self._free = places
        self._most = most
        self._patience = patience
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._weights: dict[str, int] = {}
        self._clocks: dict[str, Fraction] = {}
        self._clock = Fraction(0)

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return sum(len(queue) for queue in self._waiting.values())

    @asynccontextmanager
    async def place(self, plan: str, weight: int) -> AsyncIterator[None]:
        """Hold a place for the block. Busy when too many of the plan wait already, or none came free in time."""
        await self._enter(plan, weight)
        try:
            yield
        finally:
            self._free += 1
            self._serve()

    async def _enter(self, plan: str, weight: int) -> None:
        queue = self._waiting.setdefault(plan, deque())
        if len(queue) >= self._most:
            raise Busy(f"{len(queue)} requests of plan {plan} wait for this kind of work already", rule="access.share")
        self._weights[plan] = weight
        if not queue:
            self._clocks[plan] = max(self._clocks.get(plan, Fraction(0)), self._clock)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._serve()
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except (TimeoutError, asyncio.CancelledError) as error:
            self._leave(queue, turn)
            if isinstance(error, TimeoutError):
                said = f"no place for this kind of work came free within {self._patience:g} seconds"
                raise Busy(said, rule="access.share") from error
            raise

    def _leave(self, queue: deque[asyncio.Future[None]], turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            # The place came in the same moment; somebody else has it.
            self._free += 1
        elif turn in queue:
            queue.remove(turn)
        self._serve()

    def _serve(self) -> None:
        while self._free > 0:
            due = [plan for plan, queue in self._waiting.items() if queue]
            if not due:
                return
            plan = min(due, key=lambda name: (self._clocks[name], name))
            turn = self._waiting[plan].popleft()
            if turn.done():
                continue
            self._clock = self._clocks[plan]
            self._clocks[plan] += Fraction(1, self._weights[plan])
            self._free -= 1
            turn.set_result(None)
