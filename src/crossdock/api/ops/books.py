# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/ops/books` and `GET /v1/ops/open`."""

from __future__ import annotations

from typing import Annotated, Literal

from litestar import get
from litestar.datastructures import State
from litestar.params import FromQuery, QueryParameter
from litestar.types import ControllerRouterHandler
from msgspec import Struct

from crossdock.api.reading import connection
from crossdock.journal.books import MAX_ROWS, Book, DeliveryBook, OpenDocument, balance, delivery_books, open_documents

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_ROWS, description=f"at most this many rows, {MAX_ROWS} at most")]
OpenState = Literal["received", "retry", "case", "delivering"]


class Books(Struct, frozen=True, kw_only=True):
    """The books of every interface and of every system. `balanced` when all of them are."""

    balanced: bool
    interfaces: list[Book]
    deliveries: list[DeliveryBook]


@get("/v1/ops/books", summary="The books", tags=["operations"])
async def get_books(state: State) -> Books:
    """Per interface received = duplicate + rejected + settled + open; per system what it is owed."""
    async with connection(state) as conn:
        interfaces, deliveries = await balance(conn), await delivery_books(conn)
    balanced = all(book.balanced for book in interfaces) and all(book.balanced for book in deliveries)
    return Books(balanced=balanced, interfaces=interfaces, deliveries=deliveries)


@get("/v1/ops/open", summary="Open documents", tags=["operations"])
async def get_open(
    state: State,
    limit: Limit = 100,
    interface: FromQuery[str | None] = None,
    document_state: Annotated[OpenState | None, QueryParameter(name="state")] = None,
) -> list[OpenDocument]:
    """Documents that are not settled, the nearest deadline first, with owner and reason."""
    async with connection(state) as conn:
        return await open_documents(conn, limit, interface=interface, state=document_state)


HANDLERS: list[ControllerRouterHandler] = [get_books, get_open]
