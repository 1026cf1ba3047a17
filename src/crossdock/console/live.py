# SPDX-License-Identifier: Apache-2.0
"""Live figures as server-sent events: parts of pages that the page's script puts in their places."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litestar import Request, get
from litestar.response import Stream

from crossdock.console.feed import feed_of
from crossdock.console.overview import figures_context
from crossdock.console.render import fragment
from crossdock.console.standing import counts
from crossdock.journal.books import Book
from crossdock.observe.overview import Overview


def as_event(text: str) -> bytes:
    """`text` as one server-sent event (WHATWG HTML, section 9.2): a data line for each of its lines."""
    return ("".join(f"data: {line}\n" for line in text.splitlines()) + "\n").encode()


def draw(figures: Overview | None, books: tuple[Book, ...] | None) -> str:
    """Every part that is live; without figures only the word that they cannot be read."""
    if figures is None:
        return fragment("live.html", figures=None)
    return fragment("live.html", counts=counts(figures), **figures_context(figures, books))


@get("/live", include_in_schema=False)
async def live_figures(request: Request[Any, Any, Any]) -> Stream:
    """The stream; it ends when the page is left."""
    watched = feed_of(request).watch(draw)
    # The first answer is awaited here so that being too many is a status and not a broken stream.
    first = await anext(watched)

    async def events() -> AsyncIterator[bytes]:
        try:
            yield as_event(first)
            async for text in watched:
                yield as_event(text)
        finally:
            await watched.aclose()

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Stream(events(), media_type="text/event-stream", headers=headers)
