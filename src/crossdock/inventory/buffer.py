# SPDX-License-Identifier: Apache-2.0
"""A buffer that follows from measurement: what other channels may sell while this one has not heard of it yet.

    buffer = ceil(rate × lag + 2 × sqrt(rate × lag))

`rate`: units a second that the SKU sells on all other channels, the larger of what was measured and what is forecast;
`lag`: seconds from a change to this channel's acknowledgement, the 95th percentile. Sales that come independently of
each other are Poisson distributed: two standard deviations above the mean cover 98 % of such moments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import Struct

from crossdock.inventory.rules import ChannelRule

DEVIATIONS = 2.0


class Pace(Struct, frozen=True):
    """How fast a SKU sells: units a second by channel as measured, and over all channels as forecast for today."""

    rates: Mapping[str, float]
    forecast: float = 0.0


def buffer_of(channel: ChannelRule, pace: Pace | None, lag: float) -> tuple[int, str]:
    """Units to hold back from `channel`, and the sentence that says why. `lag` in seconds."""
    if pace is None or lag <= 0:
        return 0, "nothing is known of its pace or of the channel's lag"
    measured = sum(rate for name, rate in pace.rates.items() if name != channel.name)
    rate = max(measured, pace.forecast)
    expected = rate * lag
    units = math.ceil(expected + DEVIATIONS * math.sqrt(expected)) if expected > 0 else 0
    origin = "measured" if measured >= pace.forecast else "forecast"
    return units, f"other channels sell {rate:.3g} a second ({origin}), the channel hears after {lag:.3g} s (p95)"
