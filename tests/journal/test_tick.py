# SPDX-License-Identifier: Apache-2.0
"""A tick never claims more than the stream holds: everything committed before its moment is there."""

from __future__ import annotations

import asyncio

import asyncpg
import msgspec
import pytest

from crossdock.errors import EngineAway
from crossdock.journal.keep import SQL
from crossdock.journal.outbox import PAGE, STREAM, SUBJECTS, TICK, Tick, ensure_cursor, relay
from crossdock.journal.record import Event, record_events
from crossdock.runtime.nats import Bus


@pytest.fixture
async def ticks(pool: asyncpg.Pool, bus: Bus) -> asyncio.Queue[Tick]:
    """Ticks that were heard."""
    await ensure_cursor(pool)
    await bus.ensure_stream(STREAM, SUBJECTS)
    heard: asyncio.Queue[Tick] = asyncio.Queue()
    await bus.hear(TICK, lambda payload: heard.put_nowait(msgspec.json.decode(payload, type=Tick)))
    return heard


def events(count: int) -> list[Event]:
    return [Event(type="a.b", key=f"k/{number}", document_id=1, data=b"{}") for number in range(count)]


async def ticked(ticks: asyncio.Queue[Tick]) -> Tick:
    return await asyncio.wait_for(ticks.get(), 5)


async def test_a_tick_says_when_and_how_far(pool: asyncpg.Pool, bus: Bus, ticks: asyncio.Queue[Tick]) -> None:
    before = await pool.fetchval("SELECT clock_timestamp()")
    await relay(pool, bus, "/t")
    first = await ticked(ticks)
    assert (first.sequence, first.xid, first.id) == (0, 0, 0)
    assert before < first.at < await pool.fetchval("SELECT clock_timestamp()")
    async with pool.acquire() as conn:
        await record_events(conn, events(3))
    assert (await relay(pool, bus, "/t"))[0] == 3
    second = await ticked(ticks)
    row = await pool.fetchrow("SELECT xid, id FROM event ORDER BY xid DESC, id DESC LIMIT 1")
    assert (second.sequence, second.xid, second.id) == (3, row["xid"], row["id"])
    assert second.at > first.at
    # Nothing new: the place stays, the moment goes on.
    await relay(pool, bus, "/t")
    third = await ticked(ticks)
    assert (third.sequence, third.xid, third.id) == (3, row["xid"], row["id"])
    assert third.at > second.at


async def test_what_waits_for_an_older_transaction_holds_the_moment_back(
    pool: asyncpg.Pool, bus: Bus, ticks: asyncio.Queue[Tick], database: str
) -> None:
    slow = await asyncpg.connect(database)
    transaction = slow.transaction()
    await transaction.start()
    await record_events(slow, events(1))
    async with pool.acquire() as conn:
        await record_events(conn, events(1))
    began = await pool.fetchval("SELECT at FROM event")
    assert (await relay(pool, bus, "/t"))[0] == 0
    # The quick one is committed and not in the stream: nothing may be claimed of the time since it began.
    assert (await ticked(ticks)).at == began
    await transaction.commit()
    await slow.close()
    assert (await relay(pool, bus, "/t"))[0] == 2
    assert (await ticked(ticks)).at > began


async def test_a_relay_that_is_behind_or_not_the_one_claims_nothing(
    pool: asyncpg.Pool, bus: Bus, ticks: asyncio.Queue[Tick]
) -> None:
    async with pool.acquire() as conn:
        await record_events(conn, events(PAGE + 1))
    async with pool.acquire() as other, other.transaction():
        assert await other.fetchval(SQL.lock_cursor, "nats")
        assert (await relay(pool, bus, "/t"))[0] == 0
    assert await relay(pool, bus, "/t") == (PAGE, True)
    assert await relay(pool, bus, "/t") == (1, False)
    last = await ticked(ticks)
    assert last.sequence == PAGE + 1
    assert ticks.empty()


async def test_a_page_that_is_cut_claims_nothing_of_what_follows(
    pool: asyncpg.Pool, bus: Bus, ticks: asyncio.Queue[Tick], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crossdock.journal.outbox.PAGE_BYTES", 4)
    async with pool.acquire() as conn:
        await record_events(conn, events(5))
    assert [await relay(pool, bus, "/t") for _ in range(3)] == [(2, True), (2, True), (1, False)]
    assert (await ticked(ticks)).sequence == 5
    assert ticks.empty()


async def test_a_stream_that_was_lost_is_an_engine_away(
    pool: asyncpg.Pool, bus: Bus, ticks: asyncio.Queue[Tick]
) -> None:
    await bus.drop_stream(STREAM)
    with pytest.raises(EngineAway, match="no stream CROSSDOCK_EVENTS"):
        await relay(pool, bus, "/t")
    assert ticks.empty()
