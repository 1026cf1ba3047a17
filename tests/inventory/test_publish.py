# SPDX-License-Identifier: Apache-2.0
"""What a channel was told is kept with its times and events, and whoever takes over knows what is to be told again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import msgspec
import pytest

from crossdock.inventory.conflate import Conflation, Number
from crossdock.inventory.publish import (
    Call,
    Earlier,
    Publication,
    begin_call,
    earlier,
    load_told,
    record_call,
    show,
    take_over,
)
from crossdock.inventory.rules import ChannelRule
from crossdock.inventory.tally import SLICE_SECONDS, SLICES, LagWindow, Tally
from crossdock.inventory.tell_again import tell_again
from crossdock.runtime.clock import set_clock
from crossdock.sdk.sending import MOST_KEPT, Exchange
from tests.delivery.scripted import until

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHOP = ChannelRule(name="us", system="shop", locations=("EAST",))


def number(sku: str, quantity: int, location: str = "EAST") -> Number:
    return Number(sku=sku, location=location, quantity=Decimal(quantity), changed_at=NOON, since=0.0, moved=0.0)


async def leased(pool: asyncpg.Pool, fence: int = 1, *, until: str = "infinity") -> None:
    await pool.execute(
        "INSERT INTO system_lease (system, worker, fence, expires_at) VALUES ('shop', 'w1', $1, $2::text::timestamptz) "
        "ON CONFLICT (system) DO UPDATE SET fence = excluded.fence, expires_at = excluded.expires_at",
        fence,
        until,
    )


async def recorded(pool: asyncpg.Pool, *calls: Call) -> None:
    await leased(pool)
    for call in calls:
        async with pool.acquire() as conn:
            assert await record_call(conn, SHOP, 1, call)


async def begun(pool: asyncpg.Pool, numbers: Sequence[Number], sequence: int = 7, fence: int = 1) -> int | None:
    async with pool.acquire() as conn:
        return await begin_call(conn, "shop", fence, sequence, numbers)


async def taken_over(pool: asyncpg.Pool, channel: ChannelRule = SHOP) -> tuple[Conflation, int]:
    queue = Conflation(10)
    async with pool.acquire() as conn:
        async with conn.transaction():
            cut = await take_over(conn, channel)
        return queue, await load_told(conn, "shop", cut, queue)


async def test_what_was_told_is_kept_with_its_history_and_an_event_of_every_number(pool: asyncpg.Pool) -> None:
    await leased(pool)
    first = await begun(pool, [number("A", 5), number("B", 0)])
    assert first is not None
    ended = NOON + timedelta(seconds=2)
    await recorded(pool, Call(id=first, sequence=7, ended_at=ended, told=[number("A", 5), number("B", 0)]))
    await recorded(pool, Call(id=0, sequence=8, ended_at=ended, told=[number("A", 4)]))
    rows = await pool.fetch("SELECT sku, location, told, told_sequence, told_at FROM channel_stock ORDER BY sku")
    assert [tuple(row) for row in rows] == [("A", "EAST", 4, 8, ended), ("B", "EAST", 0, 7, ended)]
    history = await pool.fetch("SELECT sku, quantity, sequence, told_at - changed_at FROM told_stock ORDER BY 3, 1")
    lag = timedelta(seconds=2)
    assert [tuple(row) for row in history] == [("A", 5, 7, lag), ("B", 0, 7, lag), ("A", 4, 8, lag)]
    events = await pool.fetch("SELECT type, many, data FROM event ORDER BY id")
    assert [(row["type"], row["many"]) for row in events] == [("availability.changed", True)] * 2
    assert msgspec.json.decode(events[0]["data"])[1] == {
        "key": "availability/us/B@EAST",
        "data": {
            "channel": "us", "sku": "B", "location": "EAST", "available": "0", "sequence": 7,
            "as_of": "2026-11-23T12:00:02Z",
        },
    }  # fmt: skip
    assert await pool.fetchval("SELECT count(*) FROM publication_call") == 0


async def test_the_event_of_a_sum_names_no_location(pool: asyncpg.Pool) -> None:
    await recorded(pool, Call(id=0, sequence=7, ended_at=NOON, told=[number("A", 5, "")]))
    (event,) = msgspec.json.decode(await pool.fetchval("SELECT data FROM event"))
    assert event["key"] == "availability/us/A"
    assert "location" not in event["data"]


@pytest.mark.parametrize(("fence", "until"), [(2, "infinity"), (1, "2026-01-01")])
async def test_no_call_begins_when_the_lease_is_gone(pool: asyncpg.Pool, fence: int, until: str) -> None:
    await leased(pool, fence, until=until)
    assert await begun(pool, [number("A", 5)]) is None
    assert await pool.fetchval("SELECT count(*) FROM publication_call") == 0


async def test_what_a_call_told_is_not_written_by_who_lost_the_lease(pool: asyncpg.Pool) -> None:
    await leased(pool)
    first = await begun(pool, [number("A", 5)])
    assert first is not None
    await leased(pool, 2)
    call = Call(
        id=first, sequence=7, ended_at=NOON, told=[number("A", 5)], unknown=[("B", "EAST", "cut")],
        refused=[("C", "EAST", "no", 1.0)],
    )  # fmt: skip
    async with pool.acquire() as conn:
        assert not await record_call(conn, SHOP, 1, call, [Exchange(method="PUT")])
    for table, rows in (
        ("channel_stock", 0),
        ("told_stock", 0),
        ("event", 0),
        ("exchange", 0),
        ("publication_call", 1),
    ):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == rows


async def test_a_call_whose_end_was_never_written_makes_its_numbers_unknown(pool: asyncpg.Pool) -> None:
    await leased(pool)
    await recorded(pool, Call(id=0, sequence=7, ended_at=NOON, told=[number("A", 5), number("C", 1)]))
    await begun(pool, [number("A", 4), number("B", 9)], sequence=12)
    queue, highest = await taken_over(pool)
    assert (dict(queue.told("A")), dict(queue.told("B")), dict(queue.told("C"))) == (
        {"EAST": None}, {"EAST": None}, {"EAST": 1},
    )  # fmt: skip
    assert highest == 12
    again, _ = await taken_over(pool)
    assert again.told("A") == {"EAST": None}


async def test_what_may_have_arrived_is_unknown_and_what_was_refused_waits_with_its_reason(pool: asyncpg.Pool) -> None:
    await recorded(
        pool,
        Call(id=0, sequence=7, ended_at=NOON, told=[number("A", 5), number("B", 6)]),
        Call(
            id=0, sequence=8, ended_at=NOON, unknown=[("A", "EAST", "cut\x00")],
            refused=[("B", "EAST", "not listed", 60.0), ("C", "EAST", "not listed", 60.0)],
        ),
    )  # fmt: skip
    rows = await pool.fetch(
        "SELECT sku, told, told_sequence, problem, not_before > now() + interval '50 s' FROM channel_stock ORDER BY sku"
    )
    assert [tuple(row) for row in rows] == [
        ("A", None, 8, "cut\ufffd", None),
        ("B", 6, 8, "not listed", True),
        ("C", None, 8, "not listed", True),
    ]
    queue, _ = await taken_over(pool)
    queue.offer("B", {"EAST": Decimal(6)}, NOON, 0.0)
    assert (queue.waiting, queue.problems) == (1, 1)
    await recorded(pool, Call(id=0, sequence=9, ended_at=NOON, told=[number("A", 5), number("B", 6)]))
    rows = await pool.fetch("SELECT sku FROM channel_stock WHERE problem <> '' OR not_before IS NOT NULL")
    assert [row["sku"] for row in rows] == ["C"]


async def test_a_channel_that_is_told_sums_now_forgets_what_it_was_told_of_places(pool: asyncpg.Pool) -> None:
    await recorded(pool, Call(id=0, sequence=7, ended_at=NOON, told=[number("A", 5), number("A", 6, "")]))
    summed, _ = await taken_over(pool, ChannelRule(name="us", system="shop", locations=("EAST",), summed=True))
    assert summed.told("A") == {"": 6}
    assert await pool.fetchval("SELECT count(*) FROM channel_stock") == 1


async def test_how_publishing_goes_is_shown_by_the_holder_of_the_lease_alone(pool: asyncpg.Pool) -> None:
    await leased(pool, 2)
    state = Publication(
        waiting=3, waiting_since=NOON, problems=1, reason="503", calls=9, fewest_calls=8, lags=(0.5, 1.0, 2.0),
        place=(77, 5),
    )  # fmt: skip
    async with pool.acquire() as conn:
        await show(conn, SHOP, 1, state)
        with set_clock(NOON):
            assert await earlier(conn, "shop") == Earlier(known_until=NOON)
        await show(conn, SHOP, 2, state)
        assert await earlier(conn, "shop") == Earlier(known_until=NOON, calls=9, fewest_calls=8)
        row = await conn.fetchrow("SELECT channel, problems, reason, lag_p95, followed_xid::text FROM publication")
        assert tuple(row) == ("us", 1, "503", 1.0, "77")


def test_lags_are_known_to_five_percent_and_forgotten_after_three_minutes() -> None:
    window = LagWindow()
    assert window.quantiles((0.5, 0.99), 0.0) == [0.0, 0.0]
    window.add([1.0] * 98 + [30.0, 30.0], 0.0)
    half, most = window.quantiles((0.5, 0.99), 0.0)
    assert 1.0 <= half <= 1.06
    assert 30.0 <= most <= 31.6
    window.add([2.0], SLICE_SECONDS * SLICES)
    assert 2.0 <= window.quantiles((0.99,), SLICE_SECONDS * SLICES)[0] <= 2.11


def test_the_fewest_calls_are_full_batches_of_each_second() -> None:
    tally = Tally(10, 1.0, calls=5, fewest=5)
    for clock, numbers in ((100.0, 4), (100.4, 3), (100.9, 5), (101.0, 1), (101.5, 0), (103.0, 10)):
        tally.count(numbers, clock)
    assert (tally.calls, tally.fewest) == (11, 5 + 2 + 1 + 1)


async def test_who_tells_again_and_who_records_never_wait_for_each_other_crosswise(pool: asyncpg.Pool) -> None:
    await recorded(pool, Call(id=0, sequence=1, ended_at=NOON, told=[number("A", 5), number("B", 5)]))
    async with pool.acquire() as holder, pool.acquire() as first, pool.acquire() as second:
        holding = holder.transaction()
        await holding.start()
        await holder.execute("SELECT FROM channel_stock WHERE sku = 'A' FOR UPDATE")
        telling = asyncio.create_task(tell_again(first, "shop", [("B", "EAST"), ("A", "EAST")]))
        await until(lambda: _waiting(holder, 1))
        call = Call(id=0, sequence=2, ended_at=NOON, told=[number("B", 4), number("A", 4)])
        recording = asyncio.create_task(record_call(second, SHOP, 1, call))
        await until(lambda: _waiting(holder, 2))
        await holding.rollback()
        await telling
        assert await recording
    rows = await pool.fetch("SELECT sku, told FROM channel_stock ORDER BY sku")
    assert [tuple(row) for row in rows] == [("A", 4), ("B", 4)]


async def test_what_somebody_doubts_while_it_is_refused_stays_in_doubt(pool: asyncpg.Pool) -> None:
    await recorded(pool, Call(id=0, sequence=1, ended_at=NOON, told=[number("A", 5)]))
    async with pool.acquire() as first, pool.acquire() as second:
        doubting = first.transaction()
        await doubting.start()
        await tell_again(first, "shop", [("A", "EAST")])
        call = Call(id=0, sequence=2, ended_at=NOON, refused=[("A", "EAST", "not listed", 60.0)])
        recording = asyncio.create_task(record_call(second, SHOP, 1, call))
        await until(lambda: _waiting(first, 1))
        await doubting.commit()
        assert await recording
    (row,) = await pool.fetch("SELECT told, problem FROM channel_stock")
    assert tuple(row) == (None, "not listed")


async def _waiting(conn: asyncpg.Connection, number: int) -> bool:
    """So many others wait for a lock in this database."""
    found: int = await conn.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return found == number


async def test_what_travelled_is_kept_up_to_a_bound(pool: asyncpg.Pool) -> None:
    await leased(pool)
    long = Exchange(
        method="POST", url="/x", request=b"q" * (MOST_KEPT + 1), status=500, response=b"a" * (MOST_KEPT + 9)
    )
    async with pool.acquire() as conn:
        assert await record_call(conn, SHOP, 1, Call(id=0, sequence=1, ended_at=NOON), [long])
    row = await pool.fetchrow("SELECT length(request), length(response) FROM exchange")
    assert tuple(row) == (MOST_KEPT, MOST_KEPT)
