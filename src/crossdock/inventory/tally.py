# SPDX-License-Identifier: Apache-2.0
"""How publishing to a channel goes: how far behind it is, and how many calls it took."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable

SLICE_SECONDS = 15.0
SLICES = 12
_STEP = math.log(1.05)
_SHORTEST = 0.001


class LagWindow:
    """Lags in seconds over three minutes, counted in classes a twentieth apart.

    Times are seconds of a monotonic clock passed in.
    """

    def __init__(self) -> None:
        self._slices: deque[tuple[float, Counter[int]]] = deque(maxlen=SLICES)

    def add(self, lags: Iterable[float], clock: float) -> None:
        """Count `lags`, acknowledged at `clock`."""
        if not self._slices or clock - self._slices[-1][0] >= SLICE_SECONDS:
            self._slices.append((clock, Counter()))
        self._slices[-1][1].update(int(math.log(max(lag, _SHORTEST) / _SHORTEST) / _STEP) for lag in lags)

    def quantiles(self, shares: Iterable[float], clock: float) -> list[float]:
        """The lag below which each share (0 to 1, rising) of them lies, up to 5 % too long; 0 where there are none."""
        counts: Counter[int] = Counter()
        for began, one in self._slices:
            if clock - began < SLICE_SECONDS * SLICES:
                counts.update(one)
        number = counts.total()
        found: list[float] = []
        classes = deque(sorted(counts))
        passed, longest = 0, 0
        for share in shares:
            while passed < share * number:
                longest = classes.popleft()
                passed += counts[longest]
            found.append(_SHORTEST * math.exp((longest + 1) * _STEP) if number else 0.0)
        return found


class Tally:
    """Calls made, and how few would have done: full batches of `size`, a number waiting `window` s for company."""

    def __init__(self, size: int, window: float, calls: int = 0, fewest: int = 0) -> None:
        self.calls = calls
        self._size = size
        self._window = window
        self._before = fewest
        self._since = 0.0
        self._numbers = 0

    @property
    def fewest(self) -> int:
        """Calls that full batches would have needed for what was told."""
        return self._before + math.ceil(self._numbers / self._size)

    def count(self, numbers: int, clock: float) -> None:
        """A call was made that told so many numbers; none when it failed."""
        self.calls += 1
        if clock - self._since >= self._window:
            self._before, self._numbers, self._since = self.fewest, 0, clock
        self._numbers += numbers
