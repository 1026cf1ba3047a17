# SPDX-License-Identifier: Apache-2.0
"""Token bucket: at most `rate` calls a second on average, `burst` at once."""

from __future__ import annotations


class TokenBucket:
    """Times are seconds of a monotonic clock that the caller passes in."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._tokens = float(burst)
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Take one token; the seconds to wait before using it (0 when one was there)."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)
