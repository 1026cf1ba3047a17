# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/ops/documents/{id}`, `GET /v1/ops/trace/{key}` and `GET /v1/ops/search`."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.datastructures import State
from litestar.params import FromPath, QueryParameter
from litestar.types import ControllerRouterHandler

from crossdock.api.ops.books import Limit
from crossdock.api.reading import Id, connection
from crossdock.journal.history import DocumentView, Trace, document_view, trace
from crossdock.journal.search import Hit, search


@get("/v1/ops/documents/{document_id:int}", summary="One document side by side", tags=["operations"])
async def get_document(state: State, document_id: Id) -> DocumentView:
    """What was received, its canonical form, what was sent and what was answered."""
    async with connection(state) as conn:
        return await document_view(conn, document_id)


@get("/v1/ops/trace/{key:path}", summary="One business key across all systems", tags=["operations"])
async def get_trace(state: State, key: FromPath[str]) -> Trace:
    """The history of an order number, business key, PO, fulfillment reference, tracking number, SKU or document id.

    Encode "#" as %23. 409 names the choices when several things are called so.
    """
    async with connection(state) as conn:
        return await trace(conn, key.removeprefix("/"))


@get("/v1/ops/search", summary="Search", tags=["operations"])
async def get_search(state: State, text: Annotated[str, QueryParameter(name="q")], limit: Limit = 20) -> list[Hit]:
    """What the text names or begins: orders, PO numbers, customers, SKUs, tracking numbers, files, document ids."""
    async with connection(state) as conn:
        return await search(conn, text, limit)


HANDLERS: list[ControllerRouterHandler] = [get_document, get_trace, get_search]
