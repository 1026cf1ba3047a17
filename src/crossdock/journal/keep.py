# SPDX-License-Identifier: Apache-2.0
"""Keep messages (Idempotent Receiver, Message Store): new ones open a document, known ones are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import structlog
from asyncpg.exceptions import InterfaceError, InternalClientError
from asyncpg.prepared_stmt import PreparedStatement

from crossdock.errors import EngineAway
from crossdock.runtime.postgres import away, load_queries
from crossdock.sdk.receiving import Incoming, KeepResult

SQL = load_queries(__package__)
MAX_BATCH = 1000
_DEADLOCK_TRIES = 5
Fetch = Callable[..., Awaitable[asyncpg.Record]]
_DUPLICATE = KeepResult(document_id=None, duplicate=True)

log = structlog.get_logger(__name__)


async def keep(pool: asyncpg.Pool, batch: Sequence[Incoming]) -> list[KeepResult]:
    """Commit `batch` (at most MAX_BATCH) and say of each whether it is new; same order out.

    A message whose (interface, dedup_key) is known, or comes twice in the batch, makes no second document and is
    counted. When this returns, every new message, its document and every count are durable. Raises EngineAway when
    PostgreSQL cannot be reached; part of the batch may be kept then, and is a duplicate when it comes again.
    """

    async def fetch(*columns: object) -> asyncpg.Record:
        async with pool.acquire() as conn:
            row: asyncpg.Record = await conn.fetchrow(SQL.keep, *columns)
            return row

    return await _keep(pool, fetch, batch)


async def keep_within(conn: asyncpg.Connection, batch: Sequence[Incoming]) -> int:
    """Keep `batch` (at most MAX_BATCH, of one interface) in the transaction of `conn`; how many of it were new.

    For what we read ourselves: a message that is known was read again and not sent again, so it is not counted.
    """
    if not batch:
        return 0
    first: dict[str, Incoming] = {}
    for item in batch:
        first.setdefault(item.dedup_key, item)
    for row in await conn.fetch(SQL.known_messages, batch[0].interface, list(first)):
        del first[row["dedup_key"]]
    if not first:
        return 0
    row = await conn.fetchrow(SQL.keep, *_columns(list(first.values())))
    return len(row["opened"] or ())


class Keeper:
    """Keeps batch after batch on connections of `pool` that it holds on to, as many as batches are kept at a time.

    Asking a pool for a connection and it for its statement costs as much as keeping a dozen messages.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._idle: list[tuple[asyncpg.Connection, PreparedStatement]] = []

    async def keep(self, batch: Sequence[Incoming]) -> list[KeepResult]:
        """As the function `keep`."""
        return await _keep(self._pool, self._fetch, batch)

    async def close(self) -> None:
        """Give the connections back."""
        while self._idle:
            conn, _ = self._idle.pop()
            await self._pool.release(conn)

    async def _fetch(self, *columns: object) -> asyncpg.Record:
        conn, statement = await self._take()
        try:
            row: asyncpg.Record = await statement.fetchrow(*columns)
        except InternalClientError as error:
            # The server said goodbye while the connection lay idle, and its end has not arrived yet: nothing was sent.
            await self._drop(conn)
            raise EngineAway(f"PostgreSQL ended the connection: {error}") from error
        except BaseException:
            await self._drop(conn)
            raise
        self._idle.append((conn, statement))
        return row

    async def _take(self) -> tuple[asyncpg.Connection, PreparedStatement]:
        while self._idle:
            conn, statement = self._idle.pop()
            if _open(conn):
                return conn, statement
            await self._drop(conn)
        conn = await self._pool.acquire()
        try:
            return conn, await conn.prepare(SQL.keep)
        except BaseException:
            await self._drop(conn)
            raise

    async def _drop(self, conn: asyncpg.Connection) -> None:
        """Let the pool make a new one: whatever went wrong, the next batch meets nothing of it."""
        if _open(conn):
            conn.terminate()
        await self._pool.release(conn)


def _open(conn: asyncpg.Connection) -> bool:
    try:
        return not conn.is_closed()
    except InterfaceError:  # the pool has taken back what was lost
        return False


async def _keep(pool: asyncpg.Pool, fetch: Fetch, batch: Sequence[Incoming]) -> list[KeepResult]:
    if not batch:
        return []
    first: dict[tuple[str, str], Incoming] = {}
    for item in batch:
        first.setdefault((item.interface, item.dedup_key), item)
    if len(first) == len(batch):
        opened = await _insert(fetch, batch)
    else:
        numbers = dict(zip(first, await _insert(fetch, list(first.values())), strict=True))
        opened = [numbers.pop((item.interface, item.dedup_key), None) for item in batch]
    results = [_DUPLICATE if number is None else KeepResult(document_id=number, duplicate=False) for number in opened]
    known = [item for item, result in zip(batch, results, strict=True) if result is _DUPLICATE]
    if known:
        with away():
            async with pool.acquire() as conn:
                await conn.execute(SQL.count_duplicates, [i.interface for i in known], [i.dedup_key for i in known])
    return results


async def _insert(fetch: Fetch, items: Sequence[Incoming]) -> list[int | None]:
    """The document opened for each of `items`, whose keys differ; None for those that were known."""
    columns = _columns(items)
    for attempt in range(1, _DEADLOCK_TRIES + 1):
        try:
            with away():
                drawn, opened = await fetch(*columns)
        except asyncpg.DeadlockDetectedError:
            # Two batches held each other's keys: the same messages came twice at the same moment.
            log.info("keep.deadlock", attempt=attempt)
            await asyncio.sleep(0.01 * attempt)
        else:
            new = set(opened or ())
            return [number if number in new else None for number in drawn]
    raise EngineAway("the journal could not take the batch: it kept colliding with another one")


def _columns(items: Sequence[Incoming]) -> tuple[object, ...]:
    """The arguments of the statement `keep`."""
    headers, lines, problems = [i.headers for i in items], [i.items for i in items], [i.problem for i in items]
    return (
        _once([i.interface for i in items]),
        _once([i.topic for i in items]),
        [i.dedup_key for i in items],
        [i.key for i in items],
        _numbers([i.version for i in items]),
        [i.body for i in items],
        _numbers([i.digest for i in items]),
        _once([i.overtakes for i in items]),
        # Webhooks have none of these: an empty column reads as its default.
        headers if any(headers) else [],
        lines if lines.count(1) != len(lines) else [],
        problems if any(problems) else [],
    )


def _once(column: list[Any]) -> list[Any]:
    """A column of one value throughout is given once: asyncpg looks hard at every element of an array."""
    return column[:1] if column.count(column[0]) == len(column) else column


def _numbers(column: list[int]) -> str:
    """A column of numbers as PostgreSQL writes it, a tenth of the work of encoding it one by one."""
    return f"{{{str(column)[1:-1]}}}"


async def count_rejections(pool: asyncpg.Pool, rejections: Sequence[tuple[str, str, str, int]]) -> None:
    """Count messages refused at the door: (interface, rule, reason, size in bytes) each."""
    if rejections:
        async with pool.acquire() as conn:
            await conn.execute(SQL.count_rejections, *(list(column) for column in zip(*rejections, strict=True)))
