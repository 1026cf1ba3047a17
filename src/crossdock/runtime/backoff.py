# SPDX-License-Identifier: Apache-2.0
"""When to try again: exponential with full jitter on its upper half, bounded."""

from __future__ import annotations

import random


def backoff(attempt: int, *, first: float, most: float, rng: random.Random | None = None) -> float:
    """Seconds until try number `attempt` + 1: doubles from `first` up to `most`, then spread over its upper half.

    The spread keeps documents that failed together from coming back together.
    """
    ceiling = min(most, first * 2.0 ** min(attempt - 1, 60))
    spread = rng.random() if rng is not None else random.random()  # noqa: S311 - jitter, no secret
    return float(ceiling * (0.5 + spread / 2))
