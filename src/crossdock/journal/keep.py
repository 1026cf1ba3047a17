# SPDX-License-Identifier: Apache-2.0
"""Keep messages (Idempotent Receiver, Message Store): new ones open a document, known ones are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog

from crossdock.errors import EngineAway
from crossdock.runtime.postgres import away, load_queries
from crossdock.sdk.receiving import Incoming, KeepResult

SQL = load_queries(__package__)
MAX_BATCH = 1000
_DEADLOCK_TRIES = 5

log = structlog.get_logger(__name__)


async def keep(pool: asyncpg.Pool, batch: Sequence[Incoming]) -> list[KeepResult]:
    """Commit `batch` (at most MAX_BATCH) in one transaction and say of each whether it is new; same order out.

    A message whose (interface, dedup_key) is known, or comes twice in the batch, makes no second document. When this
    returns, every new message and its document are durable. Raises EngineAway when PostgreSQL cannot be reached.
    """
    first: dict[tuple[str, str], Incoming] = {}
    twice = [item for item in batch if first.setdefault((item.interface, item.dedup_key), item) is not item]
    opened = await _insert(pool, list(first.values()), twice)
    return [
        KeepResult(document_id=number, duplicate=number is None)
        for item in batch
        for number in [opened.pop((item.interface, item.dedup_key), None)]
    ]


async def _insert(pool: asyncpg.Pool, items: list[Incoming], twice: list[Incoming]) -> dict[tuple[str, str], int]:
    columns: tuple[list[object], ...] = (
        [i.interface for i in items],
        [i.topic for i in items],
        [i.dedup_key for i in items],
        [i.key for i in items],
        [i.version for i in items],
        [i.body for i in items],
        [i.digest for i in items],
        [i.overtakes for i in items],
        # Webhooks have none of these: an empty column reads as its default.
        [i.headers for i in items] if any(i.headers for i in items) else [],
        [i.items for i in items] if any(i.items != 1 for i in items) else [],
        [i.problem for i in items] if any(i.problem for i in items) else [],
    )
    for attempt in range(1, _DEADLOCK_TRIES + 1):
        try:
            with away():
                async with pool.acquire() as conn:
                    rows = await _write(conn, columns, twice)
            return {(row["interface"], row["dedup_key"]): row["document_id"] for row in rows}
        except asyncpg.DeadlockDetectedError:
            # Two batches held each other's keys: the same messages came twice at the same moment.
            log.info("keep.deadlock", attempt=attempt)
            await asyncio.sleep(0.01 * attempt)
    raise EngineAway("the journal could not take the batch: it kept colliding with another one")


async def _write(
    conn: asyncpg.Connection, columns: tuple[list[object], ...], twice: list[Incoming]
) -> list[asyncpg.Record]:
    if not twice:
        return await conn.fetch(SQL.keep, *columns)
    async with conn.transaction():
        rows = await conn.fetch(SQL.keep, *columns)
        await conn.execute(SQL.count_duplicates, [i.interface for i in twice], [i.dedup_key for i in twice])
    return rows


async def count_rejections(pool: asyncpg.Pool, rejections: Sequence[tuple[str, str, str, int]]) -> None:
    """Count messages refused at the door: (interface, rule, reason, size in bytes) each."""
    if rejections:
        async with pool.acquire() as conn:
            await conn.execute(SQL.count_rejections, *(list(column) for column in zip(*rejections, strict=True)))
