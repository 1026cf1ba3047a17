# SPDX-License-Identifier: Apache-2.0
"""Figures of the demo while it plays, and whether everything it set in motion has come to rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import asyncpg
from msgspec import Struct

from crossdock.app.wiring import stock_rules_of, wire
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__)


class Figures(Struct, frozen=True, kw_only=True):
    """Where everything stands. `to_decide` and `deliveries_open` leave out what waits behind a case.

    `lag_p50`, `lag_p99`: seconds from receipt to settlement of the last minute's orders.
    """

    orders: int
    settled: int
    open: int
    cases: int
    to_decide: int
    deliveries_open: int
    stock_told: int
    stock_waiting: int
    lag_p50: float
    lag_p99: float

    @property
    def at_rest(self) -> bool:
        """Nothing moves any more: what is open waits for a person, or behind something that does."""
        return self.to_decide == 0 and self.deliveries_open == 0 and self.stock_waiting == 0


async def read_figures(pool: asyncpg.Pool) -> Figures:
    """The figures now, in one round trip."""
    row = await pool.fetchrow(SQL.figures)
    return Figures(**{name: row[name] for name in Figures.__struct_fields__})


def publishers(estate: Path) -> list[str]:
    """The systems that are told stock, by the estate."""
    return [one.system for one in stock_rules_of(wire(estate).estate).channels.values() if one.publish]


async def publishing(pool: asyncpg.Pool, systems: Sequence[str]) -> bool:
    """Whether telling stock to each of `systems` has begun: before, nobody knows what waits for it."""
    begun: bool = await pool.fetchval(SQL.publishing, systems)
    return begun
