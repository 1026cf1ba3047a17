# SPDX-License-Identifier: Apache-2.0
"""The figures every viewer sees: read once a second for all of them together, and only while somebody looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any, Final

import asyncpg
import structlog
from litestar import Request
from msgspec import Struct

from crossdock.errors import Busy, EngineAway
from crossdock.journal.books import Book, balance
from crossdock.observe.overview import Overview, OverviewReader
from crossdock.runtime.postgres import away

MAX_VIEWERS: Final = 200
EVERY: Final = 1.0
RECENT: Final = 2.0
# Reading takes at most this part of the time, however slow the database is.
_SHARE: Final = 0.2
_BOOKS_EVERY: Final = 15.0
_BOOKS_SHARE: Final = 0.02
_PATIENCE: Final = 0.15

log = structlog.get_logger(__name__)


class Standing(Struct, frozen=True):
    """The books as they were last counted; `at`: the monotonic clock then."""

    books: tuple[Book, ...]
    at: float


class Feed:
    """One per application. Reads figures for pages and pushes them to viewers, whose number is bounded."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._reader = OverviewReader()
        self._reading = asyncio.Lock()
        self._figures: Overview | None = None
        self._read_at = float("-inf")
        self._took = 0.0
        self._standing: Standing | None = None
        self._counting: asyncio.Task[None] | None = None
        self._counted_in = 0.0
        self._viewers: set[asyncio.Queue[str]] = set()
        self._loop: asyncio.Task[None] | None = None

    @property
    def reads(self) -> bool:
        """Whether figures are being read for viewers just now."""
        return self._loop is not None

    async def close(self) -> None:
        """End reading; viewers hear nothing more."""
        tasks = [task for task in (self._loop, self._counting) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def viewers(self) -> int:
        """How many look just now."""
        return len(self._viewers)

    async def recent(self, age: float = RECENT) -> Overview:
        """Figures at most `age` seconds old. Raises EngineAway."""
        async with self._reading:
            if self._figures is None or time.monotonic() - self._read_at > age:
                began = time.monotonic()
                with away():
                    async with self._pool.acquire() as conn:
                        self._figures = await self._reader.read(conn)
                self._read_at = time.monotonic()
                self._took = self._read_at - began
            return self._figures

    async def books(self) -> tuple[Book, ...] | None:
        """The books as counted a moment ago; None when the first count takes longer than a page should wait."""
        stale = max(_BOOKS_EVERY, self._counted_in / _BOOKS_SHARE)
        if self._counting is None and (self._standing is None or time.monotonic() - self._standing.at > stale):
            self._counting = asyncio.create_task(self._count())
        if self._standing is None and self._counting is not None:
            await asyncio.wait([self._counting], timeout=_PATIENCE)
        return self._standing.books if self._standing else None

    async def _count(self) -> None:
        began = time.monotonic()
        try:
            with away():
                async with self._pool.acquire() as conn:
                    books = await balance(conn)
            self._standing = Standing(tuple(books), time.monotonic())
        except EngineAway as error:
            log.warning("console.books_not_counted", reason=error.reason)
        finally:
            self._counted_in = time.monotonic() - began
            self._counting = None

    async def watch(self, draw: Callable[[Overview | None, tuple[Book, ...] | None], str]) -> AsyncGenerator[str, None]:
        """What `draw` makes of figures and books, every second; a slow viewer gets the newest and misses the rest.

        `draw` is called once for all viewers, with None when the database does not answer.
        Raises Busy when as many look as may.
        """
        if len(self._viewers) >= MAX_VIEWERS:
            raise Busy(f"{MAX_VIEWERS} viewers look at live figures already; reload the page instead")
        mine: asyncio.Queue[str] = asyncio.Queue(maxsize=1)
        self._viewers.add(mine)
        try:
            if self._loop is None:
                self._loop = asyncio.create_task(self._push(draw))
            while True:
                yield await mine.get()
        finally:
            self._viewers.discard(mine)

    async def _push(self, draw: Callable[[Overview | None, tuple[Book, ...] | None], str]) -> None:
        try:
            while self._viewers:
                try:
                    text = draw(await self.recent(EVERY / 2), await self.books())
                except EngineAway:
                    text = draw(None, None)
                for queue in self._viewers:
                    if queue.full():
                        queue.get_nowait()
                    queue.put_nowait(text)
                await asyncio.sleep(max(EVERY, self._took / _SHARE))
        finally:
            self._loop = None


def feed_of(request: Request[Any, Any, Any]) -> Feed:
    """The feed of the application that answers `request`; made when the first page is asked for."""
    state = request.app.state
    if "console_feed" not in state:
        state.console_feed = Feed(state.pool)
    feed: Feed = state.console_feed
    return feed
