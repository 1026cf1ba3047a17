# SPDX-License-Identifier: Apache-2.0
"""A conflating queue: only the newest level of a SKU is told, stock-outs at once, nothing is lost on the way."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest_asyncio

from crossdock.inventory.publish import Wanted, claim_dirty, publish_all, record_told, record_untold
from tests.inventory.test_apply import entered, movement

QUIET, LONGEST = 10.0, 60.0


@pytest_asyncio.fixture
async def stocked(pool: asyncpg.Pool) -> asyncpg.Pool:
    """Ten of CD-1 and CD-2 in the east, to be told to `shop` and `portal`."""
    await entered(pool, [movement("m1", "10"), movement("m2", "10", sku="CD-2")])
    return pool


async def dirty(
    pool: asyncpg.Pool, *, quiet: float = QUIET, longest: float = LONGEST, limit: int = 250
) -> list[Wanted]:
    async with pool.acquire() as conn:
        return await claim_dirty(conn, "shop", limit, quiet, longest)


def shown(levels: list[Wanted]) -> list[tuple[str, int, int]]:
    return [(level.sku, int(level.quantity), level.sequence) for level in levels]


async def rest(pool: asyncpg.Pool, seconds: float, column: str = "wanted_at") -> None:
    """As if `seconds` had passed since the levels changed."""
    await pool.execute(f"UPDATE channel_stock SET {column} = {column} - $1::interval", timedelta(seconds=seconds))


async def test_levels_are_told_when_they_have_come_to_rest(stocked: asyncpg.Pool) -> None:
    assert await dirty(stocked) == []
    await rest(stocked, QUIET)
    assert shown(await dirty(stocked)) == [("CD-1", 10, 1), ("CD-2", 10, 1)]


async def test_a_level_that_never_rests_is_told_when_it_has_waited_long_enough(stocked: asyncpg.Pool) -> None:
    await rest(stocked, LONGEST, "dirty_since")
    await entered(stocked, [movement("m3", "1")])
    assert shown(await dirty(stocked)) == [("CD-1", 11, 2), ("CD-2", 10, 1)]


async def test_a_stock_out_is_told_at_once_and_first(stocked: asyncpg.Pool) -> None:
    await rest(stocked, QUIET)
    await entered(stocked, [movement("m3", "-10", "ship", sku="CD-2")])
    assert shown(await dirty(stocked)) == [("CD-2", 0, 2), ("CD-1", 10, 1)]
    assert shown(await dirty(stocked, limit=1)) == [("CD-2", 0, 2)]


async def test_only_the_newest_level_travels(stocked: asyncpg.Pool) -> None:
    for number in range(5):
        await entered(stocked, [movement(f"n{number}", "1")])
    assert shown(await dirty(stocked, quiet=0.0)) == [("CD-1", 15, 6), ("CD-2", 10, 1)]


async def test_what_is_told_is_clean_and_what_moved_on_meanwhile_is_not(stocked: asyncpg.Pool) -> None:
    under_way = await dirty(stocked, quiet=0.0)
    await entered(stocked, [movement("m3", "1")])
    async with stocked.acquire() as conn:
        await record_told(conn, "shop", under_way)
    assert shown(await dirty(stocked, quiet=0.0)) == [("CD-1", 11, 2)]
    rows = await stocked.fetch("SELECT sku, told, told_sequence FROM channel_stock WHERE system = 'shop' ORDER BY sku")
    assert [tuple(row) for row in rows] == [("CD-1", Decimal(10), 1), ("CD-2", Decimal(10), 1)]
    assert await stocked.fetchval("SELECT count(*) FROM channel_stock WHERE system = 'portal' AND dirty") == 2


async def test_what_could_not_be_told_waits_with_its_reason_and_is_told_later(stocked: asyncpg.Pool) -> None:
    first, second = await dirty(stocked, quiet=0.0)
    async with stocked.acquire() as conn:
        await record_untold(conn, "shop", [(first, "no such item", 3600.0), (second, "too busy", 0.0)])
    assert shown(await dirty(stocked, quiet=0.0)) == [("CD-2", 10, 1)]
    row = await stocked.fetchrow("SELECT problem, dirty FROM channel_stock WHERE system = 'shop' AND sku = 'CD-1'")
    assert tuple(row) == ("no such item", True)
    await stocked.execute("UPDATE channel_stock SET not_before = now()")
    async with stocked.acquire() as conn:
        await record_told(conn, "shop", await claim_dirty(conn, "shop", 9, 0.0, 0.0))
    assert await stocked.fetchval("SELECT count(*) FROM channel_stock WHERE system = 'shop' AND problem <> ''") == 0


async def test_a_channel_that_is_new_is_told_every_level_once(stocked: asyncpg.Pool) -> None:
    async with stocked.acquire() as conn:
        await publish_all(conn, [("market", "EAST"), ("market", "WEST"), ("shop", "EAST")])
        await publish_all(conn, [("market", "EAST")])
        assert shown(await claim_dirty(conn, "market", 9, 0.0, 0.0)) == [("CD-1", 10, 1), ("CD-2", 10, 1)]
        assert await conn.fetchval("SELECT count(*) FROM channel_stock") == 6
