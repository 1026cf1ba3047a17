# SPDX-License-Identifier: Apache-2.0
"""Goods that are still to come of some SKUs, and how many of them a channel's horizon lets it promise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.inventory.level import ZERO, Pair
from crossdock.inventory.reservation import SQL
from crossdock.inventory.rules import ChannelRule


class Due(Struct, frozen=True):
    """What is to come, by SKU and location: (when, how many) each."""

    coming: Mapping[Pair, Sequence[tuple[datetime, Decimal]]]

    def within(self, at: datetime) -> Callable[[str, str, ChannelRule], Decimal]:
        """How many come of a SKU to a location within the horizon of a channel, counted from `at`."""

        def expected(sku: str, location: str, channel: ChannelRule) -> Decimal:
            until = at + (channel.horizon or timedelta(0))
            due = self.coming.get((sku, location), ())
            return sum((quantity for moment, quantity in due if moment <= until), ZERO)

        return expected


async def read_expected(conn: asyncpg.Connection, skus: Collection[str]) -> Due:
    """What is still to come of `skus`."""
    coming: dict[Pair, list[tuple[datetime, Decimal]]] = {}
    for row in await conn.fetch(SQL.expected_of, sorted(skus)):
        coming.setdefault((row["sku"], row["location"]), []).append((row["due_at"], row["open"]))
    return Due(coming)
