# SPDX-License-Identifier: Apache-2.0
"""A connection for one request; a database that is away becomes EngineAway, which answers 503."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from litestar.datastructures import State
from litestar.params import PathParameter, QueryParameter

from crossdock.runtime.postgres import away

MAX_ID = 2**63 - 1
"""The largest number that something in the database is called by."""
Id = Annotated[int, PathParameter(le=MAX_ID)]
"""Such a number in a path."""
After = Annotated[int | None, QueryParameter(ge=0, le=MAX_ID)]
"""Such a number, where a list goes on."""
_PATIENCE = 5.0


@asynccontextmanager
async def connection(state: State) -> AsyncIterator[Any]:
    """A connection of `state.pool`, waited for at most five seconds. Raises EngineAway."""
    with away():
        async with state.pool.acquire(timeout=_PATIENCE) as conn:
            yield conn
