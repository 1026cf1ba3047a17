# SPDX-License-Identifier: Apache-2.0
"""What comparisons of stock came to, to be read: runs, differences, key figures over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import asyncpg
from msgspec import Struct

from crossdock.errors import Refused
from crossdock.inventory.listing import SQL
from crossdock.inventory.reconcile import ACCURACY

MOST_ROWS = 1000


class Comparison(Struct, frozen=True, kw_only=True):
    """One comparison. `finished_at` None: it runs, or broke off. `equal` of `compared` SKUs at locations; `healed`:
    counted or told again; `cases`: new ones; `problems`: what could not be compared."""

    id: int
    kind: str
    started_at: datetime
    finished_at: datetime | None
    asked_by: str
    compared: int
    equal: int
    healed: int
    cases: int
    problems: str


class FoundDifference(Struct, frozen=True, kw_only=True):
    """Where figures differed. `action`: "", counted, told_again, case, case_open or left."""

    system: str
    sku: str
    location: str
    ours: Decimal | None
    theirs: Decimal | None
    difference: str
    reason: str
    action: str
    money: Decimal | None
    currency: str


class DifferenceCount(Struct, frozen=True, kw_only=True):
    """How many differences of one class one action was taken for."""

    system: str
    difference: str
    action: str
    number: int


class KpiPoint(Struct, frozen=True, kw_only=True):
    """A key figure at a moment. `dimension`: "" over all, else as the figure has it ("system", "system/location")."""

    dimension: str
    at: datetime
    value: float


async def comparisons(conn: asyncpg.Connection, limit: int, before: int | None = None) -> list[Comparison]:
    """At most `limit` comparisons, the newest first, those below id `before`."""
    return [Comparison(**row) for row in await conn.fetch(SQL.reconciliations, before, min(limit, MOST_ROWS))]


async def differences_of(conn: asyncpg.Connection, comparison: int, limit: int) -> list[FoundDifference]:
    """At most `limit` differences of a comparison, by system, SKU and location."""
    return [FoundDifference(**row) for row in await conn.fetch(SQL.differences, comparison, min(limit, MOST_ROWS))]


async def classes_of(conn: asyncpg.Connection, comparison: int) -> list[DifferenceCount]:
    """How many differences of each class a comparison found, by system and action."""
    return [DifferenceCount(**row) for row in await conn.fetch(SQL.classes, comparison)]


async def kpi_history(
    conn: asyncpg.Connection, name: str, limit: int, dimension: str | None = None, since: datetime | None = None
) -> list[KpiPoint]:
    """A key figure over time, the newest first. Refused (404) when there is no value of that name."""
    rows = await conn.fetch(SQL.kpi_history, name, dimension, since, min(limit, MOST_ROWS))
    if not rows and not await conn.fetch(SQL.kpi_newest, name):
        raise Refused(
            f"there is no figure {name!r} yet",
            status=404,
            field="name",
            rule="kpi.known",
            fix=f"compare stock first (`crossdock reconcile inventory` writes {ACCURACY}), or correct the name",
        )
    return [KpiPoint(**row) for row in rows]


async def newest(conn: asyncpg.Connection, name: str) -> Sequence[KpiPoint]:
    """The newest value of a key figure in every dimension."""
    return [KpiPoint(**row) for row in await conn.fetch(SQL.kpi_newest, name)]
