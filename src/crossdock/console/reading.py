# SPDX-License-Identifier: Apache-2.0
"""A connection for one request; a database that is away becomes the one error that pages know how to show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
from litestar import Request

from crossdock.runtime.postgres import away

# The largest id that PostgreSQL's bigint holds.
MAX_ID: Final = 2**63 - 1


@asynccontextmanager
async def connection(request: Request[Any, Any, Any]) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the application's pool. Raises EngineAway when the database cannot be reached."""
    with away():
        async with request.app.state.pool.acquire() as conn:
            yield conn


@asynccontextmanager
async def transaction(request: Request[Any, Any, Any]) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction that is committed at the end. Raises EngineAway as `connection`."""
    async with connection(request) as conn, conn.transaction():
        yield conn
