# SPDX-License-Identifier: Apache-2.0
"""A sliding window of calls: Business Central counts those of the last five minutes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class SlidingWindow:
    """At most `most` calls in any `seconds`. Times are seconds of the monotonic `clock`."""

    def __init__(self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._calls: deque[float] = deque()

    def take(self) -> float:
        """0.0 = a call may be made now, and is counted; else the seconds until one may."""
        at = self._clock()
        while self._calls and self._calls[0] <= at - self._seconds:
            self._calls.popleft()
        if len(self._calls) < self._most:
            self._calls.append(at)
            return 0.0
        return self._calls[0] + self._seconds - at
