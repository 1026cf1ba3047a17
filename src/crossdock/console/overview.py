# SPDX-License-Identifier: Apache-2.0
"""Overview: what comes in, what is settled, what is open and late, and whether the books balance; live."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from crossdock.console.feed import feed_of
from crossdock.console.render import page
from crossdock.console.standing import headline, health, over_time, per_minute, system_map, unbalanced
from crossdock.journal.books import Book
from crossdock.observe.overview import Overview


def figures_context(figures: Overview, books: tuple[Book, ...] | None) -> dict[str, Any]:
    """What the figures' template needs, the same for the page and for its live part."""
    return {
        "figures": figures,
        "books": books,
        "wrong": unbalanced(books or ()),
        "top": headline(figures),
        "chart": over_time(figures),
        "map": system_map(figures),
        "per_minute": per_minute,
        "healths": {system.system: health(system, figures.at) for system in figures.systems},
    }


@get("/", include_in_schema=False)
async def overview_page(request: Request[Any, Any, Any]) -> Response[str]:
    """The overview, with figures at most two seconds old."""
    feed = feed_of(request)
    figures = await feed.recent()
    return await page(request, "overview.html", here="overview", **figures_context(figures, await feed.books()))
