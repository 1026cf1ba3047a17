# SPDX-License-Identifier: Apache-2.0
"""What a gateway remembers is what the database holds, and it never claims to be younger than it is: whoever committed
before `fresh_at` is in it, whichever way changes come."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal

import asyncpg
import pytest

from crossdock.catalog.cache import Catalog, ProductFacts
from crossdock.errors import EngineAway
from crossdock.inventory import memory as memory_module
from crossdock.inventory.bounded import BoundedView
from crossdock.inventory.follow import LevelFollower
from crossdock.inventory.level import Level
from crossdock.inventory.lock import SQL, lock_levels, write_levels
from crossdock.inventory.memory import StockMemory
from crossdock.inventory.rules import ChannelRule, StockRules
from crossdock.journal.outbox import STREAM, SUBJECTS, ensure_cursor, relay
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import open_pool

SKUS = [f"CD-{number}" for number in range(30)]
PLACES = ("EAST", "WEST")
SHOP = ChannelRule(name="shop", system="shop", locations=PLACES)


class Relay:
    """The scheduler's relay, to be started and ended."""

    def __init__(self, pool: asyncpg.Pool, bus: Bus) -> None:
        self._pool, self._bus = pool, bus
        self._task: asyncio.Task[None] | None = None
        self._going = False

    async def start(self) -> None:
        await self._bus.ensure_stream(STREAM, SUBJECTS)
        self._going = True
        self._task = asyncio.create_task(self._run())

    async def end(self) -> None:
        self._going = False
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._going:
            await relay(self._pool, self._bus, "/crossdock/test")
            await asyncio.sleep(0.02)


class Bench:
    """A memory that runs, its database, and changes to it."""

    def __init__(self, pool: asyncpg.Pool, bus: Bus, relay: Relay) -> None:
        catalog = Catalog()
        catalog.products = {sku: ProductFacts("EA", "", True, True) for sku in SKUS}
        self.pool, self.relay = pool, relay
        self.told: set[str] = set()
        self.view = BoundedView(StockRules(version="r/1", channels={"shop": SHOP}), catalog)
        self.memory = StockMemory(pool, bus, self.view, lambda skus: self.told.update(skus or ()))

    async def change(self, rng: random.Random, wait: float = 0.0) -> None:
        """Hold one more of a few SKUs, and see that it is remembered when that is claimed."""
        pairs = {(rng.choice(SKUS), rng.choice(PLACES)) for _ in range(rng.randint(1, 3))}
        async with self.pool.acquire() as conn:
            async with conn.transaction():
                levels = await lock_levels(conn, pairs, moved=pairs)
                for sku, place in pairs:
                    levels.change(sku, place, reserved=Decimal(1))
                await write_levels(conn, levels)
                written = {pair: levels.at(*pair).sequence for pair in pairs}
                await asyncio.sleep(wait)
            committed = await conn.fetchval(SQL.clock)
        await self.until(lambda: self.memory.fresh_at is not None and self.memory.fresh_at > committed)
        for (sku, place), sequence in written.items():
            assert self.view.levels(sku)[place].sequence >= sequence

    async def changes(self, count: int, seed: int) -> None:
        """So many of them, eight at a time, some of which take their time to commit."""
        rng = random.Random(seed)
        limit = asyncio.Semaphore(8)

        async def one() -> None:
            async with limit:
                await self.change(rng, rng.choice((0.0, 0.0, 0.05)))

        await asyncio.gather(*(one() for _ in range(count)))

    async def until(self, holds: Callable[[], bool], within: float = 30.0) -> None:
        async with asyncio.timeout(within):
            while not holds():  # noqa: ASYNC110 - it is time that is waited for
                await asyncio.sleep(0.005)

    async def same(self) -> None:
        """Everything here is as the database has it."""
        rows = await self.pool.fetch("SELECT sku, location, on_hand, allocated, reserved, sequence FROM stock_level")
        held = {
            (sku, place): (level.on_hand, level.allocated, level.reserved, level.sequence)
            for sku in self.view.skus
            for place, level in self.view.levels(sku).items()
        }
        assert held == {(row["sku"], row["location"]): tuple(row)[2:] for row in rows}


