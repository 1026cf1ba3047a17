# SPDX-License-Identifier: Apache-2.0
"""How telling channels their prices goes."""

from __future__ import annotations

import asyncpg
from msgspec import Struct

from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "prices.sql")


class PriceFigures(Struct, frozen=True, kw_only=True):
    """One channel. Times in seconds. `waiting`: prices it has not acknowledged, without those it `refused`;
    `staleness`: how long the oldest of them waits; `withdrawn`: it was told a price, and there is none any more."""

    channel: str
    system: str
    calls: int
    lag_p50: float
    lag_p95: float
    lag_p99: float
    waiting: int
    refused: int
    staleness: float
    withdrawn: int


async def price_figures(conn: asyncpg.Connection) -> list[PriceFigures]:
    """Every channel that is told prices, by name."""
    return [PriceFigures(**row) for row in await conn.fetch(SQL.price_figures)]
