# SPDX-License-Identifier: Apache-2.0
"""The stock of a worker process: one view of all levels, kept up from the outbox, told on to everyone who publishes.

It is read from the database when the first of them asks for it and followed from then on; NATS has no part in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime

import asyncpg
import structlog

from crossdock.catalog.cache import Catalog
from crossdock.errors import EngineAway
from crossdock.inventory.follow import LevelFollower
from crossdock.inventory.level import Level
from crossdock.inventory.rules import StockRules
from crossdock.inventory.view import StockView
from crossdock.runtime.clock import now
from crossdock.runtime.postgres import away

POLL_SECONDS = 0.15
# Woken more often than this, the outbox is read no more often.
LEAST_SECONDS = 0.05
REFRESH_SECONDS = 5.0
AWAY_SECONDS = 1.0

Changes = Mapping[str, datetime]
"""SKU → when the oldest of its changes was made."""

log = structlog.get_logger(__name__)


class StockFeed:
    """Keeps `view` up to date while `run` runs. Listeners are told SKUs that changed; None: anything may have."""

    def __init__(self, pool: asyncpg.Pool, rules: StockRules, catalog: Catalog) -> None:
        self.view = StockView(rules, catalog)
        self._pool = pool
        self._follower: LevelFollower | None = None
        self._loading = asyncio.Lock()
        self._listeners: list[Callable[[Changes | None], None]] = []
        self._wake = asyncio.Event()
        self._refresh_at = 0.0
        self._place = (0, 0)

    @property
    def place(self) -> tuple[int, int]:
        """The place in the outbox (transaction, row) up to which everything is in the view and was told on."""
        return self._place

    def listen(self, listener: Callable[[Changes | None], None]) -> None:
        """Tell `listener` of every change from now on."""
        self._listeners.append(listener)

    def wake(self) -> None:
        """Levels may have changed just now."""
        self._wake.set()

    async def ready(self) -> None:
        """Return when the view holds every level. EngineAway, or what PostgreSQL says, when it cannot be read."""
        async with self._loading:
            if self._follower is not None:
                return
            with away():
                async with self._pool.acquire() as conn:
                    follower = await LevelFollower.begin(conn)
                    await self.view.refresh(conn)
                    number = await self.view.load(conn)
            self._refresh_at = asyncio.get_running_loop().time() + REFRESH_SECONDS
            self._follower, self._place = follower, follower.place
            log.info("stock.loaded", levels=number)

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop` is set; survives an absent database."""
        while not stop.is_set():
            pause = POLL_SECONDS
            try:
                if self._follower is not None and await self._round(self._follower):
                    continue
            except EngineAway as error:
                log.warning("stock.engine_away", reason=error.reason)
                pause = AWAY_SECONDS
            except Exception:  # edge: one bad read must not end publishing; what was read is taken over
                log.exception("stock.follow_failed")
                pause = AWAY_SECONDS
            await self._rest(pause)

    async def _round(self, follower: LevelFollower) -> bool:
        """Take over what changed; whether there is more at once."""
        clock = asyncio.get_running_loop().time()
        with away():
            async with self._pool.acquire() as conn:
                levels, more = await follower.next(conn)
                # The follower has moved: what it read is taken over before anything else can fail.
                changes = self._take_over(levels)
                if changes:
                    self._tell(changes)
                self._place = follower.place
                if clock >= self._refresh_at:
                    self._refresh_at = clock + REFRESH_SECONDS
                    if await self.view.refresh(conn):
                        self._tell(None)
        return more

    def _tell(self, changes: Changes | None) -> None:
        for listener in self._listeners:
            listener(changes)

    def _take_over(self, levels: Iterable[Level]) -> Changes:
        oldest: dict[str, datetime] = {}
        for level in levels:
            at = level.changed_at
            if at is not None and (level.sku not in oldest or at < oldest[level.sku]):
                oldest[level.sku] = at
        products = self.view.catalog.products
        changes: dict[str, datetime] = {}
        for sku in self.view.apply(levels):
            at = oldest.get(sku)
            if at is None:
                # A bundle changed when the first of its components did.
                parts = products[sku].components if sku in products else ()
                at = min((oldest[part] for part in parts if part in oldest), default=now())
            changes[sku] = at
        return changes

    async def _rest(self, pause: float) -> None:
        await asyncio.sleep(min(LEAST_SECONDS, pause))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(pause - LEAST_SECONDS, 0.0)):
                await self._wake.wait()
        self._wake.clear()
