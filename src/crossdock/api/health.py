# SPDX-License-Identifier: Apache-2.0
"""Is this process alive (`/healthz`), and can it do its work (`/readyz`)."""

from __future__ import annotations

import asyncio

from litestar import Response, get
from litestar.datastructures import State
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from crossdock.api.reading import connection
from crossdock.errors import EngineAway

_PATIENCE = 3.0


class Health(Struct, frozen=True, kw_only=True):
    """`status` is "ok", or "away" with what is missing."""

    status: str
    problems: list[str] = []


@get("/healthz", summary="Is the process alive", tags=["operations"], sync_to_thread=False)
def healthz() -> Health:
    """200 while the process answers; asks nothing of the engines, so that a restart is not the cure for theirs."""
    return Health(status="ok")


@get("/readyz", summary="Can the process do its work", tags=["operations"])
async def readyz(state: State) -> Response[Health]:
    """200 when the database answers within three seconds and what is kept in memory was read once, else 503 with the
    reason."""
    try:
        async with asyncio.timeout(_PATIENCE), connection(state) as conn:
            await conn.fetchval("SELECT 1")
    except (EngineAway, TimeoutError):
        return Response(Health(status="away", problems=["PostgreSQL does not answer"]), status_code=503)
    problems = [problem for ready in state.get("ready", ()) if (problem := ready())]
    if problems:
        return Response(Health(status="away", problems=problems), status_code=503)
    return Response(Health(status="ok"))


HANDLERS: list[ControllerRouterHandler] = [healthz, readyz]
