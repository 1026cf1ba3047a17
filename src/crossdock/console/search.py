# SPDX-License-Identifier: Apache-2.0
"""Search: one box for everything; without words, the open documents with the nearest deadline first."""

from __future__ import annotations

from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.params import QueryParameter

from crossdock.console.reading import connection
from crossdock.console.render import page
from crossdock.errors import Refused
from crossdock.journal.books import open_documents
from crossdock.journal.search import Hit, search
from crossdock.runtime.telemetry import hide_credentials

LIMIT: Final = 100
OPEN_STATES: Final = ("received", "retry", "case", "delivering")
Text = Annotated[str, QueryParameter(max_length=1000)]


@get("/search", include_in_schema=False)
async def search_page(
    request: Request[Any, Any, Any],
    q: Text = "",
    interface: Text = "",
    document_state: Annotated[str, QueryParameter(name="state")] = "",
) -> Response[str]:
    """What `q` names, or the open documents of an interface and a state. At most 100 rows."""
    # Who pastes a key into the search box must not find it on the page, or on a photo of it.
    q = hide_credentials(q)
    words = q.strip()
    hits: list[Hit] = []
    problem = ""
    async with connection(request) as conn:
        if words:
            try:
                hits = await search(conn, words, LIMIT)
            except Refused as refused:
                problem = f"{refused.reason}: {refused.fix}" if refused.fix else refused.reason
            documents = []
        else:
            state = document_state if document_state in OPEN_STATES else ""
            documents = await open_documents(conn, LIMIT, interface=interface or None, state=state or None)
    return await page(
        request,
        "search.html",
        here="search",
        find=q,
        words=words,
        hits=hits,
        problem=problem,
        documents=documents,
        interface=interface,
        state=document_state,
        states=OPEN_STATES,
        limit=LIMIT,
    )
