# SPDX-License-Identifier: Apache-2.0
"""Documents are taken oldest first, one per key; what is stuck holds back its own key only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest_asyncio

from crossdock.journal.claim import Claimed, claim
from tests.journal.filling import Filling

A, B = "order/shop/A", "order/shop/B"


@pytest_asyncio.fixture
async def fill(pool: asyncpg.Pool) -> AsyncIterator[Filling]:
    async with pool.acquire() as conn:
        yield Filling(conn)


async def taken(pool: asyncpg.Pool, limit: int = 100) -> list[int]:
    """The documents a worker gets, given back at once."""
    async with pool.acquire() as conn:
        transaction = conn.transaction()
        await transaction.start()
        claimed = await claim(conn, limit)
        await transaction.rollback()
    return [one.id for one in claimed]


async def test_only_the_oldest_of_a_key_oldest_first(pool: asyncpg.Pool, fill: Filling) -> None:
    first_a = await fill.document(A)
    first_b = await fill.document(B)
    await fill.document(A)
    third = await fill.document("order/shop/C")
    assert await taken(pool) == [first_a, first_b, third]
    assert await taken(pool, 2) == [first_a, first_b]


async def test_what_is_decided_holds_nothing_back(pool: asyncpg.Pool, fill: Filling) -> None:
    for state, step in (("settled", "done"), ("duplicate", "done"), ("rejected", "done"), ("delivering", "deliver")):
        await fill.document(A, state, step)
    # A delivery that waits for a person is delivery's to hold back, not ours.
    await fill.document(A, "case", "deliver")
    newest = await fill.document(A)
    assert await taken(pool) == [newest]


async def test_a_retry_is_taken_when_due_and_holds_back_its_key_until_then(pool: asyncpg.Pool, fill: Filling) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    waiting = await fill.document(A, "retry", next_at=later, overtakes=True)
    await fill.document(A, overtakes=True)
    await fill.document(A)
    other = await fill.document(B)
    assert await taken(pool) == [other]
    await fill.conn.execute("UPDATE document SET next_at = now() WHERE id = $1", waiting)
    assert await taken(pool) == [waiting, other]


async def test_a_case_holds_back_later_ones_of_its_key_unless_they_are_full_statements(
    pool: asyncpg.Pool, fill: Filling
) -> None:
    for step in ("translate", "decide"):
        await fill.document(A, "case", step)
    held = await fill.document(A)
    assert await taken(pool) == []
    await fill.conn.execute("UPDATE document SET overtakes = true WHERE id = $1", held)
    assert await taken(pool) == [held]


async def test_a_full_statement_does_not_overtake_what_is_merely_waiting_its_turn(
    pool: asyncpg.Pool, fill: Filling
) -> None:
    first = await fill.document(A)
    await fill.document(A, overtakes=True)
    assert await taken(pool) == [first]


async def test_a_full_statement_goes_past_what_may_be_waiting_for_it(pool: asyncpg.Pool, fill: Filling) -> None:
    """A shipment that came before its order is tried again until the order is there."""
    later = datetime.now(UTC) + timedelta(hours=1)
    await fill.document(A, "retry", next_at=later)
    shipment = await fill.document(A)
    order = await fill.document(A, overtakes=True)
    assert await taken(pool) == []
    await fill.conn.execute("UPDATE document SET state = 'retry', next_at = $2 WHERE id = $1", shipment, later)
    assert await taken(pool) == [order]


async def test_one_poisoned_key_beside_many(pool: asyncpg.Pool, fill: Filling) -> None:
    await fill.document(A, "case", "decide")
    for _ in range(3):
        await fill.document(A)
    others = [await fill.document(f"order/shop/{number}") for number in range(50)]
    assert await taken(pool) == others


async def test_two_workers_at_once_never_share(pool: asyncpg.Pool, fill: Filling) -> None:
    expected = [await fill.document(f"order/shop/{number % 40}") for number in range(80)][:40]
    both_have = asyncio.Barrier(4)

    async def worker() -> list[int]:
        async with pool.acquire() as conn, conn.transaction():
            got = await claim(conn, 15)
            await both_have.wait()
            return [one.id for one in got]

    shares = await asyncio.gather(*(worker() for _ in range(4)))
    got = [number for share in shares for number in share]
    assert len(got) == len(set(got))
    assert set(got) <= set(expected)
    assert len(got) == 40


async def test_a_worker_that_dies_gives_its_documents_back(pool: asyncpg.Pool, fill: Filling, database: str) -> None:
    document = await fill.document(A)
    dying = await asyncpg.connect(database)
    await dying.execute("BEGIN")
    assert [one.id for one in await claim(dying, 10)] == [document]
    assert await taken(pool) == []
    dying.terminate()
    async with asyncio.timeout(10):
        while await taken(pool) != [document]:  # noqa: ASYNC110 - the database is asked
            await asyncio.sleep(0.02)


async def test_the_next_of_a_key_is_not_taken_while_the_first_is_under_way(pool: asyncpg.Pool, fill: Filling) -> None:
    first = await fill.document(A)
    second = await fill.document(A)
    async with pool.acquire() as conn:
        async with conn.transaction():
            assert [one.id for one in await claim(conn, 10)] == [first]
            assert await taken(pool) == []
            await conn.execute("UPDATE document SET state = 'settled' WHERE id = $1", first)
        assert await taken(pool) == [second]


async def one(pool: asyncpg.Pool) -> Claimed:
    async with pool.acquire() as conn, conn.transaction():
        (claimed,) = await claim(conn, 1)
    return claimed


async def test_the_body_is_the_newest_form(pool: asyncpg.Pool, fill: Filling) -> None:
    document = await fill.document(A, body=b"raw")
    claimed = await one(pool)
    assert (claimed.body, claimed.stage, claimed.number) == (b"raw", "source", 0)
    await fill.version(document, b"edited source", 1, "source")
    await fill.conn.execute("UPDATE document SET attempts = 1")
    claimed = await one(pool)
    assert (claimed.body, claimed.stage, claimed.number) == (b"edited source", "source", 1)
    await fill.version(document, b"canonical", 2)
    claimed = await one(pool)
    assert (claimed.body, claimed.stage, claimed.number, claimed.made_by) == (b"canonical", "canonical", 2, "test/1")


async def test_the_same_bytes_under_another_id_are_noticed(pool: asyncpg.Pool, fill: Filling) -> None:
    await fill.document(A, "settled", "done", digest=77)
    await fill.document(A, digest=77)
    assert (await one(pool)).same_bytes
    await fill.conn.execute("UPDATE document SET digest = 78 WHERE state = 'received'")
    assert not (await one(pool)).same_bytes
    await fill.conn.execute("UPDATE document SET digest = 77, interface = 'other' WHERE state = 'received'")
    assert not (await one(pool)).same_bytes
