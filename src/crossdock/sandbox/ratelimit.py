# SPDX-License-Identifier: Apache-2.0
"""The token bucket that bounds the calls a simulator takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class TokenBucket:
    """`rate` tokens come back a second, `burst` are kept; every call takes one."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled = clock()

    def take(self) -> bool:
        """Whether a call may be made now."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def wait(self) -> int:
        """Whole seconds until a token is there, 1 to 3,600."""
        lacking = max(0.0, 1 - self._tokens)
        return min(3600, max(1, math.ceil(lacking / self._rate))) if self._rate else 3600
