# SPDX-License-Identifier: Apache-2.0
"""Levels in memory end as they are in the database, whatever is committed while they are read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest
from msgspec.structs import replace

from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.inventory import view as view_of
from crossdock.inventory.buffer import Pace, buffer_of
from crossdock.inventory.follow import LevelFollower
from crossdock.inventory.level import Level
from crossdock.inventory.rules import ChannelRule, StockRules
from crossdock.inventory.view import StockView
from tests.inventory.test_apply import entered, movement

SHOP = ChannelRule(name="shop", system="shop", locations=("EAST", "WEST"))
RULES = StockRules(version="r/1", channels={"shop": SHOP})


def view(*, channel: ChannelRule = SHOP, kit: bool = False) -> StockView:
    catalog = Catalog()
    catalog.products = {sku: ProductFacts("EA", "", True, True) for sku in ("CD-1", "CD-2")}
    if kit:
        catalog.products["KIT"] = ProductFacts("EA", "", True, True, {}, {"CD-1": Decimal(2)})
    return StockView(StockRules(version="r/1", channels={channel.name: channel}), catalog)


async def caught_up(follower: LevelFollower, conn: asyncpg.Connection, here: StockView) -> set[str]:
    changed: set[str] = set()
    more = True
    while more:
        levels, more = await follower.next(conn)
        changed |= here.apply(levels)
    return changed


async def test_what_is_loaded_and_what_is_followed_make_the_whole(pool: asyncpg.Pool) -> None:
    await entered(pool, [movement("m1", "10"), movement("m2", "4", location="WEST")])
    here = view()
    async with pool.acquire() as conn:
        follower = await LevelFollower.begin(conn)
        assert await here.load(conn) == 2
        assert here.sellable(SHOP, "CD-1").total == 14
        assert await caught_up(follower, conn, here) == set()
        await entered(pool, [movement("m3", "-3", "ship")])
        await entered(pool, [movement("m4", "5", sku="CD-2")])
        assert await caught_up(follower, conn, here) == {"CD-1", "CD-2"}
        assert here.sellable(SHOP, "CD-1").by_location == {"EAST": 7, "WEST": 4}
        assert await caught_up(follower, conn, here) == set()


async def test_a_transaction_that_was_open_when_we_began_is_not_missed(pool: asyncpg.Pool) -> None:
    here = view()
    other = await pool.acquire()
    transaction = other.transaction()
    await transaction.start()
    await other.execute("SELECT pg_current_xact_id()")
    async with pool.acquire() as conn:
        await entered(pool, [movement("m1", "1", sku="CD-2")])
        follower = await LevelFollower.begin(conn)
        await here.load(conn)
        await entered(pool, [movement("m2", "2", sku="CD-2")])
        # Not final while an older transaction may still commit.
        assert await caught_up(follower, conn, here) == set()
        await transaction.commit()
        assert await caught_up(follower, conn, here) == {"CD-2"}
        assert here.levels("CD-2")["EAST"].on_hand == 3
    await pool.release(other)


async def test_many_pages_come_in_commit_order(pool: asyncpg.Pool) -> None:
    here = view()
    async with pool.acquire() as conn:
        follower = await LevelFollower.begin(conn)
        await asyncio.gather(*(entered(pool, [movement(f"m{number}", "1")]) for number in range(40)))
        await caught_up(follower, conn, here)
    assert here.levels("CD-1")["EAST"].on_hand == 40
    assert here.levels("CD-1")["EAST"].sequence == 40


def test_an_older_level_changes_nothing_and_bundles_follow_their_components() -> None:
    here = view(kit=True)
    assert here.apply([Level("CD-1", "EAST", Decimal(5), sequence=2)]) == {"CD-1", "KIT"}
    assert here.apply([Level("CD-1", "EAST", Decimal(9), sequence=1)]) == set()
    assert here.sellable(SHOP, "KIT").total == 2
    assert here.sequence(SHOP, "KIT") == 2


async def test_expected_goods_and_pace_are_read_again(pool: asyncpg.Pool) -> None:
    soon, later = datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) + timedelta(days=9)
    await pool.executemany(
        "INSERT INTO expected_stock (reference, sku, location, source, quantity, received, due_at, version, status, "
        "document_id) VALUES ($1, 'CD-1', 'EAST', 'erp', 10, $2, $3, 1, $4, 1)",
        [("PO-1", 4, soon, "open"), ("PO-2", 0, later, "open"), ("PO-3", 0, soon, "cancelled")],
    )
    await pool.execute("INSERT INTO product (sku, unit, body) VALUES ('CD-1', 'EA', '{}')")
    await pool.execute("UPDATE catalog_version SET value = value + 1")
    channel = ChannelRule(
        name="shop", system="shop", locations=("EAST",), horizon=timedelta(days=2), derived_buffer=True
    )
    here = view(channel=channel)
    async with pool.acquire() as conn:
        assert await here.refresh(conn)
        assert here.sellable(channel, "CD-1").total == 6
        assert not await here.refresh(conn)
        await pool.execute("INSERT INTO sales_rate VALUES ('portal', 'CD-1', 0.5, now()), ('shop', 'CD-1', 9, now())")
        await pool.execute("INSERT INTO publication (system, lag_p95) VALUES ('shop', 2)")
        assert await here.refresh(conn)
        # 1 unit is expected to be sold meanwhile, and two deviations of 1.
        assert here.sellable(channel, "CD-1").total == 3


def test_the_buffer_covers_what_others_sell_while_the_channel_lags() -> None:
    assert buffer_of(SHOP, Pace({"portal": 2.0, "shop": 50.0}), 2.0) == (
        8,
        "other channels sell 2 a second (measured), the channel hears after 2 s (p95)",
    )
    assert buffer_of(SHOP, Pace({}, 0.25), 4.0)[0] == 3
    assert buffer_of(SHOP, Pace({"shop": 5.0}), 2.0)[0] == 0
    assert buffer_of(SHOP, None, 2.0)[0] == 0


async def test_a_view_like_another_has_its_figures_and_reads_levels_of_its_own(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = replace(SHOP, horizon=timedelta(days=2))
    here = view(channel=soon, kit=True)
    await entered(pool, [movement("m1", "10"), movement("m2", "4", sku="CD-2")])
    async with pool.acquire() as conn:
        await conn.execute(
            "INSERT INTO expected_stock (reference, sku, location, source, quantity, due_at, version, status, "
            "document_id) VALUES ('PO-1', 'CD-1', 'EAST', 'erp', 7, now() + interval '1 day', 1, 'open', 1)"
        )
        products = here.catalog.products
        assert not here.like().refreshed
        await here.refresh(conn)
        await here.load(conn)
        here.catalog.products = products
        other = here.like()
        await conn.execute("DELETE FROM expected_stock")
        assert list(other.skus) == []
        # A question about one SKU does not look through the catalog for the bundles it is in.
        monkeypatch.delattr(view_of, "_users_of_components")
        await other.load_skus(conn, ["CD-1"])
    assert other.refreshed
    assert other.sellable(soon, "CD-1").total == here.sellable(soon, "CD-1").total == 17
    assert list(other.skus) == ["CD-1"]


async def test_what_a_failed_refresh_had_read_is_still_a_change_next_time(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = view(channel=replace(SHOP, horizon=timedelta(days=2), derived_buffer=True))

    async def fail(conn: asyncpg.Connection) -> None:
        raise ValueError("a read that failed")

    async with pool.acquire() as conn:
        await here.refresh(conn)
        await conn.execute(
            "INSERT INTO expected_stock (reference, sku, location, source, quantity, due_at, version, status, "
            "document_id) VALUES ('PO-1', 'CD-1', 'EAST', 'erp', 7, now() + interval '1 day', 1, 'open', 1)"
        )
        with monkeypatch.context() as broken:
            broken.setattr("crossdock.inventory.view.read_paces", fail)
            with pytest.raises(ValueError, match="a read that failed"):
                await here.refresh(conn)
        assert await here.refresh(conn)
        assert not await here.refresh(conn)
