# SPDX-License-Identifier: Apache-2.0
"""Systems: whether each answers, what it is owed, and the account of every operation."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from crossdock.console.feed import feed_of
from crossdock.console.reading import connection
from crossdock.console.render import page
from crossdock.console.standing import health, per_minute
from crossdock.journal.books import delivery_books


@get("/systems", include_in_schema=False)
async def systems_page(request: Request[Any, Any, Any]) -> Response[str]:
    """All systems of the estate; figures at most two seconds old."""
    figures = await feed_of(request).recent()
    async with connection(request) as conn:
        accounts = await delivery_books(conn)
    return await page(
        request,
        "systems.html",
        here="systems",
        figures=figures,
        accounts=accounts,
        per_minute=per_minute,
        healths={system.system: health(system, figures.at) for system in figures.systems},
    )
