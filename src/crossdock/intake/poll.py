# SPDX-License-Identifier: Apache-2.0
"""Ask systems what changed (Polling Consumer, Idempotent Receiver): page by page, kept as webhooks are.

How far a topic was read moves in the commit that keeps the page, so a crash loses nothing and doubles nothing. It never
moves past the moment at which the turn began, and every turn looks back by `overlap`: what is committed later than the
time it carries is seen, as long as it is not later by more than that. What was kept before is recognised and not
counted: we asked twice, nobody told twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

import asyncpg
from msgspec import Struct

from crossdock.errors import CrossdockError, EngineAway, RetryLater
from crossdock.intake.hooks import storable
from crossdock.journal.keep import MAX_BATCH, keep_within
from crossdock.runtime.backoff import backoff
from crossdock.runtime.postgres import away, load_queries
from crossdock.sdk.polling import Polled, PolledPage, Poller
from crossdock.sdk.receiving import Identified, Incoming, digest_of

SQL = load_queries(__package__)
# A turn ends after so many pages, however much there is: the next one goes on from there.
MOST_PAGES: Final = 1000
FIRST_WAIT: Final = 2.0
LONGEST_WAIT: Final = 300.0
_LONGEST_TROUBLE: Final = 500


class Asked(Struct, frozen=True, kw_only=True):
    """A topic that is asked about. `since`: from when, the first time; None = from now on. `patience`: seconds that a
    page may take; `pause`: seconds between pages. `overtakes`: its documents are full statements (see Incoming)."""

    interface: str
    topic: str
    every: timedelta
    overlap: timedelta
    since: datetime | None = None
    patience: float = 60.0
    pause: float = 0.0
    overtakes: bool = False


class Turn(Struct, frozen=True):
    """A turn at a topic. `reached`: how far it was read before; `begun`: when the turn began."""

    number: int
    reached: datetime
    begun: datetime


class Read(Struct, frozen=True, kw_only=True):
    """What a turn came to: pages, documents on them, those that were new. `whole`: nothing was left."""

    pages: int
    documents: int
    kept: int
    whole: bool


async def sync_polls(pool: asyncpg.Pool, topics: Sequence[Asked]) -> None:
    """Begin with new topics, and forget none: one that is asked about again goes on from where it was."""
    columns = [one.interface for one in topics], [one.topic for one in topics], [one.since for one in topics]
    with away():
        await pool.execute(SQL.sync_polls, *columns)


async def due_in(pool: asyncpg.Pool, asked: Asked) -> float:
    """Seconds until the topic may be read; not above zero when it may."""
    with away():
        seconds: float | None = await pool.fetchval(SQL.due_in, asked.interface, asked.topic)
    return LONGEST_WAIT if seconds is None else seconds


async def poll(
    pool: asyncpg.Pool, asked: Asked, poller: Poller, wake: Callable[[], Awaitable[object]], stop: asyncio.Event
) -> Read | None:
    """Read a topic from where it was to its end; None when it is not due or another scheduler reads it.

    `wake` is called after each commit that kept something. Raises what the poller raises, after the time of the next
    try was noted; EngineAway when PostgreSQL is away.
    """
    with away():
        row = await pool.fetchrow(SQL.take_turn, asked.interface, asked.topic, _lease(asked))
    if row is None:
        return None
    turn = Turn(row["turn"], row["reached"], row["begun"])
    try:
        return await _read(pool, asked, turn, poller, wake, stop)
    except EngineAway:
        raise
    except CrossdockError as error:
        await _failed(pool, asked, turn, error)
        raise
    except Exception as error:  # edge: a bug in a connector: noted as trouble, tried again later, told to the caller
        await _failed(pool, asked, turn, CrossdockError(f"unexpected {type(error).__name__}: {error}"))
        raise


async def _read(
    pool: asyncpg.Pool,
    asked: Asked,
    turn: Turn,
    poller: Poller,
    wake: Callable[[], Awaitable[object]],
    stop: asyncio.Event,
) -> Read:
    since, after = turn.reached - asked.overlap, ""
    pages = documents = kept = 0
    while True:
        page = await _page(poller, asked, since, after)
        new = await _keep(pool, asked, turn, page)
        pages, documents, kept = pages + 1, documents + len(page.items), kept + new
        if new:
            await wake()
        whole = not page.next
        if whole or pages >= MOST_PAGES:
            await _write(pool, SQL.end_turn, asked, turn, asked.every.total_seconds() if whole else 0.0, turn.begun)
            return Read(pages=pages, documents=documents, kept=kept, whole=whole)
        if page.next == after:
            raise RetryLater(f"{asked.topic}: the page after {after[:100]!r} is itself", rule="page")
        after = page.next
        if await _stopped(stop, asked.pause):
            await _write(pool, SQL.break_off, asked, turn)
            return Read(pages=pages, documents=documents, kept=kept, whole=False)


async def _page(poller: Poller, asked: Asked, since: datetime, after: str) -> PolledPage:
    try:
        async with asyncio.timeout(asked.patience):
            return await poller.page(asked.topic, since, after)
    except TimeoutError as error:
        raise RetryLater(f"a page of {asked.topic} took longer than {asked.patience:g} s", rule="no_answer") from error


async def _keep(pool: asyncpg.Pool, asked: Asked, turn: Turn, page: PolledPage) -> int:
    """Keep what is new of a page and move on behind it, in one commit; how much was new."""
    incoming = [_incoming(asked, item) for item in page.items]
    # Never past the turn's beginning: what was not to be seen when the first page was read carries a later time, or one
    # within the overlap.
    reached = turn.reached if page.reached is None else min(page.reached, turn.begun)
    kept = 0
    with away():
        async with pool.acquire() as conn, conn.transaction():
            mine = await conn.fetchval(SQL.advance, asked.interface, asked.topic, turn.number, reached, _lease(asked))
            if mine is None:
                raise RetryLater(f"another scheduler reads {asked.topic} of {asked.interface} now", rule="turn")
            for begin in range(0, len(incoming), MAX_BATCH):
                kept += await keep_within(conn, incoming[begin : begin + MAX_BATCH])
    return kept


def _incoming(asked: Asked, item: Polled) -> Incoming:
    named = Identified(
        dedup_key=item.dedup_key, key=item.key, topic=asked.topic, version=item.version, problem=item.problem
    )
    if not storable(named):
        digest = blake2b(item.body, digest_size=16).hexdigest()
        named = Identified(
            dedup_key=f"bytes/{digest}",
            key=f"unreadable/{asked.interface}/{digest}",
            topic=asked.topic,
            problem="what it is about has no name that can be kept: too long or not printable",
        )
    return Incoming(
        interface=asked.interface,
        topic=asked.topic,
        dedup_key=named.dedup_key,
        key=named.key,
        version=named.version,
        body=item.body,
        digest=digest_of(item.body),
        overtakes=asked.overtakes,
        problem=named.problem,
    )


async def _failed(pool: asyncpg.Pool, asked: Asked, turn: Turn, error: CrossdockError) -> None:
    with away():
        before = await pool.fetchval(SQL.failures, asked.interface, asked.topic)
    wait = error.after if isinstance(error, RetryLater) and error.after is not None else None
    if wait is None:
        wait = backoff((before or 0) + 1, first=FIRST_WAIT, most=LONGEST_WAIT)
    trouble = error.reason.replace("\x00", "\ufffd")[:_LONGEST_TROUBLE]
    await _write(pool, SQL.fail_turn, asked, turn, min(wait, LONGEST_WAIT), trouble)


async def _write(pool: asyncpg.Pool, statement: str, asked: Asked, turn: Turn, *values: object) -> None:
    with away():
        await pool.execute(statement, asked.interface, asked.topic, turn.number, *values)


def _lease(asked: Asked) -> float:
    """Seconds that a turn is ours: a page, the pause before it, and time to keep it."""
    return asked.patience + asked.pause + 30.0


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Whether `stop` is set within `seconds`."""
    if seconds > 0 and not stop.is_set():
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return False
    return stop.is_set()
