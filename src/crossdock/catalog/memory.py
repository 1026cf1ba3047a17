# SPDX-License-Identifier: Apache-2.0
"""The catalog that a gateway remembers: kept up while PostgreSQL is there, and how old it is when it is not."""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

from crossdock.catalog.cache import Catalog
from crossdock.errors import EngineAway
from crossdock.runtime.postgres import away

LOOK_SECONDS = 0.5
PATIENCE = 5.0

log = structlog.get_logger(__name__)


class CatalogMemory:
    """Keeps `catalog` up to date while `run` runs; others may share it and refresh it too."""

    def __init__(self, pool: asyncpg.Pool, catalog: Catalog) -> None:
        self.catalog = catalog
        self._pool = pool
        self._looked_at: float | None = None

    @property
    def age(self) -> float | None:
        """Seconds for which changes may have been missed; None before everything was read once."""
        return None if self._looked_at is None else asyncio.get_running_loop().time() - self._looked_at

    async def look(self) -> None:
        """Read what has changed. Raises EngineAway."""
        began = asyncio.get_running_loop().time()
        with away():
            async with self._pool.acquire(timeout=PATIENCE) as conn:
                await self.catalog.refresh(conn)
        self._looked_at = began

    async def run(self) -> None:
        """Look again and again until cancelled; survives an absent PostgreSQL."""
        while True:
            try:
                await self.look()
            except EngineAway as error:
                log.debug("catalog.engine_away", reason=error.reason)
            except Exception:  # edge: what was read last is answered from, and it is tried again
                log.exception("catalog.look_failed")
            await asyncio.sleep(LOOK_SECONDS)
