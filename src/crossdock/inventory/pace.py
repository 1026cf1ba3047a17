# SPDX-License-Identifier: Apache-2.0
"""How fast SKUs sell and how far channels lag, read from time to time: what derived buffers are made of."""

from __future__ import annotations

import time
from collections.abc import Mapping

import asyncpg

from crossdock.inventory.buffer import Pace, buffer_of
from crossdock.inventory.lock import SQL
from crossdock.inventory.rules import ChannelRule, StockRules

SECONDS = 5.0


async def read_paces(conn: asyncpg.Connection) -> tuple[dict[str, Pace], dict[str, float]]:
    """How fast each SKU sells, and how many seconds each channel system lags."""
    paces: dict[str, Pace] = {}
    for row in await conn.fetch(SQL.paces):
        sold = dict(zip(row["channels"], row["rates"], strict=True))
        paces[row["sku"]] = Pace({name: rate for name, rate in sold.items() if name}, row["forecast"])
    return paces, {row["system"]: row["lag_p95"] for row in await conn.fetch(SQL.lags)}


class Paces:
    """The same for reservations, which are taken before all levels are in memory; at most five seconds old."""

    def __init__(self, rules: StockRules) -> None:
        self._wanted = any(channel.derived_buffer for channel in rules.channels.values())
        self._paces: Mapping[str, Pace] = {}
        self._lags: Mapping[str, float] = {}
        self._read_at = float("-inf")

    async def refresh(self, conn: asyncpg.Connection) -> None:
        """Read again when it is time, and only where a channel has a derived buffer."""
        if self._wanted and time.monotonic() - self._read_at >= SECONDS:
            self._paces, self._lags = await read_paces(conn)
            self._read_at = time.monotonic()

    def buffer(self, channel: ChannelRule, sku: str) -> tuple[int, str]:
        """Units to hold back from `channel`, and why."""
        return buffer_of(channel, self._paces.get(sku), self._lags.get(channel.system, 0.0))
