# SPDX-License-Identifier: Apache-2.0
"""What a worker follows: a change that was read reaches everyone, whatever fails right after."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import asyncpg
import pytest

from crossdock.catalog.cache import Catalog
from crossdock.inventory import feed as feed_module
from crossdock.inventory.feed import StockFeed
from crossdock.inventory.follow import LevelFollower
from crossdock.inventory.level import Level
from crossdock.inventory.rules import ChannelRule, StockRules
from crossdock.inventory.view import StockView
from tests.delivery.scripted import until
from tests.inventory.test_apply import entered, movement

SHOP = ChannelRule(name="us", system="shop", locations=("EAST",))


async def test_a_refresh_that_fails_loses_no_change(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The follower moves when it reads: what it read must be taken over although the next read fails."""
    monkeypatch.setattr(feed_module, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(feed_module, "AWAY_SECONDS", 0.05)
    read: list[Level] = []
    failures: list[int] = []
    following, refreshing = LevelFollower.next, StockView.refresh

    async def follow(self: LevelFollower, conn: asyncpg.Connection) -> tuple[list[Level], bool]:
        levels, more = await following(self, conn)
        read.extend(levels)
        return levels, more

    async def refresh(self: StockView, conn: asyncpg.Connection) -> bool:
        if read and not failures:
            failures.append(len(read))
            raise ValueError("a read that failed")
        return await refreshing(self, conn)

    monkeypatch.setattr(LevelFollower, "next", follow)
    monkeypatch.setattr(StockView, "refresh", refresh)
    await entered(pool, [movement("m1", "10")])
    feed = StockFeed(pool, StockRules(version="r/1", channels={"us": SHOP}), Catalog())
    told: set[str] = set()
    feed.listen(lambda changes: told.update(changes or ()))
    await feed.ready()
    stop = asyncio.Event()
    running = asyncio.create_task(feed.run(stop))
    await entered(pool, [movement("m2", "-4", "ship"), movement("m3", "5", sku="CD-2")])
    last = await pool.fetchrow("SELECT xid::text::bigint, id FROM event WHERE many ORDER BY event.xid DESC LIMIT 1")
    await until(lambda: failures and feed.place >= tuple(last))
    stop.set()
    await running
    assert failures == [2]
    assert told == {"CD-1", "CD-2"}
    assert feed.view.levels("CD-1")["EAST"].on_hand == Decimal(6)
    assert feed.view.levels("CD-2")["EAST"].on_hand == Decimal(5)
