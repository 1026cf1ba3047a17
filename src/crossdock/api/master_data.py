# SPDX-License-Identifier: Apache-2.0
"""One product or customer account: `GET /v1/products/{sku}`, `GET /v1/customers/{id}`, with ETags; plain ASGI handlers.

What was read is kept for as long as the catalog does not change, and answered with its age while PostgreSQL is away.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import asyncpg
from msgspec import Struct

from crossdock.api.plain import HeaderList, NotAllowed, Receive, Scope, Send, answer, not_found
from crossdock.catalog.cache import SQL
from crossdock.catalog.memory import CatalogMemory
from crossdock.errors import EngineAway, Refused
from crossdock.governance.caller import Caller, caller_of
from crossdock.runtime.postgres import away

PRODUCTS = "/v1/products/"
CUSTOMERS = "/v1/customers/"
MOST_KEPT = 20_000
STALE_SECONDS = 5.0
_PATIENCE = 2.0
_LONGEST = 200
_JSON = (b"content-type", b"application/json")
_REVALIDATE = (b"cache-control", b"no-cache")
_STALE = (b"crossdock-stale", b"true")


class _Kept(Struct, frozen=True, gc=False):
    body: bytes
    tag: bytes
    version: int


class Things(Struct, frozen=True):
    """What a path answers: what it begins with, what one is called and read by, and whether a caller sees it."""

    prefix: str
    noun: str
    statement: str
    sees: Callable[[Caller, str], bool]


class MasterDataHandler:
    """Answers what is below the prefix of `things`, from the database, and from what was read there last while that is
    away or nothing has changed. What a caller does not see is not there for it."""

    def __init__(self, memory: CatalogMemory, pool: asyncpg.Pool, things: Things) -> None:
        self._memory = memory
        self._pool = pool
        self._things = things
        self._all: dict[str, _Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; errors are raised, see `api.plain.answering`."""
        path: str = scope["path"]
        prefix = self._things.prefix
        name = path[len(prefix) :] if path.startswith(prefix) else ""
        if not name:
            raise not_found(scope)
        if scope["method"] != "GET":
            raise NotAllowed(scope["method"], "GET")
        if not self._things.sees(caller_of(scope), name):
            raise self._unknown(name)
        kept, age = await self._find(name)
        headers: HeaderList = [_REVALIDATE, (b"etag", kept.tag), (b"age", b"%d" % age)]
        if age > STALE_SECONDS:
            headers.append(_STALE)
        if any(header == b"if-none-match" and kept.tag in value for header, value in scope["headers"]):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await answer(send, 200, kept.body, [_JSON, *headers])

    async def _find(self, name: str) -> tuple[_Kept, float]:
        """The thing, and for how many seconds changes of it may have been missed. Refused 404, EngineAway."""
        version, age = self._memory.catalog.version, self._memory.age
        kept = self._all.get(name)
        if kept is not None and kept.version == version and age is not None and age <= STALE_SECONDS:
            return kept, age
        try:
            body = await self._read(name)
        except EngineAway:
            if kept is None or age is None:
                raise
            return kept, age
        fresh = _Kept(body, b'"%s"' % blake2b(body, digest_size=9).hexdigest().encode(), version)
        if len(self._all) >= MOST_KEPT:
            self._all.clear()
        self._all[name] = fresh
        return fresh, 0.0

    async def _read(self, name: str) -> bytes:
        body: bytes | None = None
        if len(name) <= _LONGEST and "\x00" not in name:
            with away():
                async with self._pool.acquire(timeout=_PATIENCE) as conn:
                    body = await conn.fetchval(self._things.statement, name)
        if body is None:
            self._all.pop(name, None)
            raise self._unknown(name)
        return body

    def _unknown(self, name: str) -> Refused:
        noun = self._things.noun
        return Refused(
            f"there is no {noun} {name[:_LONGEST]!r}",
            status=404,
            rule=f"{noun}.unknown",
            fix=f"ask for a {noun} by the name that Crossdock has for it",
        )


def products_handler(memory: CatalogMemory, pool: asyncpg.Pool) -> MasterDataHandler:
    """Answers `GET /v1/products/{sku}`."""
    things = Things(PRODUCTS, "product", SQL.product_body, lambda _caller, _sku: True)
    return MasterDataHandler(memory, pool, things)


def customers_handler(memory: CatalogMemory, pool: asyncpg.Pool) -> MasterDataHandler:
    """Answers `GET /v1/customers/{id}`."""
    return MasterDataHandler(memory, pool, Things(CUSTOMERS, "customer", SQL.customer_body, Caller.sees_customer))
