# SPDX-License-Identifier: Apache-2.0
"""A document: one timeline across systems, why it went where it went, and what was said to whom (Message History)."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get
from litestar.params import FromQuery, PathParameter, QueryParameter
from litestar.response import Redirect

from crossdock.console.lanes import draw_lanes
from crossdock.console.reading import MAX_ID, connection
from crossdock.console.render import page
from crossdock.journal.history import trace
from crossdock.journal.traced import Entry, OrderMark
from crossdock.journal.view import DocumentView, Payload, Travelled, document_view
from crossdock.routing.route import DecisionRecord, decision_of
from crossdock.runtime.clock import now

_TONES: Final = {
    "received": "work",
    "decided": "work",
    "edited": "work",
    "action": "work",
    "delivered": "good",
    "settled": "good",
    "closed": "good",
    "shipped": "good",
    "told": "good",
    "case": "bad",
}


@get("/documents/{document_id:int}", include_in_schema=False)
async def document_page(
    request: Request[Any, Any, Any],
    document_id: Annotated[int, PathParameter(ge=1, le=MAX_ID)],
    sent: FromQuery[str] = "",
    only: FromQuery[bool] = False,
) -> Response[str]:
    """One document. `sent`: the exchange to show, "<delivery>.<try>"; `only`: the timeline of this document alone."""
    async with connection(request) as conn:
        view = await document_view(conn, document_id)
        history = await trace(conn, view.document.key)
    entries = [entry for entry in history.timeline if not only or entry.document_id == document_id]
    mine = [delivery for delivery in history.deliveries if delivery.document_id == document_id]
    return await page(
        request,
        "document.html",
        here="search",
        view=view,
        document=view.document,
        history=history,
        entries=entries,
        entry_tone=entry_tone,
        only=only,
        deliveries=mine,
        lanes=draw_lanes(view.document, history.deliveries, now()),
        decision=read_decision(history.order) if history.order else None,
        open_case=next((case for case in view.cases if case.state == "open"), None),
        shown=chosen_exchange(view, sent),
        pretty=pretty,
    )


@get("/trace", include_in_schema=False)
async def trace_page(
    request: Request[Any, Any, Any], key: Annotated[str, QueryParameter(max_length=500)]
) -> Response[str] | Redirect:
    """The permalink of a business key: its newest document, or the history of a SKU, which has none."""
    async with connection(request) as conn:
        history = await trace(conn, key)
    if history.documents:
        return Redirect(f"/console/documents/{history.documents[-1].id}", status_code=302)
    return await page(
        request, "trace.html", here="search", history=history, entries=history.timeline, entry_tone=entry_tone
    )


def trace_address(key: str) -> str:
    """The permalink of `key`."""
    return f"/console/trace?key={quote(key, safe='')}"


def entry_tone(entry: Entry) -> str:
    """The tone of a mark on the timeline; a try is good only when it delivered."""
    if entry.kind == "attempt":
        return "good" if entry.title.endswith("delivered") else "warn"
    return _TONES.get(entry.kind, "idle")


def read_decision(order: OrderMark) -> DecisionRecord:
    """The decision kept with `order`; empty when it is not JSON of a decision, which the page then says."""
    try:
        return decision_of(order.decision)
    except msgspec.DecodeError:
        return DecisionRecord()


def chosen_exchange(view: DocumentView, sent: str) -> Travelled | None:
    """The exchange named by `sent`, else the newest; None when nothing travelled yet."""
    named = [travelled for travelled in view.exchanges if f"{travelled.delivery_id}.{travelled.number}" == sent]
    newest = sorted(view.exchanges, key=lambda travelled: travelled.started_at)
    found = named or newest
    return found[-1] if found else None


def pretty(body: Payload) -> str:
    """JSON with indents; anything else, and JSON cut short, as it is."""
    if body.truncated:
        return body.text
    try:
        msgspec.json.decode(body.text, type=msgspec.Raw)
        return msgspec.json.format(body.text, indent=2)
    except msgspec.DecodeError:
        return body.text
