# SPDX-License-Identifier: Apache-2.0
"""The stream is read again by time, by number, by kind and by SKU; a durable subscriber misses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec
import pytest

from crossdock.errors import EngineAway, Refused
from crossdock.journal.outbox import STREAM, SUBJECTS, ensure_cursor, relay
from crossdock.journal.record import Event, record_events
from crossdock.journal.replay import Wanted, replay, subjects_of
from crossdock.runtime.embedded import Engines, erase
from crossdock.runtime.migrate import migrate
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import open_pool
from crossdock.settings import Settings

SKUS = ("CD-1", "CD-10", "CD 1", "CD_1")


def level(sku: str, place: str) -> dict[str, object]:
    return {"key": f"stock/{sku}@{place}", "data": {"sku": sku, "location": place}}


async def write(pool: asyncpg.Pool, first: int, count: int) -> None:
    """Orders from number `first` on, and with each a change of every SKU at two places."""
    levels = msgspec.json.encode([level(sku, place) for sku in SKUS for place in ("EAST", "WEST")])
    for number in range(first, first + count):
        order = Event(type="sales_order.accepted", key=f"order/shop/{number}", document_id=1, data=b"{}")
        moved = Event(type="inventory.level.changed", key="", document_id=0, data=levels, many=True)
        async with pool.acquire() as conn:
            await record_events(conn, [order, moved])


async def relayed(pool: asyncpg.Pool, bus: Bus) -> None:
    while (await relay(pool, bus, "/t"))[1]:
        pass


async def stored(pool: asyncpg.Pool) -> list[tuple[str, str]]:
    """(id, subject) of every event written, in the order of the stream."""
    found = []
    for row in await pool.fetch("SELECT xid::text AS xid, id, many, key, data FROM event ORDER BY event.xid, event.id"):
        place = f"{row['xid']}-{row['id']}"
        if row["many"]:
            elements = enumerate(msgspec.json.decode(row["data"]), 1)
            found += [(f"{place}-{number}", element["key"]) for number, element in elements]
        else:
            found.append((place, row["key"]))
    return found


async def ids(bus: Bus, wanted: Wanted) -> list[str]:
    return [msgspec.json.decode(message.payload)["id"] async for message in replay(bus, wanted)]


async def test_by_number_by_time_by_kind_and_by_sku(pool: asyncpg.Pool, bus: Bus) -> None:
    await ensure_cursor(pool)
    await bus.ensure_stream(STREAM, SUBJECTS)
    await write(pool, 1, 60)
    await relayed(pool, bus)
    since = datetime.now(UTC)
    await write(pool, 61, 10)
    await relayed(pool, bus)
    all_of_them = await stored(pool)
    assert len(all_of_them) == 70 * 9
    assert await ids(bus, Wanted()) == [name for name, _ in all_of_them]
    assert await ids(bus, Wanted(after=100)) == [name for name, _ in all_of_them[100:]]
    assert await ids(bus, Wanted(since=since)) == [name for name, _ in all_of_them[60 * 9 :]]
    orders = [name for name, key in all_of_them if key.startswith("order/")]
    assert await ids(bus, Wanted(kind="sales_order")) == orders
    assert await ids(bus, Wanted(kind="sales_order.accepted", since=since)) == orders[60:]
    for sku in SKUS:
        of_sku = [name for name, key in all_of_them if key.startswith(f"stock/{sku}@")]
        assert len(of_sku) == 140
        assert await ids(bus, Wanted(sku=sku)) == of_sku
    assert await ids(bus, Wanted(sku="CD-1", since=since)) == [
        name for name, key in all_of_them[540:] if key.startswith("stock/CD-1@")
    ]
    assert await ids(bus, Wanted(sku="CD-1", kind="inventory", after=len(all_of_them))) == []


def test_what_cannot_be_wanted_is_refused() -> None:
    assert subjects_of(Wanted(sku="A.B *", kind="inventory")) == [
        "crossdock.events.inventory.level.changed.stock_A_B__.*"
    ]
    for wanted in (Wanted(kind="a b"), Wanted(kind=">"), Wanted(kind="sales_order", sku="CD-1")):
        with pytest.raises(Refused):
            subjects_of(wanted)


async def test_a_subscriber_that_was_away_loses_nothing_also_when_nats_was_killed(tmp_path: Path) -> None:
    engines = Engines(Settings.from_environment({}, data=tmp_path / "engines"), watch=False)
    await engines.open()
    assert engines.nats is not None
    try:
        await migrate(engines.database_url)
        pool = await open_pool(engines.database_url, max_size=4)
        await ensure_cursor(pool)
        bus = await Bus.connect(engines.nats_url)
        await bus.ensure_stream(STREAM, SUBJECTS)
        got: list[str] = []
        following = asyncio.create_task(follow(bus, got))

        await write(pool, 1, 20)
        await relayed(pool, bus)
        first = await taken(bus, 50)
        # Away while more is written; NATS is killed in the middle of it and comes back.
        await write(pool, 21, 20)
        await relayed(pool, bus)
        os.kill(engines.nats.pid, signal.SIGKILL)
        await engines.nats.stop()
        await write(pool, 41, 20)
        with pytest.raises(EngineAway):
            await relay(pool, bus, "/t")
        engines.nats.start()
        await engines.nats.ready(30)
        await back(pool, bus)
        second = await taken(bus, 10_000)

        everything = [name for name, _ in await stored(pool)]
        assert len(everything) == 60 * 9
        assert first == everything[:50]
        # Of what was fetched and not acknowledged some may come again: in order, nothing left out.
        assert first + [name for name in dict.fromkeys(second) if name not in first] == everything
        async with asyncio.timeout(20):
            while len(got) < len(everything):  # noqa: ASYNC110 - it is time that is waited for
                await asyncio.sleep(0.05)
        assert got == everything
        following.cancel()
        await asyncio.wait([following])
        await bus.close()
        pool.terminate()
        assert await printed(engines, "--type", "sales_order", "--from-sequence", "500") == everything[504:540:9]
    finally:
        await engines.stop()
        erase(tmp_path / "engines")


async def follow(bus: Bus, got: list[str]) -> None:
    """Put the ids of all events into `got`, as they come, until cancelled."""
    async for message in replay(bus, Wanted(follow=True)):
        got += [msgspec.json.decode(message.payload)["id"]]


async def taken(bus: Bus, count: int) -> list[str]:
    """What the subscriber called "erp" gets of `count` events, acknowledged one by one; then it is gone."""
    subscription = await bus.subscribe(STREAM, "erp", SUBJECTS[0], ack_within=1.0)
    found: list[str] = []
    while len(found) < count:
        messages = await subscription.fetch(min(40, count - len(found)), within=2.5)
        if not messages:
            break
        for message in messages:
            found.append(msgspec.json.decode(message.payload)["id"])
            await message.ack()
    await subscription.close()
    return found


async def back(pool: asyncpg.Pool, bus: Bus) -> None:
    """Return when NATS is back and everything is relayed."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await relayed(pool, bus)
            except EngineAway:
                await asyncio.sleep(0.1)


async def printed(engines: Engines, *words: str) -> list[str]:
    """The ids that `crossdock events replay` prints, with their sequences behind each other."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crossdock", "events", "replay", *words),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "NATS_URL": engines.nats_url},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    lines = [msgspec.json.decode(line) for line in output.splitlines()]
    assert [int(line["sequence"]) for line in lines] == sorted({int(line["sequence"]) for line in lines})
    return [line["id"] for line in lines]
