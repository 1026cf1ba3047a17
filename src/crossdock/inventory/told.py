# SPDX-License-Identifier: Apache-2.0
"""What channels were told of SKUs, now and at an earlier moment, and what is expected of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from crossdock.inventory.item import Besides, ExpectedGoods, ToldNumber
from crossdock.inventory.rules import ChannelRule
from crossdock.runtime.postgres import load_queries

SQL = load_queries(__package__, "told.sql")


async def besides_now(conn: asyncpg.Connection, channel: ChannelRule, skus: Sequence[str]) -> Mapping[str, Besides]:
    """By SKU: what the system of `channel` was told last, and what is expected at the channel's locations."""
    told: dict[str, list[ToldNumber]] = {}
    for row in await conn.fetch(SQL.told_now, channel.system, skus):
        told.setdefault(row["sku"], []).append(
            ToldNumber(channel.system, row["location"], row["told"], row["told_at"], row["problem"])
        )
    expected: dict[str, list[ExpectedGoods]] = {}
    for row in await conn.fetch(SQL.expected_of_skus, skus, channel.locations):
        expected.setdefault(row["sku"], []).append(
            ExpectedGoods(row["location"], row["due_at"], row["open"], row["reference"])
        )
    return {sku: Besides(tuple(told.get(sku, ())), tuple(expected.get(sku, ()))) for sku in skus}


async def told_at(conn: asyncpg.Connection, skus: Sequence[str], at: datetime) -> Mapping[str, tuple[ToldNumber, ...]]:
    """By SKU: the newest number that each system had acknowledged at `at`, by location."""
    told: dict[str, list[ToldNumber]] = {}
    for row in await conn.fetch(SQL.told_at, skus, at):
        told.setdefault(row["sku"], []).append(
            ToldNumber(row["system"], row["location"], row["quantity"], row["told_at"])
        )
    return {sku: tuple(numbers) for sku, numbers in told.items()}
