# SPDX-License-Identifier: Apache-2.0
"""Events reach the bus in the order they were committed, none lost and none twice."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg
import msgspec
import pytest

from crossdock.errors import EngineAway
from crossdock.journal.outbox import STREAM, SUBJECTS, ensure_cursor, relay, subject_of
from crossdock.journal.record import Event, record_events
from crossdock.runtime.nats import Bus
from crossdock.runtime.postgres import open_pool


@pytest.fixture
async def outbox(pool: asyncpg.Pool, bus: Bus) -> asyncpg.Pool:
    await ensure_cursor(pool)
    await ensure_cursor(pool)
    await bus.ensure_stream(STREAM, SUBJECTS)
    return pool


def event(name: str, data: bytes = b"{}") -> Event:
    return Event(type="sales_order.accepted", key=f"order/shop/{name}", document_id=1, data=data)


async def arrived(bus: Bus, reader: str = "reader") -> list[str]:
    """The names of events on the stream, in its order."""
    subscription = await bus.subscribe(STREAM, reader, SUBJECTS[0])
    names = []
    while messages := await subscription.fetch(500, within=0.3):
        for message in messages:
            names.append(msgspec.json.decode(message.payload)["subject"].removeprefix("order/shop/"))
            await message.ack()
    await subscription.close()
    return names


async def test_a_relay_begins_at_the_beginning_in_a_database_nobody_prepared(pool: asyncpg.Pool, bus: Bus) -> None:
    await bus.ensure_stream(STREAM, SUBJECTS)
    assert (await relay(pool, bus, "/crossdock/test"))[0] == 0
    async with pool.acquire() as conn:
        await record_events(conn, [event("1")])
    assert (await relay(pool, bus, "/crossdock/test"))[0] == 1
    assert await arrived(bus) == ["1"]


async def test_an_event_is_a_cloud_event_under_a_subject_of_its_own(outbox: asyncpg.Pool, bus: Bus) -> None:
    async with outbox.acquire() as conn:
        await record_events(conn, [event("1", b'{"total":"1.00"}')])
    assert (await relay(outbox, bus, "/crossdock/test"))[0] == 1
    subscription = await bus.subscribe(STREAM, "one", SUBJECTS[0])
    (message,) = await subscription.fetch(10)
    body = msgspec.json.decode(message.payload)
    row = await outbox.fetchrow("SELECT xid::text AS xid, id, at FROM event")
    assert message.subject == "crossdock.events.sales_order.accepted.order_shop_1"
    assert msgspec.convert(body.pop("time"), type=type(row["at"])) == row["at"]
    assert body == {
        "specversion": "1.0",
        "id": f"{row['xid']}-{row['id']}",
        "source": "/crossdock/test",
        "type": "crossdock.sales_order.accepted.v1",
        "subject": "order/shop/1",
        "data": {"total": "1.00"},
    }
    assert (await relay(outbox, bus, "/crossdock/test"))[0] == 0


@pytest.mark.parametrize(
    ("key", "subject"),
    [
        ("order/shop-us/1", "crossdock.events.a.b.order_shop-us_1"),
        ("a.b *>\n\x00é", "crossdock.events.a.b.a_b______"),
        ("", "crossdock.events.a.b._"),
        ("x" * 900, "crossdock.events.a.b." + "x" * 200),
        ("stock/CD-1@x.y@DC EAST", "crossdock.events.a.b.stock_CD-1_x_y.DC_EAST"),
        ("order/shop/1@2", "crossdock.events.a.b.order_shop_1_2"),
    ],
)
def test_subjects_hold_what_a_subject_can_hold(key: str, subject: str) -> None:
    assert subject_of("a.b", key) == subject


class Slow(Bus):
    """A bus that publishes only when it is told to."""

    def __init__(self) -> None:
        self.began, self.go_on = asyncio.Event(), asyncio.Event()

    async def publish_batch(self, publications: Any) -> None:
        self.began.set()
        await self.go_on.wait()

    async def last_sequence(self, stream: str) -> int:
        return 0

    async def tell(self, subject: str, payload: bytes) -> bool:
        return True


async def test_while_the_relay_publishes_nobody_else_does_and_all_who_follow_go_on(outbox: asyncpg.Pool) -> None:
    slow = Slow()
    async with outbox.acquire() as conn:
        await record_events(conn, [event("1")])
    relaying = asyncio.create_task(relay(outbox, slow, "/t"))
    await slow.began.wait()
    assert (await relay(outbox, slow, "/t"))[0] == 0
    async with outbox.acquire() as conn:
        await record_events(conn, [event("2")])
        final = "SELECT count(*) FROM event WHERE xid < pg_snapshot_xmin(pg_current_snapshot())"
        assert await conn.fetchval(final) == 2
    slow.go_on.set()
    assert await relaying == (1, False)
    assert (await relay(outbox, slow, "/t"))[0] == 1


async def test_a_page_of_large_rows_is_cut(outbox: asyncpg.Pool, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crossdock.journal.outbox.PAGE_BYTES", 1_000)
    async with outbox.acquire() as conn:
        await record_events(conn, [event(str(number), b'"%s"' % (b"x" * 600)) for number in range(5)])
    assert [await relay(outbox, bus, "/t") for _ in range(4)] == [(2, True), (2, True), (1, False), (0, False)]
    assert await arrived(bus) == ["0", "1", "2", "3", "4"]


async def test_nothing_overtakes_a_transaction_that_is_still_running(
    outbox: asyncpg.Pool, bus: Bus, database: str
) -> None:
    slow = await asyncpg.connect(database)
    transaction = slow.transaction()
    await transaction.start()
    await record_events(slow, [event("slow")])
    async with outbox.acquire() as conn:
        await record_events(conn, [event("quick")])
    assert (await relay(outbox, bus, "/t"))[0] == 0
    await transaction.commit()
    await slow.close()
    assert (await relay(outbox, bus, "/t"))[0] == 2
    assert await arrived(bus) == ["slow", "quick"]


async def test_a_rolled_back_transaction_leaves_no_event_and_holds_nothing_up(
    outbox: asyncpg.Pool, bus: Bus, database: str
) -> None:
    failing = await asyncpg.connect(database)
    transaction = failing.transaction()
    await transaction.start()
    await record_events(failing, [event("never")])
    await transaction.rollback()
    async with outbox.acquire() as conn:
        await record_events(conn, [event("1")])
    await failing.close()
    await relay(outbox, bus, "/t")
    assert await arrived(bus) == ["1"]


async def test_many_transactions_that_commit_out_of_order_lose_and_double_nothing(
    outbox: asyncpg.Pool, bus: Bus
) -> None:
    rng = random.Random(4)
    writing = True

    async def write(number: int) -> None:
        async with outbox.acquire() as conn, conn.transaction():
            await record_events(conn, [event(f"{number}-0")])
            await asyncio.sleep(rng.uniform(0, 0.03))
            await record_events(conn, [event(f"{number}-1"), event(f"{number}-2")])

    async def relaying() -> None:
        while writing or (await relay(outbox, bus, "/t"))[0]:
            await relay(outbox, bus, "/t")
            await asyncio.sleep(0.002)

    relays = [asyncio.create_task(relaying()) for _ in range(2)]
    limit = asyncio.Semaphore(5)

    async def bounded(number: int) -> None:
        async with limit:
            await write(number)

    await asyncio.gather(*(bounded(number) for number in range(60)))
    writing = False
    await asyncio.gather(*relays)
    names = await arrived(bus)
    rows = await outbox.fetch("SELECT key FROM event ORDER BY xid, id")
    assert names == [row["key"].removeprefix("order/shop/") for row in rows]
    assert len(names) == 180


async def test_what_was_published_but_not_noted_is_published_once(outbox: asyncpg.Pool, bus: Bus) -> None:
    async with outbox.acquire() as conn:
        await record_events(conn, [event(str(number)) for number in range(5)])
    before = await outbox.fetchrow("SELECT xid, id FROM outbox_cursor")
    await relay(outbox, bus, "/t")
    # As if the relay had died between publishing and moving its cursor, and more had come since.
    await outbox.execute("UPDATE outbox_cursor SET xid = $1, id = $2", before["xid"], before["id"])
    async with outbox.acquire() as conn:
        await record_events(conn, [event("5")])
    assert (await relay(outbox, bus, "/t"))[0] == 6
    assert await arrived(bus) == ["0", "1", "2", "3", "4", "5"]


async def test_events_wait_while_the_bus_is_away(outbox: asyncpg.Pool, bus: Bus, nats_url: str) -> None:
    async with outbox.acquire() as conn:
        await record_events(conn, [event("1")])
    away = await Bus.connect(nats_url, name="gone")
    await away.close()
    with pytest.raises(EngineAway):
        await relay(outbox, away, "/t")
    assert await arrived(bus) == []
    assert (await relay(outbox, bus, "/t"))[0] == 1
    assert await arrived(bus) == ["1"]


async def test_an_event_larger_than_the_bus_takes_travels_as_a_claim_check(outbox: asyncpg.Pool, bus: Bus) -> None:
    large = msgspec.json.encode({"lines": ["x" * 100] * 20_000})
    async with outbox.acquire() as conn:
        await record_events(conn, [event("1"), event("large", large), event("2")])
    assert (await relay(outbox, bus, "/t"))[0] == 3
    subscription = await bus.subscribe(STREAM, "bodies", SUBJECTS[0])
    messages = await subscription.fetch(10)
    bodies = [msgspec.json.decode(message.payload)["data"] for message in messages]
    assert bodies == [{}, {"document": 1, "size": len(large)}, {}]


async def test_a_lost_database_is_told_as_such_so_that_the_scheduler_lives_on(database: str, bus: Bus) -> None:
    lost = await open_pool(database, name="lost")
    await lost.close()
    with pytest.raises(EngineAway, match="PostgreSQL"):
        await relay(lost, bus, "/t")