@pytest.fixture
async def bench(pool: asyncpg.Pool, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(memory_module, "TICK_SECONDS", 0.5)
    monkeypatch.setattr(memory_module, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(memory_module, "AWAY_SECONDS", 0.05)
    await ensure_cursor(pool)
    made = Bench(pool, bus, Relay(pool, bus))
    for number, sku in enumerate(SKUS[:20]):
        await pool.execute("INSERT INTO stock_level VALUES ($1, 'EAST', $2, 1, now())", sku, number)
    running = asyncio.create_task(made.memory.run())
    yield made
    await made.relay.end()
    running.cancel()
    await asyncio.wait([running])


async def test_fed_by_the_bus_it_is_what_the_database_holds(bench: Bench) -> None:
    await bench.relay.start()
    await bench.until(lambda: bench.memory.source == "bus")
    await bench.changes(120, seed=1)
    assert bench.memory.source == "bus"
    await bench.same()
    assert bench.told
    assert bench.memory.age is not None
    assert bench.memory.age < 5


async def test_without_the_bus_it_is_fed_by_the_outbox(bench: Bench) -> None:
    await bench.until(lambda: bench.memory.source == "outbox")
    await bench.changes(60, seed=2)
    assert bench.memory.source == "outbox"
    await bench.same()


async def test_however_the_ways_change_nothing_is_lost(bench: Bench, bus: Bus) -> None:
    await bench.relay.start()
    changing = asyncio.create_task(bench.changes(150, seed=3))
    for lost in ("relay", "stream", "relay"):
        await bench.until(lambda: bench.memory.source == "bus")
        await bench.relay.end()
        if lost == "stream":
            await bus.drop_stream(STREAM)
        else:
            await bench.until(lambda: bench.memory.source == "outbox")
        await bench.relay.start()
    await changing
    await bench.until(lambda: bench.memory.source == "bus")
    await bench.changes(20, seed=4)
    await bench.same()


async def test_far_behind_it_reads_rows_instead_of_messages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_module, "_FAR_BEHIND", 5)
    monkeypatch.setattr(memory_module, "_PAGE", 5)
    await bench.relay.start()
    await bench.until(lambda: bench.memory.source == "bus")
    await bench.changes(100, seed=5)
    await bench.same()


async def test_what_cannot_be_understood_is_read_again_as_a_whole(bench: Bench, pool: asyncpg.Pool) -> None:
    await bench.until(lambda: bench.memory.source == "outbox")
    await pool.execute("INSERT INTO stock_level VALUES ('CD-29', 'WEST', 7, 1, now())")
    await pool.execute("INSERT INTO event (type, key, document_id, data, many) VALUES ($1, '', 0, '[1]', true)", "x")
    assert "CD-29" not in set(bench.view.skus)
    await pool.execute(
        "INSERT INTO event (type, key, document_id, data, many) VALUES ('inventory.level.changed', '', 0, '[1]', true)"
    )
    await bench.until(lambda: "CD-29" in set(bench.view.skus))
    await bench.changes(10, seed=6)
    await bench.same()


async def test_a_page_that_was_read_is_taken_over_whatever_fails_after_it(
    bench: Bench, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.until(lambda: bench.memory.source == "outbox")
    read: list[Level] = []
    failures: list[int] = []
    following, sure = LevelFollower.next, memory_module.final_until

    async def follow(self: LevelFollower, conn: asyncpg.Connection) -> tuple[list[Level], bool]:
        levels, more = await following(self, conn)
        read.extend(levels)
        return levels, more

    async def unsure(conn: asyncpg.Connection, xid: int, number: int) -> datetime:
        if read and not failures:
            failures.append(len(read))
            raise EngineAway("a read that failed")
        return await sure(conn, xid, number)

    monkeypatch.setattr(LevelFollower, "next", follow)
    bench.told.clear()
    monkeypatch.setattr(memory_module, "final_until", unsure)
    async with pool.acquire() as conn, conn.transaction():
        levels = await lock_levels(conn, [("CD-0", "EAST")])
        levels.change("CD-0", "EAST", reserved=Decimal(1))
        await write_levels(conn, levels)
    await bench.until(lambda: bool(failures) and "CD-0" in bench.told)
    await bench.same()


async def test_an_absent_database_is_an_age_that_grows(
    database: str, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_module, "AWAY_SECONDS", 0.02)
    pool = await open_pool(database, min_size=1, max_size=4)
    view = BoundedView(StockRules(version="r/1", channels={"shop": SHOP}), Catalog())
    memory = StockMemory(pool, bus, view, lambda skus: None)
    assert memory.age is None
    running = asyncio.create_task(memory.run())
    async with asyncio.timeout(20):
        while memory.source != "outbox":  # noqa: ASYNC110 - it is time that is waited for
            await asyncio.sleep(0.005)
    pool.terminate()
    ages: list[float] = []
    async with asyncio.timeout(20):
        while len(ages) < 20 or ages[-1] < 0.3:
            assert memory.age is not None
            ages.append(memory.age)
            await asyncio.sleep(0.02)
    assert ages[-1] > ages[0]
    assert memory.source == ""
    running.cancel()
