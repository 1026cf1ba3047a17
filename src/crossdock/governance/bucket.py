# SPDX-License-Identifier: Apache-2.0
"""A token bucket, kept as one moment in whole nanoseconds (GCRA), so that it neither drifts nor rounds."""

from __future__ import annotations

SECOND = 1_000_000_000


class Bucket:
    """Lets `burst` requests through at once and `rate` a second in the long run. Times: nanoseconds of one clock.

    Whatever comes when: in any span of t seconds at most burst + rate × t are let through; and whoever keeps 1/rate
    seconds between requests is never refused.
    """

    __slots__ = ("_each", "_empty_at", "burst", "rate")

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._each = max(1, round(SECOND / rate))
        # When everything taken so far will have come back.
        self._empty_at = 0

    def wait(self, now: int) -> int:
        """Nanoseconds until one may be taken; 0: now."""
        return max(0, self._empty_at + self._each - self.burst * self._each - now) if self._empty_at > now else 0

    def take(self, now: int) -> None:
        """Take one; ask `wait` before."""
        self._empty_at = max(self._empty_at, now) + self._each

    def left(self, now: int) -> int:
        """How many may be taken at once now."""
        taken = max(0, self._empty_at - now)
        return max(0, (self.burst * self._each - taken) // self._each)

    def full_in(self, now: int) -> int:
        """Whole seconds, rounded up, until it is full again."""
        return -(-max(0, self._empty_at - now) // SECOND)
