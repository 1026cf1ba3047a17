# SPDX-License-Identifier: Apache-2.0
"""Who calls what, kept: the gateway's counts go to the database every few seconds, and when it ends."""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

from crossdock.errors import EngineAway
from crossdock.governance.route_usage import RouteTally
from crossdock.runtime.postgres import away

SHARE_SECONDS = 5.0
_PATIENCE = 5.0

log = structlog.get_logger(__name__)


class CallCounts:
    """The counts of a gateway. A killed one loses those of its last SHARE_SECONDS."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.tally = RouteTally()
        self._pool = pool
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep telling the database until it is closed; survives an absent PostgreSQL."""
        self._running = asyncio.create_task(self._run())

    async def share(self) -> None:
        """Tell the database what is new; it is not asked when nothing is. Raises EngineAway."""
        if not self.tally.waiting:
            return
        with away():
            async with self._pool.acquire(timeout=_PATIENCE) as conn:
                await self.tally.share(conn)

    async def close(self) -> None:
        """Tell what was not told yet."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        try:
            await self.share()
        except (EngineAway, asyncpg.QueryCanceledError) as error:
            log.warning("usage.counts_lost", reason=str(error))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SHARE_SECONDS)
            try:
                await self.share()
            except (EngineAway, asyncpg.QueryCanceledError) as error:
                log.info("usage.counts_wait", reason=str(error))
            except Exception:  # edge: a bug here must not end the counting; it is told and tried again
                log.exception("usage.share_failed")
