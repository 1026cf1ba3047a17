# SPDX-License-Identifier: Apache-2.0
"""Cost points of a shop: a leaky bucket that Shopify keeps and we follow, so that a call waits before it is refused."""

from __future__ import annotations

from collections.abc import Callable

from crossdock.sdk.http_status import MAX_RETRY_AFTER

# Shopify, Standard plan: 100 points come back per second; a bucket holds twenty seconds' worth.
RESTORE_RATE = 100.0
CAPACITY = 2000.0


class CostBudget:
    """What is left in the bucket, as far as we know. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._capacity = CAPACITY
        self._rate = RESTORE_RATE
        self._available = CAPACITY
        self._under_way = 0.0
        self._at = clock()

    def wait_for(self, cost: float) -> float:
        """Seconds until the bucket holds `cost` points (or is full, when it never holds so many); 0 = now.

        Calls under way are held to have taken theirs: they may not have reached the shop yet.
        """
        missing = min(cost, self._capacity) - (self._now() - self._under_way)
        return min(max(0.0, missing / self._rate), MAX_RETRY_AFTER)

    def reserve(self, cost: float) -> None:
        """Set `cost` points aside for a call that is about to be made; `settle` it whatever becomes of it."""
        self._under_way += cost

    def settle(self, cost: float, *, observed: bool) -> None:
        """The call is over. `observed`: its answer said what is left; else its points are held to be spent."""
        self._under_way = max(0.0, self._under_way - cost)
        if not observed:
            self._available = self._now() - cost

    def observe(self, *, available: float, capacity: float, restore_rate: float) -> None:
        """Follow what the shop says is left."""
        self._capacity = max(capacity, 1.0)
        self._rate = max(restore_rate, 1.0)
        self._available = available
        self._at = self._clock()

    def _now(self) -> float:
        moment = self._clock()
        self._available = min(self._capacity, self._available + (moment - self._at) * self._rate)
        self._at = moment
        return self._available
