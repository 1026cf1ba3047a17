# SPDX-License-Identifier: Apache-2.0
"""Check what an estate says of the life of orders: times are times."""

from __future__ import annotations

from collections.abc import Iterator

from crossdock.estate.durations import duration
from crossdock.estate.findings import Finding
from crossdock.estate.load import Estate
from crossdock.estate.places import at_place


def check_orders(estate: Estate) -> Iterator[Finding]:
    """Findings about `orders`."""
    for state, text in estate.orders.within.items():
        try:
            duration(text)
        except ValueError as error:
            yield at_place(estate, ("orders", "within", state), str(error), "write 30m")
