# SPDX-License-Identifier: Apache-2.0
"""When a message came last is noted as it goes: what is committed late is found, and nothing is read twice for ever."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from crossdock.journal.books import READ
from crossdock.journal.last import last_uses, note_uses

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DOCUMENT = (
    "INSERT INTO document (message_id, parent_id, interface, topic, key, digest, received_at)"
    " VALUES (1, $3, $1, 'order', 'k', 0, $2)"
)
DUPLICATE = "INSERT INTO duplicate (interface, dedup_key, received_at) VALUES ($1, 'd', $2)"


async def came(conn: asyncpg.Connection, interface: str, minutes: int, parent: int | None = None) -> None:
    await conn.execute(DOCUMENT, interface, NOON + timedelta(minutes=minutes), parent)


async def last(conn: asyncpg.Connection) -> dict[str, int]:
    """Minutes after noon, by interface."""
    return {
        name: round((use.last_message - NOON).total_seconds() / 60)
        for name, use in (await last_uses(conn)).items()
        if use.last_message is not None
    }


async def test_it_is_right_before_and_after_it_is_noted(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await came(conn, "shop.orders", 5)
        await came(conn, "shop.orders", 3)
        await came(conn, "shop.orders", 9, parent=1)  # a part of a document came with it
        await conn.execute(DUPLICATE, "feed.stock", NOON + timedelta(minutes=7))
        before = await last(conn)
        assert before == {"shop.orders": 5, "feed.stock": 7}
        assert await note_uses(conn, apart=0)
        assert await last(conn) == before
        noted = {row["interface"] for row in await conn.fetch("SELECT interface FROM interface_use")}
        assert noted == {"shop.orders", "feed.stock"}


async def test_what_is_committed_late_is_found(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as slow, pool.acquire() as conn:
        transaction = slow.transaction()
        await transaction.start()
        await came(slow, "late.orders", 1)
        await came(conn, "shop.orders", 2)  # drew the higher number, and is seen first
        assert await note_uses(conn, apart=0)
        await transaction.commit()
        assert await last(conn) == {"late.orders": 1, "shop.orders": 2}
        assert await note_uses(conn, apart=0)
        noted = {row["interface"] for row in await conn.fetch("SELECT interface FROM interface_use")}
        assert noted == {"late.orders", "shop.orders"}


async def test_when_nothing_came_nothing_is_written(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        assert not await note_uses(conn, apart=0)
        await came(conn, "shop.orders", 2)
        assert [await note_uses(conn, apart=0) for _ in range(3)] == [True, True, False]


async def test_schedulers_note_one_at_a_time_and_apart(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as other, pool.acquire() as conn:
        await came(conn, "shop.orders", 2)
        async with other.transaction():
            await other.execute("SELECT FROM interface_use_seen FOR UPDATE")
            assert not await note_uses(conn, apart=0)
        assert await note_uses(conn)
        await came(conn, "shop.orders", 3)
        assert not await note_uses(conn)


async def test_only_what_is_new_is_read(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as conn:
        await conn.execute(
            "INSERT INTO document (message_id, interface, topic, key, digest)"
            " SELECT 1, 'shop.orders', 'order', 'k' || n, n FROM generate_series(1, 20000) n"
        )
        await conn.execute("ANALYZE document")
        assert await documents_read(conn) == 20_000
        for _ in range(2):
            assert await note_uses(conn, apart=0)
        await came(conn, "shop.orders", 1)
        assert await documents_read(conn) == 1


async def documents_read(conn: asyncpg.Connection) -> int:
    """How many documents the report reads, by its plan."""
    seen = await conn.fetchrow(READ.uses_seen)
    numbers = (seen["earlier_document_id"], seen["earlier_duplicate_id"])
    plan = await conn.fetchval(f"EXPLAIN (ANALYZE, TIMING off, FORMAT json) {READ.last_uses}", *numbers)

    def read(node: dict[str, Any]) -> int:
        own = (
            node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            if node.get("Relation Name") == "document"
            else 0
        )
        return round(own) + sum(read(one) for one in node.get("Plans", ()))

    return read(json.loads(plan)[0]["Plan"])
