# SPDX-License-Identifier: Apache-2.0
"""How telling channels their prices goes, and what the last comparison of prices came to."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
from msgspec import Struct

from crossdock.catalog.price_drift import ACCURACY, AT_RISK
from crossdock.inventory.reconciled import KpiPoint, newest
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


class PriceOverview(Struct, frozen=True, kw_only=True):
    """Every channel that is told prices; by system the share of compared prices that is equal, and by "system/currency"
    what wrong ones came to for what was sold."""

    channels: Sequence[PriceFigures] = ()
    accuracy: Sequence[KpiPoint] = ()
    at_risk: Sequence[KpiPoint] = ()


NO_PRICES = PriceOverview()


async def price_overview(conn: asyncpg.Connection) -> PriceOverview:
    """All of it, as it stands."""
    return PriceOverview(
        channels=await price_figures(conn), accuracy=await newest(conn, ACCURACY), at_risk=await newest(conn, AT_RISK)
    )


async def price_figures(conn: asyncpg.Connection) -> list[PriceFigures]:
    """Every channel that is told prices, by name."""
    return [PriceFigures(**row) for row in await conn.fetch(SQL.price_figures)]
