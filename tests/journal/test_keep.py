# SPDX-License-Identifier: Apache-2.0
"""A message is kept once, opens one document, and whatever comes again is counted."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crossdock.errors import EngineAway
from crossdock.journal.keep import Keeper, count_rejections, keep
from crossdock.runtime.postgres import open_pool
from crossdock.sdk.receiving import Incoming, KeepResult, digest_of


def incoming(dedup_key: str = "w1", interface: str = "shop.orders", body: bytes = b"{}", **changes: Any) -> Incoming:
    values: dict[str, Any] = {
        "interface": interface,
        "topic": "orders/create",
        "dedup_key": dedup_key,
        "key": f"order/shop/{dedup_key}",
        "body": body,
        "digest": digest_of(body),
    }
    return Incoming(**{**values, **changes})


async def counts(pool: asyncpg.Pool) -> tuple[int, int, int]:
    """Messages, documents, duplicates."""
    message, document, duplicate = [
        int(await pool.fetchval(f"SELECT count(*) FROM {name}")) for name in ("message", "document", "duplicate")
    ]
    return message, document, duplicate


async def test_a_new_message_opens_a_document_with_all_it_came_with(pool: asyncpg.Pool) -> None:
    body = b'{"id": 1, "note": "caf\xc3\xa9 \\u0000"}\x00\xff'
    (result,) = await keep(
        pool,
        [
            incoming(
                body=body, headers=b"{}", version=7, items=3, overtakes=True, problem="not JSON", key="order/shop/1"
            )
        ],
    )
    assert result == KeepResult(document_id=result.document_id, duplicate=False)
    row = await pool.fetchrow(
        "SELECT m.body, m.headers, d.state, d.step, d.key, d.version, d.digest, d.items, d.overtakes, d.note, "
        "d.attempts FROM document d JOIN message m ON m.id = d.message_id WHERE d.id = $1",
        result.document_id,
    )
    assert tuple(row) == (
        body, b"{}", "received", "translate", "order/shop/1", 7, digest_of(body), 3, True, "not JSON", 0,
    )  # fmt: skip


async def test_a_known_message_is_counted_and_changes_nothing(pool: asyncpg.Pool) -> None:
    await keep(pool, [incoming(body=b"first")])
    (again,) = await keep(pool, [incoming(body=b"second")])
    assert again == KeepResult(document_id=None, duplicate=True)
    assert await counts(pool) == (1, 1, 1)
    assert await pool.fetchval("SELECT body FROM message") == b"first"


async def test_the_same_id_on_another_interface_is_another_message(pool: asyncpg.Pool) -> None:
    results = await keep(pool, [incoming(), incoming(interface="market.orders")])
    assert [one.duplicate for one in results] == [False, False]
    assert await counts(pool) == (2, 2, 0)


async def test_one_batch_may_hold_a_message_several_times(pool: asyncpg.Pool) -> None:
    await keep(pool, [incoming("w0")])
    results = await keep(pool, [incoming("w1"), incoming("w0"), incoming("w2"), incoming("w1"), incoming("w1")])
    assert [one.duplicate for one in results] == [False, True, False, True, True]
    assert [one.document_id is None for one in results] == [False, True, False, True, True]
    assert await counts(pool) == (3, 3, 3)


async def test_documents_are_numbered_in_the_order_given(pool: asyncpg.Pool) -> None:
    names = [f"w{(number * 7919) % 300:03}" for number in range(300)]
    results = await keep(pool, [incoming(name) for name in names])
    ids = [one.document_id for one in results]
    assert ids == sorted(ids, key=lambda number: number or 0)
    rows = await pool.fetch(
        "SELECT d.id, m.dedup_key FROM document d JOIN message m ON m.id = d.message_id ORDER BY d.id"
    )
    assert [row["dedup_key"] for row in rows] == names


async def test_what_came_twice_or_before_leaves_the_others_in_order(pool: asyncpg.Pool) -> None:
    await keep(pool, [incoming("b")])
    results = await keep(pool, [incoming(name) for name in ("d", "b", "c", "d", "a", "c")])
    assert [one.duplicate for one in results] == [False, True, False, True, False, True]
    rows = await pool.fetch(
        "SELECT d.id, m.dedup_key FROM document d JOIN message m ON m.id = d.message_id ORDER BY d.id"
    )
    assert [row["dedup_key"] for row in rows] == ["b", "d", "c", "a"]
    assert [row["id"] for row in rows[1:]] == [one.document_id for one in results if not one.duplicate]
    assert await pool.fetch("SELECT dedup_key FROM duplicate ORDER BY id") == [("b",), ("d",), ("c",)]
    assert await keep(pool, []) == []


async def test_the_same_messages_from_many_senders_at_once_make_one_document_each(pool: asyncpg.Pool) -> None:
    names = [f"w{number}" for number in range(20)]
    # Half of the batches in the opposite order: the worst that concurrent senders can do to each other.
    batches = [[incoming(name) for name in (names if turn % 2 else reversed(names))] for turn in range(6)]
    results = await asyncio.gather(*(keep(pool, batch) for batch in batches))
    opened = [one.document_id for batch in results for one in batch if one.document_id is not None]
    assert len(opened) == len(set(opened)) == 20
    assert await counts(pool) == (20, 20, 100)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=8), min_size=1, max_size=4))
def test_received_is_documents_plus_duplicates(database: str, batches: list[list[int]]) -> None:
    async def run() -> None:
        pool = await open_pool(database, max_size=2)
        try:
            await pool.execute("TRUNCATE message, document, duplicate CASCADE")
            seen: set[int] = set()
            for batch in batches:
                results = await keep(pool, [incoming(f"w{number}") for number in batch])
                expected = []
                for number in batch:
                    expected.append(number in seen)
                    seen.add(number)
                assert [one.duplicate for one in results] == expected
            total = sum(len(batch) for batch in batches)
            assert await counts(pool) == (len(seen), len(seen), total - len(seen))
        finally:
            await pool.close()

    asyncio.run(run())


async def test_nothing_is_half_kept(pool: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.CharacterNotInRepertoireError):
        await keep(pool, [incoming("w1"), incoming("w2", version=1, key="a\x00b")])
    assert await counts(pool) == (0, 0, 0)


async def test_an_absent_database_is_said_so(database: str) -> None:
    pool = await open_pool(database)
    await pool.close()
    with pytest.raises(EngineAway):
        await keep(pool, [incoming()])


async def test_a_keeper_keeps_side_by_side_on_as_many_connections(pool: asyncpg.Pool) -> None:
    keeper = Keeper(pool)
    for turn in range(3):
        batches = [[incoming(f"w{turn}-{line}-{number}") for number in range(3)] for line in range(2)]
        results = await asyncio.gather(*(keeper.keep(batch) for batch in batches))
        assert [one.duplicate for batch in results for one in batch] == [False] * 6
    assert await counts(pool) == (18, 18, 0)
    assert pool.get_size() - pool.get_idle_size() == 2
    await keeper.close()
    assert pool.get_size() == pool.get_idle_size()


async def test_a_keeper_goes_on_after_its_connection_was_lost(pool: asyncpg.Pool) -> None:
    keeper = Keeper(pool)
    await keeper.keep([incoming("w0")])
    await pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    # Whether the loss is seen before or by the next batch depends on the moment; the one after it must not know.
    with suppress(EngineAway):
        await keeper.keep([incoming("w1")])
    (again,) = await keeper.keep([incoming("w0")])
    (other,) = await keeper.keep([incoming("w2")])
    assert (again.duplicate, other.duplicate) == (True, False)
    await keeper.close()


async def test_a_keeper_goes_on_after_a_batch_that_cannot_be_written(pool: asyncpg.Pool) -> None:
    keeper = Keeper(pool)
    with pytest.raises(asyncpg.CharacterNotInRepertoireError):
        await keeper.keep([incoming("w1", key="a\x00b")])
    (result,) = await keeper.keep([incoming("w1")])
    assert not result.duplicate
    await keeper.close()
    assert await counts(pool) == (1, 1, 0)


async def test_rejections_are_counted_with_rule_and_size(pool: asyncpg.Pool) -> None:
    await count_rejections(pool, [])
    await count_rejections(
        pool, [("shop.orders", "webhook_id", "no id", 12), ("shop.orders", "webhook_id", "no id", 3)]
    )
    rows = await pool.fetch("SELECT interface, rule, reason, size FROM rejection ORDER BY id")
    assert [tuple(row) for row in rows] == [
        ("shop.orders", "webhook_id", "no id", 12),
        ("shop.orders", "webhook_id", "no id", 3),
    ]
