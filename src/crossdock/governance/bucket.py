# SPDX-License-Identifier: Apache-2.0
"""A token bucket, kept as one moment in whole nanoseconds (GCRA), so that it neither drifts nor rounds."""

from __future__ import annotations

SECOND = 1_000_000_000


class Bucket:
    """Lets `burst` requests through at once and `rate` a second in the long run. Times: nanoseconds of one clock.

    Whatever comes when: in any span of t seconds at most burst + rate × t are let through; and whoever keeps 1/rate
    seconds between requests is never refused.
    """

    __slots__ = ("_ahead", "_each", "_empty_at", "burst", "rate")

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self._each = max(1, round(SECOND / rate))
        self._ahead = (burst - 1) * self._each
        # When everything taken so far will have come back.
        self._empty_at = 0

    def wait(self, now: int) -> int:
        """Nanoseconds until one may be taken; 0: now."""
        wait = self._empty_at - self._ahead - now
        return wait if wait > 0 else 0

    def take(self, now: int) -> None:
        """Take one; ask `wait` before."""
        empty_at = self._empty_at
        self._empty_at = (empty_at if empty_at > now else now) + self._each

    def left(self, now: int) -> int:
        """How many may be taken at once now."""
        taken = self._empty_at - now
        return self.burst - -(-taken // self._each) if taken > 0 else self.burst

    def full_in(self, now: int) -> int:
        """Whole seconds, rounded up, until it is full again."""
        taken = self._empty_at - now
        return -(-taken // SECOND) if taken > 0 else 0
