# SPDX-License-Identifier: Apache-2.0
"""Levels as they were believed to be at an earlier moment: what had been entered by then, whenever it happened."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from crossdock.inventory.level import Level
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "past.sql")


async def past_levels(conn: asyncpg.Connection, skus: Sequence[str], at: datetime) -> list[Level]:
    """The levels of `skus` as they stood at `at`, those without any movement or reservation until then left out.

    `sequence` counts what had made the level; `changed_at` is when the newest of it was entered.
    """
    return [Level(**row) for row in await conn.fetch(SQL.past_levels, skus, at)]
